"""What every peer is given: a spec's network and method, tasks, and weights to start from."""

import json
import math
import pathlib

import numpy


class Problem:
    def __init__(self, folder, dtype, tasks=None):
        """The first so many tasks, or all."""
        folder = pathlib.Path(folder)
        spec = json.loads((folder / "spec.json").read_text())
        arrays = numpy.load(folder / "arrays.npz")
        backbone, algorithm = spec["backbone"], spec["algorithm"]
        self.dtype = dtype
        self.images = backbone["name"] == "conv4"
        self.layers = backbone["blocks"] if self.images else len(backbone["hidden"])
        self.eps = backbone.get("norm_eps")
        self.method = algorithm["name"]
        self.inner_lr = algorithm.get("inner_lr")
        self.train_steps = algorithm.get("inner_steps", 0)
        self.test_steps = algorithm.get("test_inner_steps", self.train_steps)
        self.way, self.lr = spec["episodes"]["train"]["way"], spec["optimizer"]["lr"]
        short = lambda name: name.removeprefix("weights/").removeprefix("backbone.")
        self.weights = {short(name): self.real(arrays[name]) for name in arrays if name.startswith("weights/")
                        and "running" not in name}
        first = lambda name: arrays[name][:tasks]
        self.support_x, self.query_x = self.real(first("support_inputs")), self.real(first("query_inputs"))
        targets = self.real if not self.images else lambda values: values
        self.support_y, self.query_y = targets(first("support_targets")), targets(first("query_targets"))

    def real(self, values):
        return values.astype(self.dtype)

    @property
    def tasks(self):
        return len(self.query_x)


def flops(spec, testing):
    """Floating-point operations of one task by the plain sums of its convolutions, each multiply-add counted twice.

    With its gradient a convolution costs three of itself, the first layer's two, as images need none. A step that is
    differentiated costs, beyond itself and its gradient, four to differentiate the gradient and two the step; the first
    layer's one and one.
    """
    shape, channels = spec["dataset"]["shape"], spec["backbone"]["channels"]
    episodes = spec["episodes"]["test" if testing else "train"]
    support, query = episodes["way"] * episodes["shot"], episodes["way"] * episodes["query"]
    steps = spec["algorithm"].get("test_inner_steps" if testing else "inner_steps") or 0
    second_order = not testing and spec["algorithm"]["name"] == "maml"
    protonet = spec["algorithm"]["name"] == "protonet"
    total, (inputs, height, width) = 0, shape
    for block in range(spec["backbone"]["blocks"]):
        outputs = channels[block if len(channels) > 1 else 0]
        convolution = 2 * 9 * inputs * outputs * height * width
        with_gradient = 3 if block else 2
        through_step = (9 if block else 4) if second_order else with_gradient
        of_query = 1 if testing else with_gradient
        of_support = of_query if protonet else steps * through_step
        total += convolution * (support * of_support + query * of_query)
        inputs, height, width = outputs, height // 2, width // 2
    return total if math.isfinite(total) else None
