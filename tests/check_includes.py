#!/usr/bin/env python3
"""Checks that files include only downward (docs/design.md, floors), by paths rooted at the top folder.

Usage: check_includes.py TOP    prints each violation, one a line; exits with 1 if there is one
"""

import pathlib
import re
import sys

# The rooms of experiments/, and those each may look into; a file outside them looks into none.
ROOMS = {
    "table": [],
    "records": [],
    "run": ["records"],
    "verification": ["records", "run"],
    "weights": ["records"],
    "leaderboard": ["table", "records", "verification"],
    "sweep": ["records"],
    "report": ["records", "leaderboard"],
}
BELOW = {
    "framework/base": [],
    "framework/model": ["framework/base"],
    "framework/run": ["framework/base", "framework/model"],
    "datasets": ["framework"],
    "episodes": ["framework", "datasets"],
    "algorithms": ["framework"],
    "experiments": ["framework", "datasets", "episodes", "algorithms"],
    **{f"experiments/{room}": ["framework", "datasets", "episodes", "algorithms", "experiments/*.h",
                               *(f"experiments/{below}" for below in rooms_below)]
       for room, rooms_below in ROOMS.items()},
    "examples": ["framework", "datasets"],
    "tests": ["framework", "datasets", "episodes", "algorithms", "experiments"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def floor_of(path):
    """The innermost floor or room that a file is in; None outside of all."""
    return max((floor for floor in BELOW if path.startswith(floor + "/")), key=len, default=None)


def is_in(path, place):
    """Whether a file is in a folder (with all below it), or directly in the folder of "FOLDER/*.h"."""
    folder, _, only_here = place.partition("/*")
    return path.startswith(folder + "/") and not (only_here and "/" in path[len(folder) + 1:])


def may_include(floor, path):
    own = "experiments/*.h" if floor == "experiments" else floor
    return any(is_in(path, place) for place in [own, *BELOW[floor]])


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
            elif not may_include(floor, included):
                yield f'{path}:{number}: {floor} may not include "{included}"'


def main():
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) or "all includes point downward")
    sys.exit(1 if found else 0)


main()
