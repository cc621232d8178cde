#!/usr/bin/env python3
"""scripts/check_outside finds the same predictions for tiny runs of many options, and notices where they differ.

Usage: outside_check_test.py TOP KSHOT    exits with 77 where the script's environment cannot be had (no network)
"""

import json
import os
import pathlib
import sys
import tempfile

from outside_program import Failed, make_tiny_run, require, run

TOP, KSHOT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()

RUNS = {
    "defaults": {},
    "strided": {
        "algorithm": {"name": "protonet", "distance": "cosine", "batch_norm": "support"},
        "backbone": {"name": "conv4", "channels": [4, 6, 8, 10], "reduce": "stride", "padding": "same", "norm_gamma": False,
                     "negative_slope": 0.01, "order": ["activation", "norm", "pool"], "conv_bias": False}},
    "pooled-mean": {
        "algorithm": {"name": "protonet", "batch_norm": "support_plus_one"},
        "backbone": {"name": "conv4", "channels": 8, "blocks": 3, "reduced_blocks": 2, "pool_edge": "keep",
                     "features": "mean", "norm_eps": 0.001}},
    "float64": {"dtype": "float64", "algorithm": {"name": "protonet", "batch_norm": "transductive"}},
}


def check_outside(run_folder, expect, *more):
    return run([TOP / "scripts/check_outside", run_folder, *more], expect, env=os.environ | {"KSHOT": str(KSHOT)})


def environment_or_skip(run_folder):
    try:
        return check_outside(run_folder, 0)
    except Failed:
        skipped = check_outside(run_folder, 77)  # or it fails again, and loudly
        print(f"SKIPPED: {skipped.stderr.strip().splitlines()[-1]}")
        sys.exit(77)


def change_a_prediction(run_folder):
    path = run_folder / "episodes.jsonl"
    lines = path.read_text().splitlines()
    episode = json.loads(lines[3])
    episode["predictions"][5] = (episode["predictions"][5] + 1) % episode["outputs"]
    lines[3] = json.dumps(episode)
    path.write_text("\n".join(lines) + "\n")


def test(folder):
    runs = {name: make_tiny_run(KSHOT, folder, name, **changes) for name, changes in RUNS.items()}
    print(f"defaults: {environment_or_skip(runs['defaults']).stdout}")
    for name in list(RUNS)[1:]:
        print(f"{name}: {check_outside(runs[name], 0).stdout}", flush=True)

    # An episode file made beforehand; of another run's test it is refused.
    file = folder / "episodes.h5"
    run([KSHOT, "episodes", runs["defaults"] / "spec.json", "--split", "test", "--count", "10", "--out", file])
    check_outside(runs["defaults"], 0, "--episodes", file, "--count", "10")
    refused = check_outside(runs["defaults"], 2, "--episodes", file)
    require("10 episodes" in refused.stderr, f"too few episodes: {refused.stderr}")

    change_a_prediction(runs["defaults"])
    different = check_outside(runs["defaults"], 1, "--episodes", file, "--count", "10")
    require("predictions that differ: 1, of them 1 beyond" in different.stdout, f"a changed prediction: {different.stdout}")

    other = make_tiny_run(KSHOT, folder, "other", algorithm={"name": "nearest_pixel"})
    refused = check_outside(other, 2)
    require(refused.stderr.count("\n") == 1 and "algorithm.name" in refused.stderr, f"another method: {refused.stderr}")


with tempfile.TemporaryDirectory(prefix="kshot-outside-check-") as temporary:
    try:
        test(pathlib.Path(temporary))
    except Failed as failure:
        sys.exit(f"outside_check: {failure}")
