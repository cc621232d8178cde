#!/usr/bin/env python3
"""An algorithm in a folder outside the tree is compiled in by -DKSHOT_PLUGINS and then behaves like a shipped one; a name
that is registered twice gives one clear line.

Usage: outside_plugin_test.py TOP [CMAKE OPTION]...    builds the program a second time, in TOP/build-outside-plugin
"""

import json
import pathlib
import shutil
import sys
import tempfile

from outside_program import Failed, make_tiny_run, require, run

TOP = pathlib.Path(sys.argv[1]).resolve()
# As deep in the tree as the folders of the presets: the compiler cache then knows most of what is compiled here.
BUILD = TOP / "build-outside-plugin"


def build():
    print("building kshot", flush=True)
    run(["cmake", "--build", BUILD, "--target", "kshot"])


def check_behaves_like_a_shipped_one(folder):
    kshot = BUILD / "kshot"
    listed = run([kshot, "list", "algorithms", "--json"], cwd=folder).stdout
    require("medoid" in [facts["name"] for facts in json.loads(listed)], f"list algorithms: {listed}")
    require("nearest class medoid" in run([kshot, "list", "algorithms"], cwd=folder).stdout, "list algorithms: no summary")

    described = run([kshot, "describe", "algorithm", "medoid"], cwd=folder).stdout
    require("distance" in described and "squared" in described and "batch_norm" in described, f"describe algorithm medoid: {described}")

    finished = make_tiny_run(kshot, folder, "outside", algorithm={"name": "medoid", "distance": "squared"})
    result = json.loads((finished / "result.json").read_text())
    require(result["algorithm"]["name"] == "medoid", f"result.json: {result['algorithm']}")
    require(result["test"]["accuracy"]["mean"] > 0.25, f"no better than chance: {result['test']}")
    spec = json.loads((finished / "spec.json").read_text())["algorithm"]
    require(spec["distance"] == "squared" and spec["batch_norm"] == "running", f"defaults are not in the record: {spec}")

    refused = run([kshot, "run", "demo", "--set", "algorithm.name=medoid", "--set", "algorithm.distence=squared"], 2, cwd=folder)
    require('"distance"' in refused.stderr, f"a misspelt option: {refused.stderr}")


def check_duplicate_is_reported(folder):
    for words in (["list", "algorithms"], ["run", "demo", "--set", "algorithm.name=medoid"]):
        refused = run([BUILD / "kshot", *words], 2, cwd=folder)
        require(refused.stderr == 'kshot: algorithm "medoid" is registered twice; rename one of them\n',
                f"kshot {' '.join(words)}: {refused.stderr}")
    require(not (folder / "results" / "demo").exists(), "something was written for a refused run")


def test(folder):
    plugins = folder / "my_algorithms"
    shutil.copytree(TOP / "examples/own_algorithm", plugins)
    run(["cmake", "-S", TOP, "-B", BUILD, f"-DKSHOT_PLUGINS={plugins}", "-DBUILD_TESTING=OFF", *sys.argv[2:]])
    build()
    check_behaves_like_a_shipped_one(folder)
    print("a second plugin of the same name", flush=True)
    shutil.copy(plugins / "medoid.cpp", plugins / "medoid_again.cpp")
    build()
    check_duplicate_is_reported(folder)


with tempfile.TemporaryDirectory(prefix="kshot-outside-plugin-") as temporary:
    shutil.rmtree(BUILD, ignore_errors=True)
    try:
        test(pathlib.Path(temporary))
    except Failed as failure:
        sys.exit(f"outside_plugin: {failure}")
    finally:
        shutil.rmtree(BUILD, ignore_errors=True)
    print("compiled in, works, and a duplicate is reported")
