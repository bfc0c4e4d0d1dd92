#!/usr/bin/env python3
"""The detector in plain PyTorch, written from the papers and torchvision's names alone: what the C++ network is checked against.

    pytorch_reference.py make tests/golden        writes the golden networks, inputs and outputs
    pytorch_reference.py run WEIGHTS INPUT OUTPUT runs a weights file on the tensor "images" of INPUT

Needs torch, numpy and safetensors. scripts/bench_training.py builds the same network from here.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inputs, channels, stride)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * 4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inputs, channels * 4, stride)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


def shortcut(inputs, outputs, stride):
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    KINDS = {
        "resnet18": (BasicBlock, (2, 2, 2, 2)),
        "resnet34": (BasicBlock, (3, 4, 6, 3)),
        "resnet50": (Bottleneck, (3, 4, 6, 3)),
    }

    def __init__(self, kind, width):
        super().__init__()
        block, counts = self.KINDS[kind]
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.channels = []
        inputs = width
        for stage, count in enumerate(counts):
            blocks = []
            for i in range(count):
                blocks.append(block(inputs, width << stage, 2 if i == 0 and stage > 0 else 1))
                inputs = (width << stage) * block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
            self.channels.append(inputs)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        features = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features


class DeconvStage(nn.Module):
    def __init__(self, inputs, outputs, lateral):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.bn = nn.BatchNorm2d(outputs)
        self.up = nn.ConvTranspose2d(outputs, outputs, 4, 2, 1, bias=False)
        self.up_bn = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.lateral = None
        if lateral:
            self.lateral = nn.Conv2d(lateral, outputs, 1, bias=False)
            self.lateral_bn = nn.BatchNorm2d(outputs)

    def forward(self, x, side):
        y = self.up_bn(self.up(self.relu(self.bn(self.conv(x)))))
        if self.lateral is not None:
            y += self.lateral_bn(self.lateral(side))
        return self.relu(y)


class DeconvNeck(nn.Module):
    def __init__(self, inputs, channels, skip):
        super().__init__()
        widths = [inputs[-1], *channels]
        self.stages = nn.ModuleList(
            DeconvStage(widths[i], widths[i + 1], inputs[2 - i] if skip else 0) for i in range(3)
        )

    def forward(self, features):
        x = features[-1]
        for i, stage in enumerate(self.stages):
            x = stage(x, features[2 - i])
        return x


def head(inputs, hidden, outputs):
    return nn.Sequential(nn.Conv2d(inputs, hidden, 3, 1, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, outputs, 1))


class CenterNet(nn.Module):
    def __init__(self, backbone="resnet18", width=64, neck_channels=(256, 128, 64), skip=False, head_channels=64, classes=1):
        super().__init__()
        self.backbone = ResNet(backbone, width)
        self.neck = DeconvNeck(self.backbone.channels, neck_channels, skip)
        self.heat = head(neck_channels[-1], head_channels, classes)
        self.wh = head(neck_channels[-1], head_channels, 2)
        self.offset = head(neck_channels[-1], head_channels, 2)

    def forward(self, images):
        x = self.neck(self.backbone(images))
        return {"heat": self.heat(x), "wh": self.wh(x), "offset": self.offset(x)}


def from_metadata(metadata):
    return CenterNet(
        metadata["backbone"],
        int(metadata["width"]),
        tuple(int(c) for c in metadata["neck_channels"].split(",")),
        metadata["skip"] == "true",
        int(metadata["head_channels"]),
        len(json.loads(metadata["classes"])),
    )


def load(path):
    """The network that a weights file describes, with its values, in eval mode."""
    with safe_open(path, "pt") as file:
        model = from_metadata(file.metadata())
    model.load_state_dict(load_file(path), strict=True)
    return model.eval()


def randomise(model, generator):
    """Values under which every tensor matters: norms and running statistics away from 1 and 0, activations near 1."""
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.dim() == 4:
            tensor.copy_(noise * (tensor[0].numel() ** -0.5))
        elif name.endswith("running_var") or (name.endswith("weight") and tensor.dim() == 1):
            tensor.copy_(1 + 0.3 * noise.tanh())
        else:
            tensor.copy_(0.1 * noise)


def golden(folder, name, metadata, seed):
    generator = torch.Generator().manual_seed(seed)
    model = from_metadata(metadata)
    randomise(model, generator)
    defaults = {
        "format": "conclave.detector/1",
        "neck": "deconv",
        "input_size": "64,64",
        "mean": "123.675,116.28,103.53",
        "std": "58.395,57.12,57.375",
    }
    save_file(model.state_dict(), folder / f"{name}.safetensors", defaults | metadata)

    images = torch.randn(2, 3, 64, 64, generator=generator).half().float()
    expected = {"images": images.half()}
    with torch.no_grad():
        expected |= {f"eval.{key}": value for key, value in model.eval()(images[:1]).items()}

    # One training step's gradients and running statistics, of the mean square of all heads. In float64: a value near a ReLU's
    # kink changes sides by rounding alone.
    model.double().train()
    loss = sum(value.square().mean() for value in model(images.double()).values())
    loss.backward()
    expected["train.loss"] = loss.detach()
    for key, parameter in model.named_parameters():
        expected[f"grad_norm.{key}"] = parameter.grad.norm()
    for key in ("backbone.conv1.weight", "neck.stages.2.up.weight", "heat.2.weight"):
        expected[f"grad.{key}"] = model.get_parameter(key).grad
    for key in ("backbone.bn1.running_mean", "neck.stages.0.up_bn.running_var"):
        expected[f"buffer.{key}"] = model.get_buffer(key)
    single = {key: value if value.dtype == torch.half else value.float() for key, value in expected.items()}
    save_file({key: value.contiguous() for key, value in single.items()}, folder / f"{name}.expected.safetensors")


def make(folder):
    torch.set_num_threads(1)
    narrow = {"neck_channels": "8,6,4", "head_channels": "4"}
    golden(folder, "resnet18_skip", narrow | {"backbone": "resnet18", "width": "3", "skip": "true", "classes": '["a", "b", "c"]'}, 18)
    golden(folder, "resnet50", narrow | {"backbone": "resnet50", "width": "2", "skip": "false", "classes": '["a"]'}, 50)
    names = [f"{name} {list(value.shape)}".replace(", ", ",") for name, value in ResNet("resnet18", 64).state_dict().items()]
    (folder / "resnet18_names.txt").write_text("\n".join(names) + "\n")


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "make":
        make(Path(arguments[1]))
    elif len(arguments) == 4 and arguments[0] == "run":
        with torch.no_grad():
            save_file(load(arguments[1])(load_file(arguments[2])["images"].float()), arguments[3])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
