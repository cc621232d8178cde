# The few commands a newcomer needs; CMake does the work (CMakePresets.json).
BUILD := build
CMAKE_STAMP := $(BUILD)/build.ninja

.PHONY: program demo test test-all lint format bundle clean help setup configure tests
.DEFAULT_GOAL := program

program: configure  ## build the program, build/kshot (plain `make`)
	@cmake --build $(BUILD) --target kshot

demo: program  ## set up, build, and run the demonstration
	@scripts/demo

test: tests  ## set up, build, and run every test but the slow ones
	@cd $(BUILD) && ctest -j2 --output-on-failure -LE slow

test-all: tests  ## the slow tests too
	@cd $(BUILD) && ctest -j2 --output-on-failure

lint: configure  ## clang-format and clang-tidy; FILES="a.cpp b.h" for some files only
	@scripts/setup --lint
	@scripts/lint $(FILES)

format:  ## let clang-format rewrite our sources
	@scripts/setup --lint
	@scripts/lint --format $(FILES)

bundle: tests  ## a folder to carry to another machine, in build/bundle
	@scripts/bundle

clean:  ## remove the build folder
	rm -rf $(BUILD)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup:
	@scripts/setup

configure: setup
	@test -f $(CMAKE_STAMP) || cmake --preset release

tests: configure
	@cmake --build $(BUILD)
