#!/usr/bin/env python3
"""TensorBoard itself, as PyPI has it, shows of a run what metrics.jsonl says: of a whole one, and of one that was killed
and resumed, both when it looks on all the while and when it looks afterwards.

Usage: tensorboard_test.py TOP KSHOT    exits with 77 where tensorboard cannot be had (no network)
"""

import itertools
import json
import logging
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

from outside_program import Failed, require, run, write_tiny_spec

TOP, KSHOT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
sys.path.insert(0, str(TOP / "scripts"))
import outside_python

try:
    outside_python.enter_with(["tensorboard==2.20.*", "setuptools<81"])  # it imports pkg_resources, which 81 has no more
except outside_python.Unavailable as reason:
    print(f"SKIPPED: {reason}")
    sys.exit(77)

from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.util import tensor_util


# ---- what TensorBoard shows and what it should, each as {tag: [(step, value), ...]}

class Scalars:
    """The reader of TensorBoard's inspection tools, and of many scripts."""

    def __init__(self, run_folder):
        self.reader = event_accumulator.EventAccumulator(str(run_folder / "tensorboard"), {"scalars": 0})

    def points(self):
        self.reader.Reload()
        return {tag: [(p.step, p.value) for p in self.reader.Scalars(tag)] for tag in self.reader.Tags()["scalars"]}

    def wall_times(self, tag):
        return [p.wall_time for p in self.reader.Scalars(tag)]


class Tensors:
    """The reader behind TensorBoard's own pages, which turns scalars into tensors."""

    def __init__(self, run_folder):
        self.reader = plugin_event_accumulator.EventAccumulator(str(run_folder / "tensorboard"), {"tensors": 0})

    def points(self):
        self.reader.Reload()
        return {tag: [(p.step, tensor_util.make_ndarray(p.tensor_proto).item()) for p in self.reader.Tensors(tag)]
                for tag in self.reader.Tags()["tensors"]}


def metrics(run_folder):
    return [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]


def numbers_of(value, path=""):
    if isinstance(value, dict):
        return {tag: number for key, item in value.items() for tag, number in numbers_of(item, f"{path}/{key}").items()}
    return {path[1:]: value} if isinstance(value, (int, float)) else {}


def expected(run_folder):
    points = {}
    for line in metrics(run_folder):
        step = line.pop("iteration")
        prefix = "retrain/" if line["phase"] == "retrain" else ""
        for tag, number in numbers_of(line).items():
            single = struct.unpack("f", struct.pack("f", number))[0]
            points.setdefault(prefix + tag, []).append((step, single))
    return points


def require_same(run_folder, *readers):
    for reader in [Scalars(run_folder), Tensors(run_folder), *readers]:
        shown, told = reader.points(), expected(run_folder)
        where = f"{run_folder.parent.name}, {type(reader).__name__}"
        require(shown.keys() == told.keys(), f"{where}: tags {sorted(shown)}, expected {sorted(told)}")
        for tag in told:
            differ = next((pair for pair in itertools.zip_longest(shown[tag], told[tag]) if pair[0] != pair[1]), None)
            require(differ is None, f"{where}: {tag} as (shown, told): {differ}")


# ---- runs

def command(folder, spec, *more):
    return [KSHOT, "run", spec, "--device", "cpu", "--results", folder / "results", "--quiet", *more]


def whole_run(folder):
    """Two phases, the second of which counts its iterations anew."""
    train = {"iterations": 40, "meta_batch": 2, "validate_every": 20, "retrain_extra": 5}
    spec = write_tiny_spec(folder, "whole", train=train, log={"every": 7, "tensorboard": True})
    begun = time.time()
    run(command(folder, spec))
    run_folder = next((folder / "results/whole").iterdir())
    require_same(run_folder)
    tags = expected(run_folder).keys()
    for tag in ["train/loss", "train/accuracy", "validation/loss", "validation/accuracy", "lr", "time/tasks_per_second",
                "retrain/train/loss"]:
        require(tag in tags, f"no {tag} among {sorted(tags)}")
    reader = Scalars(run_folder)
    reader.points()
    times = reader.wall_times("train/loss")
    require(begun <= times[0] and times == sorted(times) and times[-1] <= time.time(), f"wall times {times} after {begun}")


def last_iteration(run_folder):
    path = run_folder / "metrics.jsonl"
    text = path.read_text() if path.exists() else ""
    whole = text[:text.rfind("\n") + 1].splitlines()
    return json.loads(whole[-1])["iteration"] if whole else 0


def kill_between_checkpoints(folder, name):
    """A run of 300 steps, saved every 100, killed behind step 150. Returns its spec, folder and readers that looked on."""
    train = {"iterations": 300, "meta_batch": 1, "validate_every": 100}
    spec = write_tiny_spec(folder, name, train=train, log={"every": 1, "tensorboard": True})
    running = subprocess.Popen([str(word) for word in command(folder, spec)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not list(folder.glob(f"results/{name}/*/tensorboard/*")):
            require(running.poll() is None and time.monotonic() < deadline, f"{name}: no event file")
            time.sleep(0.002)
        run_folder = next((folder / "results" / name).iterdir())
        readers = [Scalars(run_folder), Tensors(run_folder)]
        while last_iteration(run_folder) < 150:
            require(running.poll() is None and time.monotonic() < deadline, f"{name}: ended before it was killed")
            time.sleep(0.002)
    finally:
        running.kill()
        running.wait()
    for reader in readers:
        reader.points()
    return spec, run_folder, readers


def killed_run(folder):
    for attempt in range(5):
        spec, run_folder, readers = kill_between_checkpoints(folder, f"killed-{attempt}")
        saved = json.loads((run_folder / "checkpoints/last.json").read_text())["state"]["iteration"]
        if last_iteration(run_folder) > saved:
            break
    else:
        raise Failed("no kill came between two checkpoints")
    with open(next((run_folder / "tensorboard").iterdir()), "ab") as file:
        file.write(b"\x50\0\0\0\0\0")  # the beginning of a record, as a power cut may leave it
    for reader in readers:
        reader.points()
    run(command(folder, spec, "--resume"))
    require_same(run_folder, *readers)
    steps = [step for step, value in expected(run_folder)["train/loss"]]
    require(steps == list(range(1, 301)), f"steps {steps}")


logging.disable(logging.WARNING)  # TensorBoard tells of each restart
with tempfile.TemporaryDirectory(prefix="kshot-tensorboard-") as temporary:
    try:
        whole_run(pathlib.Path(temporary))
        killed_run(pathlib.Path(temporary))
    except Failed as failure:
        sys.exit(f"tensorboard: {failure}")
