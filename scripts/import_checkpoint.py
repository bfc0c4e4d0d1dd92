#!/usr/bin/env python3
"""Turns a checkpoint of another project into weights of conclave (safetensors).

  scripts/import_checkpoint.py model_best.pth --from centernet --classes person,car --out person-car.safetensors
  scripts/import_checkpoint.py resnet50.pth --from torchvision --out resnet50.safetensors     # for training.init

Projects: centerx (JDAI-CV/centerX), centernet (xingyizhou/CenterNet: resdcn_* and res_*), mmdet (MMDetection's CenterNet
with CTResNetNeck), torchvision (ResNet classifiers; backbone alone). ResNet-18, -34 and -50, with and without deformable
convolution. Backbone, widths and neck are read from the tensors' names and shapes.

The file is read by torch.load(weights_only=True), which builds tensors and plain containers and runs nothing else of a
pickle. Needs Python with PyTorch 2.6 or newer, and nothing besides.
"""
import argparse
import ctypes
import json
import math
import os
import re
import struct
import sys
import warnings

IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # RGB, of [0,255]
CENTERNET_MEAN, CENTERNET_STD = (0.408, 0.447, 0.470), (0.289, 0.274, 0.278)  # BGR, of [0,1]; its COCO data set's
BLOCKS = {(False, (2, 2, 2, 2)): "resnet18", (False, (3, 4, 6, 3)): "resnet34", (True, (3, 4, 6, 3)): "resnet50"}


class Refused(Exception):
    """What is wrong with the file, in one line, and what to do about it."""

    def __init__(self, what, hint=""):
        super().__init__(what + (f"\n  hint: {hint}" if hint else ""))


# ---- Reading

def load_tensors(path):
    """name -> tensor of a checkpoint, wherever it keeps its state dict."""
    try:
        import torch
    except ImportError as error:
        raise Refused(f"PyTorch is missing ({error})", "run it with a Python that has torch: pip install torch")
    if tuple(int(n) for n in re.findall(r"\d+", torch.__version__)[:2]) < (2, 6):
        raise Refused(f"PyTorch {torch.__version__} has a weights_only that can be tricked (CVE-2025-32434)",
                      "use 2.6 or newer")
    warnings.simplefilter("ignore")  # one error says it all
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise Refused(f"{path}: no such file")
    except Exception as error:  # whatever a damaged or hostile file makes of the unpickler
        raise Refused(f"{path}: not read, and nothing of it was run: {reason(error)}",
                      "it is damaged, or holds more than tensors; where you trust it, save its tensors alone: "
                      "torch.save(model.state_dict(), path)")
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise Refused(f"{path}: holds no state dict but a {type(loaded).__name__}")
    tensors = {}
    for name, value in loaded.items():
        if isinstance(name, str) and isinstance(value, torch.Tensor):
            check_tensor(path, name, value)
            tensors[name.removeprefix("module.")] = value.detach()
    if not tensors:
        raise Refused(f"{path}: holds no tensors by name")
    return tensors


def reason(error):
    """What the unpickler objects to, without PyTorch's advice to read the file unsafely."""
    forbidden = re.search(r"GLOBAL ([\w.]+)", str(error))
    if forbidden:
        return f"it asks for {forbidden.group(1)[:100]}, which is no tensor"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    unsupported = next((line for line in lines if line.startswith("Unsupported")), None)
    sentence = re.split(r"[.;] ", unsupported or lines[0])[0]
    return f"{type(error).__name__}: {sentence[:200]}"


def check_tensor(path, name, tensor):
    """Refuses a tensor that does not hold the values that its shape claims."""
    import torch
    shown = f"{path}: {name[:100]!r}"
    if tensor.device.type != "cpu" or tensor.layout != torch.strided:
        raise Refused(f"{shown} has no values in memory ({tensor.device.type}, {tensor.layout})",
                      "save the model's state_dict() after it was loaded onto the CPU")
    if tensor.is_quantized or tensor.is_complex():
        raise Refused(f"{shown} is of type {tensor.dtype}, which no weight here is")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise Refused(f"{shown} claims {tensor.numel()} values, but the file holds fewer",
                      "save it again after .contiguous()")


# ---- Names. Each project: its name as a pattern -> ours. What matches nothing is an error, but for what is ignored.

BACKBONE = [(r"(conv1|bn1|layer[1-4])\.(.+)", r"backbone.\1.\2")]
CENTERNET_HEADS = [(r"hm\.(0|2)\.(weight|bias)", r"heat.\1.\2"), (r"wh\.(0|2)\.(weight|bias)", r"wh.\1.\2"),
                   (r"reg\.(0|2)\.(weight|bias)", r"offset.\1.\2")]
CENTERNET_DCN = [(r"deconv_layers\.{0}\.conv_offset_mask\.(.+)", r"neck.stages.{stage}.conv.offset_mask.\1"),
                 (r"deconv_layers\.{0}\.(weight|bias)", r"neck.stages.{stage}.conv.\1"),
                 (r"deconv_layers\.{1}\.(.+)", r"neck.stages.{stage}.bn.\1"),
                 (r"deconv_layers\.{3}\.(.+)", r"neck.stages.{stage}.up.\1"),
                 (r"deconv_layers\.{4}\.(.+)", r"neck.stages.{stage}.up_bn.\1")]
CENTERNET_BARE = [(r"deconv_layers\.{0}\.(.+)", r"neck.stages.{stage}.up.\1"),
                  (r"deconv_layers\.{1}\.(.+)", r"neck.stages.{stage}.up_bn.\1")]
MMDET_NECK = [(r"neck\.deconv_layers\.{0}\.conv\.conv_offset\.(.+)", r"neck.stages.{stage}.conv.offset_mask.\1"),
              (r"neck\.deconv_layers\.{0}\.conv\.(.+)", r"neck.stages.{stage}.conv.\1"),
              (r"neck\.deconv_layers\.{0}\.bn\.(.+)", r"neck.stages.{stage}.bn.\1"),
              (r"neck\.deconv_layers\.{1}\.conv\.(.+)", r"neck.stages.{stage}.up.\1"),
              (r"neck\.deconv_layers\.{1}\.bn\.(.+)", r"neck.stages.{stage}.up_bn.\1")]
MMDET_HEADS = [(r"bbox_head\.heatmap_head\.(0|2)\.(.+)", r"heat.\1.\2"), (r"bbox_head\.wh_head\.(0|2)\.(.+)", r"wh.\1.\2"),
               (r"bbox_head\.offset_head\.(0|2)\.(.+)", r"offset.\1.\2")]
CENTERX_NECK = [(r"upsample\.deconv{n}\.dcn\.(?:offset_mask_conv|offset_conv)\.(.+)", r"neck.stages.{stage}.conv.offset_mask.\1"),
                (r"upsample\.deconv{n}\.dcn\.(?:dcnv2|dcn|conv)\.(.+)", r"neck.stages.{stage}.conv.\1"),
                (r"upsample\.deconv{n}\.dcn_bn\.(.+)", r"neck.stages.{stage}.bn.\1"),
                (r"upsample\.deconv{n}\.up_sample\.(.+)", r"neck.stages.{stage}.up.\1"),
                (r"upsample\.deconv{n}\.up_bn\.(.+)", r"neck.stages.{stage}.up_bn.\1")]
CENTERX_HEADS = [(rf"head\.{theirs}_head\.{layer}\.(.+)", rf"{ours}.{number}.\1")
                 for theirs, ours in (("cls", "heat"), ("wh", "wh"), ("reg", "offset"))
                 for layer, number in (("feat_conv", 0), ("out_conv", 2))]


def staged(rules, step):
    """The rules for each of three stages; {k} in a pattern is position k of a stage that has `step` positions."""
    out = []
    for stage in range(3):
        for pattern, ours in rules:
            pattern = re.sub(r"\{(\d)\}", lambda m: str(stage * step + int(m.group(1))), pattern)
            out.append((pattern.replace("{n}", str(stage + 1)), ours.replace("{stage}", str(stage))))
    return out


def rules_of(project, tensors):
    if project == "torchvision":
        return BACKBONE, [r"fc\."]
    prefixed = [("backbone\\." + pattern, ours) for pattern, ours in BACKBONE]
    if project == "centerx":
        return prefixed + staged(CENTERX_NECK, 0) + CENTERX_HEADS, [r"pixel_(mean|std)"]
    if project == "mmdet":
        return prefixed + staged(MMDET_NECK, 2) + MMDET_HEADS, [r"data_preprocessor\.", r"ema_"]
    bare = "deconv_layers.0.weight" in tensors and "deconv_layers.0.conv_offset_mask.weight" not in tensors and \
        "deconv_layers.9.weight" not in tensors
    neck = staged(CENTERNET_BARE, 3) if bare else staged(CENTERNET_DCN, 6)
    return BACKBONE + neck + CENTERNET_HEADS, []


def renamed(tensors, rules, ignored):
    out, unknown = {}, []
    for name, tensor in tensors.items():
        if any(re.match(pattern, name) for pattern in ignored):
            continue
        for pattern, ours in rules:
            match = re.fullmatch(pattern, name)
            if match:
                out[match.expand(ours)] = tensor
                break
        else:
            unknown.append(name)
    if unknown:
        raise Refused(f"{len(unknown)} names are not this project's, first {', '.join(sorted(unknown)[:4])}",
                      "is --from right? Heads without a hidden convolution (head_conv 0), other backbones and necks are "
                      "not known here: export the model to TorchScript or ONNX instead")
    return out


# ---- What the network is

def shape(tensors, name):
    if name not in tensors:
        raise Refused(f"lacks what becomes {name}", "is --from right? The network must have heat, wh and offset heads")
    return tuple(tensors[name].shape)


def backbone_of(tensors):
    counts = []
    for layer in range(1, 5):
        found = {int(m.group(1)) for m in (re.match(rf"backbone\.layer{layer}\.(\d+)\.", n) for n in tensors) if m}
        counts.append(len(found))
    bottleneck = "backbone.layer1.0.conv3.weight" in tensors
    name = BLOCKS.get((bottleneck, tuple(counts)))
    if name is None:
        raise Refused(f"the backbone has {counts} {'bottlenecks' if bottleneck else 'blocks'} in its stages",
                      "ResNet-18, -34 and -50 are known")
    return name, shape(tensors, "backbone.conv1.weight")[0]


def complete_neck(tensors):
    """Fills what our stages have and others leave out; returns the neck's name."""
    import torch
    kind = "deconv_bare"
    for stage in range(3):
        conv = f"neck.stages.{stage}.conv"
        if conv + ".weight" not in tensors:
            continue
        kind = "deconv"
        if conv + ".bias" not in tensors:  # a convolution before a normalisation needs none
            tensors[conv + ".bias"] = torch.zeros(tensors[conv + ".weight"].shape[0])
        offset = tensors.get(conv + ".offset_mask.weight")
        if offset is None:
            continue
        kind = "deconv_dcn"
        if offset.shape[0] == 18:  # offsets without a mask: one whose sigmoid is 1
            tensors[conv + ".offset_mask.weight"] = torch.cat([offset, torch.zeros(9, *offset.shape[1:])])
            bias = tensors[conv + ".offset_mask.bias"]
            tensors[conv + ".offset_mask.bias"] = torch.cat([bias, torch.full((9,), 100.0)])
    return kind


def spec_of(tensors, classes, size, mean, std):
    backbone, width = backbone_of(tensors)
    neck = complete_neck(tensors)
    channels = [shape(tensors, f"neck.stages.{stage}.up.weight")[1] for stage in range(3)]
    count, head_channels = shape(tensors, "heat.2.weight")[:2]
    if count != len(classes):
        raise Refused(f"detects {count} classes, but --classes names {len(classes)}",
                      "list them in the order of the training's categories")
    spec = {"format": "conclave.detector/1", "backbone": backbone, "width": str(width), "neck": neck,
            "neck_channels": ",".join(map(str, channels)), "skip": "false", "head_channels": str(head_channels),
            "classes": json.dumps(classes), "input_size": f"{size[0]},{size[1]}",
            "mean": ",".join(f"{v:.9g}" for v in mean), "std": ",".join(f"{v:.9g}" for v in std)}
    sizes = shape(tensors, "wh.2.weight")[0]
    if sizes == 2 * count and count > 1:
        spec["wh"] = "per_class"
    elif sizes != 2:
        raise Refused(f"wh has {sizes} channels for {count} classes")
    shape(tensors, "offset.2.weight")
    return spec


def to_rgb(tensors):
    """The same network for images whose channels come in the other order."""
    first = tensors["backbone.conv1.weight"]
    tensors["backbone.conv1.weight"] = first.flip(1)


def stated_normalisation(tensors):
    """mean and std for pixels in [0,255], in the order of the input's channels, where a checkpoint keeps them."""
    for prefix in ("pixel_", "data_preprocessor."):
        pair = [tensors.get(prefix + name) for name in ("mean", "std")]
        if any(tensor is None for tensor in pair):
            continue
        mean, std = ([float(value) for value in tensor.flatten()[:4]] for tensor in pair)
        if len(mean) != 3 or len(std) != 3 or not all(map(math.isfinite, mean + std)) or min(std) <= 0:
            raise Refused(f"{prefix}mean and {prefix}std are not three numbers each, std positive")
        scale = 255 if max(map(abs, mean)) <= 1 and max(std) <= 1 else 1  # of [0,1] or of [0,255]
        return [scale * value for value in mean], [scale * value for value in std]
    return None


# ---- Writing

def write_safetensors(path, tensors, metadata):
    import torch
    kinds = {torch.float32: "F32", torch.int64: "I64"}
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        tensor = tensors[name]
        tensor = (tensor.float() if tensor.is_floating_point() else tensor.long()).contiguous()
        blob = ctypes.string_at(tensor.data_ptr(), tensor.nbytes)
        header[name] = {"dtype": kinds[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    aside = f"{path}.tmp-{os.getpid()}"
    try:
        with open(aside, "xb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for blob in blobs:
                out.write(blob)
        os.link(aside, path)  # fails where something is
    except FileExistsError:
        raise Refused(f"{path}: already exists", "name another output")
    finally:
        if os.path.exists(aside):
            os.remove(aside)


def convert(tensors, project, classes, size):
    rules, ignored = rules_of(project, tensors)
    ours = renamed(tensors, rules, ignored)
    for name in [n for n in ours if n.endswith(".running_mean")]:  # older PyTorch did not count batches
        ours.setdefault(name.replace("running_mean", "num_batches_tracked"), ours[name].new_zeros(()).long())
    if project == "torchvision":
        backbone, width = backbone_of(ours)
        return ours, {"format": "conclave.backbone/1", "backbone": backbone, "width": str(width)}
    mean, std = stated_normalisation(tensors) or (IMAGENET_MEAN, IMAGENET_STD)
    if project == "centernet":
        to_rgb(ours)
        mean, std = ([255 * v for v in reversed(values)] for values in (CENTERNET_MEAN, CENTERNET_STD))
    return ours, spec_of(ours, classes, size, mean, std)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--from", dest="project", required=True, choices=["centerx", "centernet", "mmdet", "torchvision"])
    parser.add_argument("--classes", default="", help="comma-separated, in the order of the network's channels")
    parser.add_argument("--input", type=int, nargs=2, default=[512, 512], metavar=("WIDTH", "HEIGHT"),
                        help="the size it was trained at, multiples of 32 (512 512)")
    parser.add_argument("--out", required=True, help="a .safetensors file that does not exist yet")
    arguments = parser.parse_args()
    classes = [name.strip() for name in arguments.classes.split(",") if name.strip()]
    try:
        if arguments.project != "torchvision" and not classes:
            raise Refused("--classes is missing", "a checkpoint does not say what it detects")
        if len(set(classes)) != len(classes):
            raise Refused("--classes names a class twice")
        if any(side < 32 or side % 32 for side in arguments.input):
            raise Refused("--input must be multiples of 32")
        if os.path.exists(arguments.out):
            raise Refused(f"{arguments.out}: already exists", "name another output")
        tensors, metadata = convert(load_tensors(arguments.checkpoint), arguments.project, classes, arguments.input)
        write_safetensors(arguments.out, tensors, metadata)
    except Refused as error:
        print(f"import_checkpoint: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"import_checkpoint: {arguments.out}: can't be written: {error.strerror}", file=sys.stderr)
        return 1
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        first = str(error).strip().split("\n")[0][:200]
        print(f"import_checkpoint: {arguments.checkpoint}: its tensors have names, but not shapes or types, of this "
              f"project: {type(error).__name__}: {first}\n  hint: is --from right?", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {metadata['backbone']}, width {metadata['width']}" +
          (f", neck {metadata['neck']} {metadata['neck_channels']}" if "neck" in metadata else ", backbone alone"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
