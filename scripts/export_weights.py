#!/usr/bin/env python3
"""Turns a PyTorch checkpoint into safetensors that kshot reads, and prints its entry for a registry of weights.

scripts/export_weights.py CHECKPOINT.pth --architecture NAME --out FILE.safetensors --licence TEXT --dataset TEXT
                          [--id ID] [--source URL] [--resize N] [--crop N] [--interpolation HOW] [--no-antialias]
                          [--mean R G B] [--std R G B]

CHECKPOINT.pth is a state dict as torchvision, timm or DeiT publish it, bare or under "state_dict" or "model". It is read
without executing anything in it. Where its name ends in -XXXXXXXX.pth, as torchvision's do, these are the first digits of
its sha256, and another file is refused. Left out: `num_batches_tracked`, and Inception's auxiliary classifier. Renamed: the
perceptrons of torchvision's older vision transformers. Everything else is written as float32 under its own name, the head
included.

Without --resize and what follows it, the entry has what the architecture's weights in torchvision or timm are tested with.

Exit codes: 0 written, 2 the checkpoint or an option cannot be used, 77 there is no PyTorch and none could be had.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import outside_python

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
HALVES = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
USUAL = {"resize": 256, "crop": 224, "interpolation": "bilinear", "antialias": True, **IMAGENET}
# torchvision scales images for Inception inside the network, from ImageNet's mean and deviation to these.
INPUTS = {"inception_v3": {**USUAL, "resize": 342, "crop": 299, **HALVES},
          "vit_s_16": {**USUAL, "resize": 248, "interpolation": "bicubic", **HALVES}}
HEADS = {"resnet12": ["classifier", "fc"], "vgg": ["classifier.6"], "mobilenet": ["classifier.3"], "vit_b_16": ["heads.head"],
         "vit_s_16": ["head"], "": ["fc"]}


class Refused(Exception):
    """This checkpoint cannot be exported."""


def load_torch():
    try:
        import torch
        return torch
    except ImportError:
        return outside_python.load_torch(outside_python.enter())


def checked_bytes(path):
    content = path.read_bytes()
    promised = re.search(r"-([0-9a-f]{8,64})\.pth?$", path.name)
    found = hashlib.sha256(content).hexdigest()
    if promised and not found.startswith(promised[1]):
        raise Refused(f"{path.name}: its name promises a sha256 of {promised[1]}..., but it is {found[:len(promised[1])]}...: "
                      "download it again")


def state_dict(torch, path):
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:
        raise Refused(f"{path.name}: not a checkpoint of tensors alone: {str(problem).splitlines()[0]}") from None
    for key in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found or not all(torch.is_tensor(value) for value in found.values()):
        raise Refused(f"{path.name}: expected a state dict, names with a tensor each")
    return found


def exported(torch, state):
    """name -> float32 tensor."""
    tensors = {}
    for name, value in state.items():
        if name.endswith("num_batches_tracked") or name.startswith("AuxLogits."):
            continue
        if not value.is_floating_point():
            raise Refused(f"tensor {name} is {value.dtype}, expected floating point")
        name = name.replace(".mlp.linear_1.", ".mlp.0.").replace(".mlp.linear_2.", ".mlp.3.")
        tensors[name] = value.detach().to(torch.float32).contiguous()
    return tensors


def head_of(architecture, tensors):
    """The name of the last linear layer, and how many features it takes."""
    candidates = next(heads for start, heads in HEADS.items() if architecture.startswith(start))
    for head in candidates:
        weight = tensors.get(f"{head}.weight")
        if weight is not None and weight.dim() == 2:
            return head, weight.shape[1]
    raise Refused(f"no {' or '.join(f'{head}.weight' for head in candidates)} of two axes: is this a {architecture}?")


def to_safetensors(tensors, metadata):
    """8 bytes of header length, the header as JSON, then the numbers, little-endian, in the header's order."""
    header, begin = {"__metadata__": metadata}, 0
    for name, tensor in tensors.items():
        end = begin + 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *(little_endian(tensor) for tensor in tensors.values())])


def little_endian(tensor):
    return tensor.numpy().astype("<f4", copy=False).tobytes()


def write_whole(path, content):
    """Under a temporary name first: never half a file."""
    new = path.with_name(path.name + ".new")
    with open(new, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def registry_entry(arguments, content, head, width):
    """As `kshot weights add ID --file FILE --entry ENTRY.json` takes it."""
    usual = INPUTS.get(arguments.architecture, USUAL)
    given = {key: getattr(arguments, key) for key in ("resize", "crop", "interpolation", "antialias", "mean", "std")}
    return {"id": arguments.id or arguments.out.stem, "backbone": {"name": arguments.architecture},
            "file": arguments.out.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content),
            "input": {key: usual[key] if value is None else value for key, value in given.items()},
            "feature_width": width, "other_tensors": [f"{head}.*"],
            "source": arguments.source or arguments.checkpoint.name, "licence": arguments.licence,
            "data": {"name": arguments.dataset}}


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=pathlib.Path)
    for name in ("architecture", "licence", "dataset"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    for name in ("id", "source"):
        parser.add_argument(f"--{name}")
    for name in ("resize", "crop"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--interpolation", choices=["nearest", "bilinear", "bicubic"])
    parser.add_argument("--no-antialias", dest="antialias", action="store_const", const=False)
    for name in ("mean", "std"):
        parser.add_argument(f"--{name}", type=float, nargs=3)
    return parser.parse_args()


def main():
    arguments = parsed()
    try:
        checked_bytes(arguments.checkpoint)
        torch = load_torch()
        tensors = exported(torch, state_dict(torch, arguments.checkpoint))
        head, width = head_of(arguments.architecture, tensors)
        content = to_safetensors(tensors, {"architecture": arguments.architecture, "head": head})
        write_whole(arguments.out, content)
    except (Refused, OSError) as problem:
        print(f"export_weights: {problem}", file=sys.stderr)
        return 2
    except outside_python.Unavailable as reason:
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return 77
    print(json.dumps(registry_entry(arguments, content, head, width), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
