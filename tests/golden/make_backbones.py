#!/usr/bin/env python3
"""Writes tests/golden/backbones.json: features and logits of torchvision's and timm's networks, in float64, whose weights
are filled by a formula that tests/model/backbones_golden_test.cpp repeats.

Usage: make_backbones.py [--only NAME]    with torch 2.11, torchvision 0.26 and timm at hand

fill(name, i) = sin(0.37 k), k = (i i + h i + h) mod 8191, h the name's bytes as digits of base 31, mod 8191. The i-th value of
a tensor is fill() times 2 / sqrt(fan_in) for convolutions, which keeps activations at one size, 3 / sqrt(fan_in) for linear
layers, which keeps them from fading where there is no norm; biases 0.1; gammas
1 + 0.2, half of that behind the last convolution of a residual branch; running means 0.2, variances 1 + 0.3; tokens and
embeddings of places 0.5. The head, weights and bias, is times `head_scale`: a tenth where logits would be large.
"""

import argparse
import functools
import json
import pathlib

import numpy
import torch
import timm
import torchvision
from torch import nn
from torchvision.models import inception, mobilenetv3, resnet, vgg, vision_transformer

PERIOD = 8191
SINES = numpy.sin(0.37 * numpy.arange(PERIOD))


def fill(name, count):
    h = functools.reduce(lambda sofar, byte: (sofar * 31 + byte) % PERIOD, name.encode(), 0)
    i = numpy.arange(min(count, PERIOD))
    return numpy.resize(SINES[(i * i + h * i + h) % PERIOD], count)


def golden_value(name, shape):
    values = fill(name, int(numpy.prod(shape)))
    if name.endswith("running_mean"):
        values = 0.2 * values
    elif name.endswith("running_var"):
        values = 1 + 0.3 * values
    elif "pos_embed" in name or "token" in name:
        values = 0.5 * values
    elif len(shape) >= 2:
        values = (3 if len(shape) == 2 else 2) / numpy.sqrt(values.size / shape[0]) * values
    elif name.endswith("bias"):
        values = 0.1 * values
    else:
        values = (0.5 if name.endswith(("bn2.weight", "bn3.weight")) else 1) * (1 + 0.2 * values)
    return torch.from_numpy(values).reshape(shape)


def golden_images(shape):
    count = int(numpy.prod(shape))
    wave = lambda n: numpy.sin(0.01 * (n + 1) * numpy.arange(count))
    return torch.from_numpy(numpy.stack([0.5 * fill(f"image {n}", count) + 0.5 * wave(n) for n in range(2)])).reshape(2, *shape)


# ---- networks that torchvision lacks, in plain PyTorch

class ResNet12Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        for k in (1, 2, 3):
            setattr(self, f"conv{k}", nn.Conv2d(inputs if k == 1 else outputs, outputs, 3, padding=1, bias=False))
            setattr(self, f"bn{k}", nn.BatchNorm2d(outputs))
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        act = lambda y: nn.functional.leaky_relu(y, 0.1)
        y = act(self.bn1(self.conv1(x)))
        y = act(self.bn2(self.conv2(y)))
        return nn.functional.max_pool2d(act(self.bn3(self.conv3(y)) + self.downsample(x)), 2)


class ResNet12(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        for k, (inputs, outputs) in enumerate(zip([3, *channels], channels), 1):
            setattr(self, f"layer{k}", nn.Sequential(ResNet12Block(inputs, outputs)))
        self.stages = len(channels)
        self.classifier = nn.Linear(channels[-1], classes)

    def forward(self, x):
        for k in range(self.stages):
            x = getattr(self, f"layer{k + 1}")(x)
        return self.classifier(x.mean((2, 3)))


class WideBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.convShortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if inputs != outputs else None

    def forward(self, x):
        activated = self.bn1(x).relu()
        y = self.conv2(self.bn2(self.conv1(activated)).relu())
        return y + (x if self.convShortcut is None else self.convShortcut(activated))


class WideStage(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.layer = nn.Sequential(*blocks)

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    def __init__(self, blocks, widen, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        inputs = 16
        for stage in range(3):
            outputs = 16 * widen * 2**stage
            setattr(self, f"block{stage + 1}", WideStage(
                [WideBlock(inputs if i == 0 else outputs, outputs, 2 if i == 0 and stage > 0 else 1) for i in range(blocks)]))
            inputs = outputs
        self.bn1 = nn.BatchNorm2d(inputs)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(self.bn1(x).relu().mean((2, 3)))


# ---- reduced forms of torchvision's

def small_stem(classes):
    net = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], num_classes=classes)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return net


def narrow_vgg(config, norm, hidden, grid, classes):
    net = vgg.VGG(nn.Sequential(nn.Conv2d(3, 4, 3)), num_classes=2, init_weights=False)  # replaced below
    net.features = vgg.make_layers(config, norm)
    net.avgpool = nn.AdaptiveAvgPool2d((grid, grid))
    last = [c for c in config if c != "M"][-1]
    net.classifier = nn.Sequential(nn.Linear(last * grid * grid, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, hidden),
                                   nn.ReLU(), nn.Dropout(), nn.Linear(hidden, classes))
    return net


def narrow_inception(divisor, classes):
    narrow = lambda channels: channels if channels == 3 else channels // divisor
    conv = lambda inputs, outputs, **how: inception.BasicConv2d(narrow(inputs), narrow(outputs), **how)
    with_conv = lambda block: functools.partial(block, conv_block=conv)
    net = inception.Inception3(
        num_classes=classes, aux_logits=False, init_weights=False,
        inception_blocks=[conv, *map(with_conv, (inception.InceptionA, inception.InceptionB, inception.InceptionC,
                                                 inception.InceptionD, inception.InceptionE)), inception.InceptionAux])
    net.fc = nn.Linear(2048 // divisor, classes)
    return net


def narrow_mobilenet(arch, width, classes):
    rows, last = mobilenetv3._mobilenet_v3_conf(arch, width_mult=width)
    return mobilenetv3.MobileNetV3(rows, last, num_classes=classes)


def by_name(name):
    def make():
        network = getattr(torchvision.models, name)
        if name == "inception_v3":
            return network(weights=None, init_weights=False, transform_input=False)
        return network(weights=None)
    return make


def cases():
    """(label, block, image, head, make, slow)"""
    tv, plain = f"torchvision {torchvision.__version__.split('+')[0]}", "plain PyTorch"
    tm = f"timm {timm.__version__}"
    narrow = [8, "M", 16, "M", 32, 32, "M", 64, 64, "M", 64, 64, "M"]
    narrow16 = [8, 8, "M", 16, 16, "M", 32, 32, 32, "M", 64, 64, 64, "M", 64, 64, 64, "M"]
    yield tv, {"name": "resnet10"}, [3, 64, 48], "fc", lambda: resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], 10), False
    yield tv, {"name": "resnet10", "stem": "small"}, [3, 28, 21], "fc", lambda: small_stem(10), False
    yield (tv, {"name": "resnet50", "blocks": [1, 2, 1, 1]}, [3, 40, 48], "fc",
           lambda: resnet.ResNet(resnet.Bottleneck, [1, 2, 1, 1], 10), False)
    yield (plain, {"name": "resnet12", "channels": [8, 16, 24, 32]}, [3, 36, 32], "classifier",
           lambda: ResNet12([8, 16, 24, 32], 10), False)
    yield (plain, {"name": "wide_resnet28_10", "blocks": 2, "widen": 2}, [3, 17, 16], "fc", lambda: WideResNet(2, 2, 10), False)
    yield (tv, {"name": "vgg11", "width": 0.125, "grid": 2, "hidden": 32}, [3, 64, 96], "classifier.6",
           lambda: narrow_vgg(narrow, False, 32, 2, 10), False)
    yield (tv, {"name": "vgg16_bn", "width": 0.125, "grid": 3, "hidden": 32}, [3, 32, 45], "classifier.6",
           lambda: narrow_vgg(narrow16, True, 32, 3, 10), False)
    yield tv, {"name": "inception_v3", "width": 0.0625}, [3, 80, 93], "fc", lambda: narrow_inception(16, 10), False
    for size, width in (("small", 0.25), ("large", 0.5)):
        name = f"mobilenet_v3_{size}"
        yield (tv, {"name": name, "width": width}, [3, 64, 50], "classifier.3",
               functools.partial(narrow_mobilenet, name, width, 10), False)
    yield (tv, {"name": "vit_b_16", "patch": 8, "width": 48, "depth": 2, "heads": 3}, [3, 32, 32], "heads.head",
           lambda: vision_transformer.VisionTransformer(32, 8, 2, 3, 48, 192, num_classes=10), False)
    yield (tm, {"name": "vit_s_16", "patch": 8, "width": 48, "depth": 2, "heads": 3}, [3, 32, 24], "head",
           lambda: timm.models.vision_transformer.VisionTransformer(
               img_size=(32, 24), patch_size=8, embed_dim=48, depth=2, num_heads=3, num_classes=10), False)

    whole = {"fc": ["resnet18", "resnet34", "resnet50", "resnet101"],
             "classifier.6": [f"vgg{depth}{bn}" for depth in (11, 16, 19) for bn in ("", "_bn")],
             "classifier.3": ["mobilenet_v3_small", "mobilenet_v3_large"], "heads.head": ["vit_b_16"]}
    for head, names in whole.items():
        for name in names:
            yield tv, {"name": name}, [3, 224, 224], head, by_name(name), True
    yield tv, {"name": "inception_v3"}, [3, 299, 299], "fc", by_name("inception_v3"), True
    yield tm, {"name": "vit_s_16"}, [3, 224, 224], "head", lambda: timm.create_model("vit_small_patch16_224"), True
    yield plain, {"name": "resnet12"}, [3, 84, 84], "classifier", lambda: ResNet12([64, 160, 320, 640], 64), True
    yield plain, {"name": "wide_resnet28_10"}, [3, 32, 32], "fc", lambda: WideResNet(4, 10, 100), True


# ---- what is written

def summary(name, values):
    """Some values of [2, count], a weighted mean over all, and how large they are."""
    count = values.shape[1]
    index = sorted({0, 1, count // 3, count // 2, 2 * count // 3, count - 1})
    weights = torch.from_numpy(fill(name, count))
    return {"count": count, "index": index, "values": values[:, index].tolist(),
            "weighted_mean": ((values * weights).sum(1) / count).tolist(), "largest": values.abs().max().item()}


def measured(reference, block, image, head, make, slow):
    net = make().double().eval()
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(golden_value(name, tensor.shape))
        features = []
        net.get_submodule(head).register_forward_pre_hook(lambda module, inputs: features.append(inputs[0]))
        logits = net(golden_images(image))
    scale = 0.1 if logits.std() > 100 else 1
    logits = scale * logits
    spread, apart = logits.std().item(), (logits[0] - logits[1]).abs().max().item()
    print(f"{block['name']:20} logits: deviation {spread:.3g}, largest {logits.abs().max():.3g}, images apart {apart:.3g}", flush=True)
    assert 0.1 <= spread <= 100 and apart > 0.01 * spread, "these weights make no good example"
    return {"reference": reference, "block": block, "image": image, "head": head, "head_scale": scale, "slow": slow,
            "parameters": sum(p.numel() for n, p in net.named_parameters() if not n.startswith("AuxLogits.")),
            "features": summary("features", features[0]), "logits": summary("logits", logits)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--only", help="try one architecture; writes nothing")
    only = arguments.parse_args().only
    found = [measured(*case) for case in cases() if only in (None, case[1]["name"])]
    if only is None:
        text = ",\n".join(json.dumps(case) for case in found)
        (pathlib.Path(__file__).parent / "backbones.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
