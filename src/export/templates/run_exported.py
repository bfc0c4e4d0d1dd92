"""Runs an exported file on tensors: how conclave export checks a file in a runtime that speaks Python.

    run_exported.py RUNTIME MODEL OUTPUTS BATCH INPUT OUTPUT     INPUT and OUTPUT are safetensors files
    run_exported.py RUNTIME --probe                              exit status 3: this Python lacks it

RUNTIME: onnxruntime, openvino or ncnn. OUTPUTS: the outputs' names in their order, with commas. Its last line says
which version ran.
"""
import json
import struct
import sys


def read_tensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), file.read()
    types = {"F32": np.float32, "U8": np.uint8, "I64": np.int64}
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], types[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items() if name != "__metadata__"}


def write_tensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        kind = "I64" if tensor.dtype.kind == "i" else "F32"
        raw = np.ascontiguousarray(tensor, np.int64 if kind == "I64" else np.float32).tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def open_onnxruntime(model, outputs):
    checked = ""
    try:
        import onnx
        onnx.checker.check_model(onnx.load(model), full_check=True)
        checked = f", checked by onnx {onnx.__version__}"
    except ImportError:
        pass
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(outputs, {"images": images}), f"onnxruntime {onnxruntime.__version__}{checked}"


def open_openvino(model, outputs):
    core = openvino.Core()
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def call(images):
        result = compiled([images])
        return [result[name] for name in outputs]
    return call, f"OpenVINO {openvino.__version__.split('-')[0]}"


def open_ncnn(model, outputs):
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    for part in ("packed", "storage", "arithmetic"):
        setattr(net.opt, f"use_fp16_{part}", False)
        if hasattr(net.opt, f"use_bf16_{part}"):
            setattr(net.opt, f"use_bf16_{part}", False)
    if net.load_param(model) != 0 or net.load_model(model.replace(".param", ".bin")) != 0:
        sys.exit(f"ncnn can't load {model}")

    def call(images):  # one image at a time; pnnx names inputs and outputs in0, out0, out1 ...
        results = []
        for image in images:
            extractor = net.create_extractor()
            held = np.ascontiguousarray(image, np.float32)  # ncnn.Mat does not keep its array alive
            extractor.input("in0", ncnn.Mat(held))
            results.append([np.array(extractor.extract(f"out{i}")[1]) for i in range(len(outputs))])
        return [np.stack([result[i] for result in results]) for i in range(len(outputs))]
    return call, f"ncnn {ncnn.__version__}"


runtime = sys.argv[1]
try:
    import numpy as np
    globals()[runtime] = __import__(runtime)
except ImportError as missing:
    print(missing)
    sys.exit(3)
if sys.argv[2] != "--probe":
    model, names, batch, source, target = sys.argv[2:]
    names = names.split(",")
    call, version = globals()[f"open_{runtime}"](model, names)
    images = read_tensors(source)["images"]
    parts = [call(images[i:i + int(batch)]) for i in range(0, len(images), int(batch))]
    write_tensors(target, {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)})
    print(version)
