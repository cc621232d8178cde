"""What the tests from outside share: running a command as a user would, and a spec that trains within a second."""

import json
import subprocess


class Failed(Exception):
    """What was expected and what came instead."""


def run(command, expect=0, **options):
    """Runs a command; returns what it did. Throws Failed where the exit code is another than expected."""
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **options)
    if done.returncode != expect:
        words = " ".join(map(str, command))
        raise Failed(f"{words}: exit code {done.returncode}, expected {expect}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done


def require(condition, message):
    if not condition:
        raise Failed(message)


def write_tiny_spec(folder, name, **changes):
    """ProtoNet on few and small glyphs in folder/name.json, with other blocks where `changes` names them."""
    spec = {
        "name": name,
        "dataset": {"name": "synthetic_glyphs", "train_alphabets": 3, "validation_alphabets": 1, "test_alphabets": 2,
                    "characters": 6, "drawings": 12, "image_size": 20, "jitter": 0.7},
        "episodes": {"train": {"way": 5, "shot": 2, "query": 3},
                     "validation": {"way": 4, "shot": 2, "query": 3, "count": 5},
                     "test": {"way": 4, "shot": 2, "query": 6, "count": 30}},
        "backbone": {"name": "conv4", "channels": 8},
        "algorithm": {"name": "protonet"},
        "train": {"iterations": 40, "meta_batch": 2, "validate_every": 20},
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(spec | changes))
    return path


def make_tiny_run(kshot, folder, name, **changes):
    """Runs the tiny spec; returns the run's folder."""
    spec = write_tiny_spec(folder, name, **changes)
    run([kshot, "run", spec, "--device", "cpu", "--results", folder / "results", "--quiet"])
    return next((folder / "results" / name).iterdir())
