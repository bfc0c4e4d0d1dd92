#!/usr/bin/env python3
"""Writes the small ONNX and TorchScript files of tests/golden/foreign. Needs numpy, onnx, torch and torchvision.

heads.onnx takes images (1,3,64,96); heat `hm` (two classes), `size` and `reg` are 1x1 convolutions of the mean of each
4x4 block, so that the test can compute them by itself. list_nms.pt has the form of torchvision's detectors. The others
are what must be refused.
"""
import pathlib
from typing import Dict, List

import numpy as np
import onnx
import torch
import torchvision
from onnx import TensorProto, helper, numpy_helper

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "foreign"


def weights(rows, cols, first):
    values = [((first + i) * 37 % 101 - 50) / 400 for i in range(rows * cols)]
    return np.array(values, np.float32).reshape(rows, cols, 1, 1)


def heads_graph(extra_nodes=(), extra_weights=()):
    nodes = [helper.make_node("AveragePool", ["images"], ["blocks"], kernel_shape=[4, 4], strides=[4, 4])]
    initializers, outputs = list(extra_weights), []
    for name, channels, first, bias in (("size", 2, 20, 3.0), ("hm", 2, 0, -2.0), ("reg", 2, 40, 0.5)):
        initializers.append(numpy_helper.from_array(weights(channels, 3, first), name + ".weight"))
        initializers.append(numpy_helper.from_array(np.full(channels, bias, np.float32), name + ".bias"))
        nodes.append(helper.make_node("Conv", ["blocks", name + ".weight", name + ".bias"], [name], name="conv_" + name,
                                     kernel_shape=[1, 1]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 16, 24]))
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 96])
    return helper.make_graph(nodes + list(extra_nodes), "heads", [image], outputs, initializers)


def save(name, graph):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="make_foreign_files")
    model.ir_version = 7
    (OUT / name).write_bytes(model.SerializeToString())


def external(path):
    tensor = TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=path)
    return tensor


OUT.mkdir(parents=True, exist_ok=True)
save("heads.onnx", heads_graph())
save("external_inside.onnx", heads_graph(extra_weights=[external("weights.bin")]))
save("external_outside.onnx", heads_graph(extra_weights=[external("../../../etc/passwd")]))
save("unknown_operator.onnx", heads_graph([helper.make_node("NonMaxSuppression", ["hm", "size"], ["kept"]),
                                           helper.make_node("Evil", ["hm"], ["x"], domain="my.own")]))
branch = helper.make_graph([], "branch", [], [])
save("branch.onnx", heads_graph([helper.make_node("Identity", ["hm"], ["y"], body=branch)]))
short = numpy_helper.from_array(np.zeros(4, np.float32), "short")
short.dims[0] = 4000000
save("short_weight.onnx", heads_graph(extra_weights=[short]))


class ListNms(torch.nn.Module):
    def forward(self, images: List[torch.Tensor]) -> List[Dict[str, torch.Tensor]]:
        boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [20.0, 0.0, 30.0, 10.0]])
        scores = torch.tensor([0.5, 0.9, 0.7])
        kept = torch.ops.torchvision.nms(boxes, scores, 0.5)
        return [{"boxes": boxes[kept], "scores": scores[kept], "labels": torch.ones_like(kept)}]


torch.jit.script(ListNms()).save(str(OUT / "list_nms.pt"))
