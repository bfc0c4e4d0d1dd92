#!/usr/bin/env python3
"""Writes the seeds under corpus/: a few valid files, records and frames each (PROTOCOL.md, safetensors)."""
import json
import pathlib
import struct

corpus = pathlib.Path(__file__).parent / "corpus"


def write(fuzzer, name, data):
    folder = corpus / fuzzer
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def tensor_header(tensors, metadata=None):
    header, offset = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, dtype, shape, size in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    return json.dumps(header, separators=(",", ":")).encode(), offset


def tensor_files():
    cases = {
        "empty": ([], None),
        "metadata": ([], {"format": "pt", "schema": "1"}),
        "two": ([("a", "F32", [2, 2], 16), ("b", "I64", [1], 8)], None),
        "kinds": ([("b", "BOOL", [3], 3), ("c", "U8", [], 1), ("d", "I8", [0, 5], 0), ("e", "F16", [4], 8),
                   ("f", "BF16", [2], 4), ("g", "F64", [1], 8)], {"x": "\u00e9\n"}),
        "small": ([("i", "I16", [2], 4), ("j", "I32", [1, 1, 1], 4)], None),
    }
    for name, (tensors, metadata) in cases.items():
        header, size = tensor_header(tensors, metadata)
        write("fuzz_tensor_file", name, struct.pack("<Q", len(header)) + header + bytes(range(size)))
        write("fuzz_tensor_file", name + "_header", header)


def crc32c(data, seed=0):
    crc = seed ^ 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def records():
    # flags, channels, height, width; per channel: count, runs, halves; then the box cells and boxes. Runs as
    # 2 * gap + long, and length - 2 when long.
    half = struct.Struct("<e").pack
    one = bytes([1, 2 * 5]) + half(1.5)
    run = bytes([4, 2 * 3 + 1, 2]) + b"".join(map(half, (-2, 0.25, 3, -1)))
    boxes = bytes([2, 2 * 1, 2 * 4]) + b"".join(map(half, (3, 4, 0.5, 0.25) * 2))
    bodies = {
        "empty": struct.pack("<BHHH", 0, 0, 1, 1) + b"\0",
        "one": struct.pack("<BHHH", 0, 1, 4, 4) + one + b"\0",
        "three": struct.pack("<BHHH", 0, 3, 96, 128) + one + run + b"\0" + boxes,
    }
    for name, body in bodies.items():
        whole = b"CSTR\x01" + body
        write("fuzz_record", name + "_body", body)
        write("fuzz_record", name, whole + struct.pack("<I", crc32c(whole)))


def frames():
    def text(value):
        return struct.pack("<H", len(value)) + value.encode()

    def teacher(name, *classes):
        return (text(name) + text("ab12") + struct.pack("<HBBH", 2, 1, 0, len(classes))
                + b"".join(text(one) for one in classes))

    def view(image, path, content=None):
        inline = b"\0" if content is None else b"\1" + struct.pack("<I", len(content)) + content
        further = b"\1" + struct.pack("<II", 320, 200) + text("b.jpg") + b"\0" if image == 6 else b"\0"
        return struct.pack("<IIQII", 0, image, 77, 640, 480) + text(path) + inline + further

    bodies = {
        1: struct.pack("<Q", 7) + text("host 1") + struct.pack("<H", 2) + teacher("wbc", "WBC", "RBC") + teacher("car", "car"),
        2: struct.pack("<QIdII8d", 9, 1 << 24, 1.0, 512, 384, 0.5, 0.6, 1.4, 0.1, 0.2, 0.2, 0.2, 0.3)
        + struct.pack("<14d", 0.1, 0.2, 0.5, 0.5, 2, 0.5, 0.02, 0.2, 0.5, 0.5, 1, 0.5, 0.3, 0.5)
        + struct.pack("<fBf", 0.05, 1, 0.2),
        3: text("no such teacher\ntry another"),
        4: struct.pack("<QQQ", 9, 3, 1 << 20),
        5: struct.pack("<QQQQHH", 9, 1, 1, 2, 1, 2) + view(5, "images/a.jpg") + view(6, "images/b.jpg", b"\xff\xd8 bytes"),
        6: struct.pack("<QQQH", 9, 1, 2, 2) + struct.pack("<I", 3) + b"abc" + struct.pack("<I", 0),
        7: struct.pack("<QQQH", 9, 1, 2, 0) + text("can't read images/a.jpg"),
        8: struct.pack("<QQH", 9, 4, 2) + text("tcp://a:5000") + text("tcp://b:5000"),
        9: b"",
        10: b"",
    }
    for kind, body in bodies.items():
        inner = struct.pack("<BB", kind, 0) + body
        write("fuzz_frame", f"type{kind}", b"CNCL" + struct.pack("<H", 4) + inner)
        write("fuzz_frame", f"type{kind}_body", inner)


def segments():  # src/store/STORE.md
    def record(kind, number, key, payload):
        header = struct.pack("<IBBH", len(payload), kind, 0, number) + key
        header += struct.pack("<I", crc32c(header))
        return header + payload + struct.pack("<I", crc32c(payload, crc32c(header[:24])))

    header = b"CSEG" + struct.pack("<HHQ", 1, 0, 1767225600)
    header += struct.pack("<I", crc32c(header))
    body = record(1, 0, bytes(16), b'{"teacher":"wbc","hash":"ab12"}')
    body += b"".join(record(2, 0, bytes([n]) * 16, bytes(range(20 * n))) for n in range(3))
    write("fuzz_segment", "empty", header)
    write("fuzz_segment", "three", header + body)
    write("fuzz_segment", "three_body", body)
    write("fuzz_segment", "torn", header + body[:-7])
    write("fuzz_segment", "damaged", header + body[:70] + b"?" + body[71:])
    write("fuzz_segment", "pieces", b"\x01\x03abc\x02\x05xxxxx\x01\x00\x03\x04wxyz")


tensor_files()
records()
segments()
frames()
