"""What the end-to-end tests share: a tiny drawn data set, two tiny teachers, and a way to run the program.

Standard library only. The program is named by CONCLAVE_BINARY; everything is made once in a folder of its own.
"""
import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

BINARY = os.environ["CONCLAVE_BINARY"]
SHARED = os.environ.get("CONCLAVE_SHARED", "")
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
_fixture = None


def run(*args, cwd=None, check=False, timeout=240, env=None):
    """Runs conclave with these arguments; returns the finished process with text output."""
    done = subprocess.run([BINARY, *map(str, args)], cwd=cwd, timeout=timeout, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(env or {})})
    if check and done.returncode != 0:
        raise AssertionError(f"conclave {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


BASE = """
classes: [person, car]
model: {{backbone: resnet18, width: 8, neck_channels: [16, 16, 16], skip: true, head_channels: 16, input: [128, 96]}}
training: {{batch: 4, steps: 12, warmup: 2, lr: 1e-3, threads: 1, window: 16, log_every: 4, checkpoint_every: 4, bf16: false}}
data:
  test: {{name: test, images: {folder}/data/test/images, annotations: {folder}/data/test/annotations.json}}
"""
TRAIN = """
_base_: base.yaml
run: {folder}/{cls}
classes: [{cls}]
data:
  train: [{{name: {cls}, images: {folder}/data/{cls}/images, annotations: {folder}/data/{cls}/annotations.json, labelled: [{cls}]}}]
fusion: {{method: labels}}
"""
MERGE = """
_base_: base.yaml
run: {folder}/merged
data:
  train:
    - {{name: person, images: {folder}/data/person/images}}
    - {{name: car, images: {folder}/data/car/images}}
teachers:
  - {{name: person, weights: {folder}/person/weights/best.safetensors}}
  - {{name: car, weights: {folder}/car/weights/best.safetensors}}
fusion: {{method: kd}}
"""


class Fixture:
    """folder/data/{person,car,test}, folder/{person,car} teachers, folder/*.yaml."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="conclave-e2e-")
        for name, images, labelled in (("person", 16, ["person"]), ("car", 16, ["car"]), ("test", 8, [])):
            run("data", "synth", "--out", f"{self.folder}/data/{name}", "--images", images, "--size", 128, 96,
                "--seed", len(name), *(["--labelled", *labelled] if labelled else []), check=True)
        self.write("base.yaml", BASE.format(folder=self.folder))
        for cls in ("person", "car"):
            self.write(f"{cls}.yaml", TRAIN.format(folder=self.folder, cls=cls))
            run("train", self.path(f"{cls}.yaml"), check=True)
        self.write("merge.yaml", MERGE.format(folder=self.folder))

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as out:
            out.write(text)
        return self.path(name)

    def trace(self, run_name):
        with open(os.path.join(self.folder, run_name, "trace.txt")) as lines:
            return lines.read()


def fixture():
    global _fixture
    if _fixture is None:
        _fixture = Fixture()
        unittest.addModuleCleanup(shutil.rmtree, _fixture.folder, ignore_errors=True)
    return _fixture


def read_header(path):
    with open(path, "rb") as weights:
        (length,) = struct.unpack("<Q", weights.read(8))
        return json.loads(weights.read(length)), weights.read()


def write_header(path, header, data):
    text = json.dumps(header).encode()
    with open(path, "wb") as weights:
        weights.write(struct.pack("<Q", len(text)) + text + data)
