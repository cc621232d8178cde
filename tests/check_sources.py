#!/usr/bin/env python3
"""Checks that every .cpp file stands in its floor's CMakeLists.txt: a plugin left out would be missing silently.

Usage: check_sources.py TOP    prints each file that is built nowhere; exits with 1 if there is one
"""

import pathlib
import sys

FLOORS = ["framework", "datasets", "episodes", "algorithms", "experiments", "tests"]


def listed(file, top):
    """Whether a CMakeLists.txt in the file's folder or above it names the file."""
    folder = file.parent
    while folder != top:
        lists = folder / "CMakeLists.txt"
        if lists.exists():
            return file.relative_to(folder).as_posix() in lists.read_text().replace(")", " ").split()
        folder = folder.parent
    return False


def main():
    top = pathlib.Path(sys.argv[1])
    missing = [f for floor in FLOORS for f in sorted((top / floor).rglob("*.cpp")) if not listed(f, top)]
    for file in missing:
        print(f"{file.relative_to(top)}: not in the SOURCES of its CMakeLists.txt, so it is not built")
    if not missing:
        print("every .cpp file is listed")
    sys.exit(1 if missing else 0)


main()
