#!/usr/bin/env python3
"""Checks that files include only downward (docs/design.md, floors), by paths rooted at the top folder.

Usage: check_includes.py TOP    prints each violation, one a line; exits with 1 if there is one
"""

import pathlib
import re
import sys

BELOW = {
    "framework/base": [],
    "framework/model": ["framework/base"],
    "framework/run": ["framework/base", "framework/model"],
    "datasets": ["framework"],
    "episodes": ["framework", "datasets"],
    "algorithms": ["framework"],
    "experiments": ["framework", "datasets", "episodes", "algorithms"],
    "examples": ["framework", "datasets"],
    "tests": ["framework", "datasets", "episodes", "algorithms", "experiments"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def floor_of(path):
    return next((floor for floor in BELOW if path.startswith(floor + "/")), None)


def violations(top):
    for file in sorted(top.rglob("*")):
        path = file.relative_to(top).as_posix()
        floor = floor_of(path)
        if floor is None or file.suffix not in (".h", ".cpp"):
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            included = match.group(1)
            if not (top / included).exists():
                yield f'{path}:{number}: "{included}" is not a file, by a path from the top folder'
            elif not any(included.startswith(f + "/") for f in [floor, *BELOW[floor]]):
                yield f'{path}:{number}: {floor} may not include "{included}"'


def main():
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) or "all includes point downward")
    sys.exit(1 if found else 0)


main()
