#!/usr/bin/env python3
"""Checks that docs/traps.md names tests that exist.

Usage: check_traps.py TOP    prints each test that is named and not there; exits with 1 if there is one
"""

import pathlib
import re
import sys


def case_names(source):
    """Names of the TEST_CASEs of a file; literals that the formatter broke apart are joined."""
    cases = re.findall(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', source)
    return {"".join(re.findall(r'"((?:[^"\\]|\\.)*)"', case)) for case in cases}


def main():
    top = pathlib.Path(sys.argv[1])
    table = [line for line in (top / "docs" / "traps.md").read_text().splitlines() if line.startswith("| ")][1:]
    checked, missing = 0, []
    for row in table:
        caught_by = row.split("|")[2]
        parts = re.split(r"`(tests/[^`]*)`", caught_by)
        if len(parts) < 3:
            missing.append(f"no test in the row: {row}")
        for path, names in zip(parts[1::2], parts[2::2]):
            there = case_names((top / path).read_text()) if (top / path).exists() else set()
            for name in re.findall(r'"([^"]*)"', names):
                checked += 1
                if name not in there:
                    missing.append(f'{path}: no TEST_CASE "{name}"')
    print("\n".join(missing) if missing else f"{checked} tests named, all there")
    sys.exit(1 if missing or not checked else 0)


main()
