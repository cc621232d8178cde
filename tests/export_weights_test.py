#!/usr/bin/env python3
"""scripts/export_weights.py: what it writes is what the checkpoint held, as the safetensors package reads it, and a file
that is not what its name promises is refused.

Usage: export_weights_test.py TOP    exits with 77 where PyTorch cannot be had
"""

import hashlib
import json
import pathlib
import sys
import tempfile

from outside_program import Failed, require, run

TOP = pathlib.Path(sys.argv[1]).resolve()
sys.path.insert(0, str(TOP / "scripts"))
import outside_python

try:
    torch = outside_python.load_torch(outside_python.enter())
except outside_python.Unavailable as reason:
    print(f"SKIPPED: {reason}")
    sys.exit(77)

from safetensors.numpy import load_file

EXPORT = TOP / "scripts/export_weights.py"


def saved(folder, name, state, promise=None):
    """folder/NAME-SHA8.pth; `promise` in place of the digits that are true."""
    path = folder / "new.pth"
    torch.save(state, path)
    digits = promise or hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(folder / f"{name}-{digits}.pth")


def export(checkpoint, architecture, out, *more, expect=0):
    return run([sys.executable, EXPORT, checkpoint, "--architecture", architecture, "--out", out, "--licence", "BSD-3-Clause",
                "--dataset", "ImageNet-1k", *more], expect)


def tiny_state():
    return {"conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "bn1.running_var": torch.ones(2),
            "bn1.num_batches_tracked": torch.tensor(7), "AuxLogits.fc.weight": torch.zeros(3, 3),
            "layer.mlp.linear_2.bias": torch.tensor([0.5], dtype=torch.float64),
            "fc.weight": torch.linspace(-1, 1, 10).reshape(2, 5).t().contiguous().t(), "fc.bias": torch.zeros(2)}


def test_content(folder):
    state, out = tiny_state(), folder / "tiny.safetensors"
    done = export(saved(folder, "tiny", state), "resnet18", out, "--source", "https://example.org/tiny.pth")
    found = load_file(out)
    require(sorted(found) == ["bn1.running_var", "conv1.weight", "fc.bias", "fc.weight", "layer.mlp.3.bias"], f"names: {sorted(found)}")
    for name, values in found.items():
        expected = state[name.replace("mlp.3", "mlp.linear_2")].float().numpy()
        require(values.dtype == expected.dtype and values.shape == expected.shape and (values == expected).all(), f"values of {name}")
    entry, content = json.loads(done.stdout), out.read_bytes()
    expected = {"id": "tiny", "backbone": {"name": "resnet18"}, "file": "tiny.safetensors", "other_tensors": ["fc.*"], "source": "https://example.org/tiny.pth",
                "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "feature_width": 5,
                "licence": "BSD-3-Clause", "data": {"name": "ImageNet-1k"},
                "input": {"resize": 256, "crop": 224, "interpolation": "bilinear", "antialias": True,
                          "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}
    require(entry == expected, f"entry: {done.stdout}")
    export(saved(folder, "again", {"model": state}), "resnet18", folder / "again.safetensors")
    require((folder / "again.safetensors").read_bytes() == content, "the same tensors below \"model\" give other bytes")


def test_inputs(folder):
    checkpoint = saved(folder, "inputs", tiny_state())
    entry = lambda *more: json.loads(export(checkpoint, "inception_v3", folder / "i.safetensors", *more).stdout)["input"]
    require(entry()["mean"] == [0.5, 0.5, 0.5] and entry()["crop"] == 299, "Inception's inputs")
    changed = entry("--crop", "84", "--resize", "92", "--no-antialias", "--std", "1", "2", "3")
    require((changed["crop"], changed["resize"]) == (84, 92), f"sizes: {changed}")
    require(changed["antialias"] is False and changed["std"] == [1, 2, 3], f"antialias and std: {changed}")


def test_refusals(folder):
    def refused(message, *arguments):
        done = export(*arguments, folder / "none.safetensors", expect=2)
        said = [line for line in done.stderr.splitlines() if line.startswith("export_weights:")]
        require(len(said) == 1 and message in said[0], f"expected {message!r}: {done.stderr}")
        require(not (folder / "none.safetensors").exists(), "a refused checkpoint left a file")

    refused("its name promises a sha256 of 00000000", saved(folder, "torn", tiny_state(), "00000000"), "resnet18")
    refused("is this a vgg16?", saved(folder, "other", tiny_state()), "vgg16")
    refused("not a checkpoint of tensors alone", saved(folder, "code", {"x": pathlib.PurePath}), "resnet18")
    refused("expected a state dict", saved(folder, "list", [torch.ones(1)]), "resnet18")
    refused("expected floating point", saved(folder, "whole", {"fc.weight": torch.ones(2, 2, dtype=torch.int64)}), "resnet18")
    refused("No such file", folder / "nowhere.pth", "resnet18")


def main():
    for test in (test_content, test_inputs, test_refusals):
        with tempfile.TemporaryDirectory() as folder:
            test(pathlib.Path(folder))
        print(f"{test.__name__}: passed")


try:
    main()
except Failed as failure:
    sys.exit(str(failure))
