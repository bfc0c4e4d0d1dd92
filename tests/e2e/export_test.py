"""Every export says what its source says, and the examples written beside it find predict's boxes.

What runs in Python is tried in an environment of its own (python_environment.py). CONCLAVE_TEST_CONVERTERS=1 also installs
OpenVINO, pnnx and ncnn.
"""
import json
import os
import shutil
import struct
import subprocess
import unittest

from python_environment import make_environment, torch_environment
from support import fixture, read_header, run, write_header

CONVERTERS = os.environ.get("CONCLAVE_TEST_CONVERTERS") == "1"
PACKAGES = ["numpy", "onnx", "onnxruntime", "opencv-python-headless<4.12"]
_environment = None


def python():
    """An interpreter with PACKAGES, made once; skips the test where there is none."""
    global _environment
    if _environment is None:
        try:
            _environment = make_environment(PACKAGES + (["openvino", "ncnn", "pnnx"] if CONVERTERS else []))
        except unittest.SkipTest as skip:
            _environment = skip
    if isinstance(_environment, unittest.SkipTest):
        raise _environment
    return _environment


def with_confident_heads(source, target):
    """The weights with a heat bias so high that a few steps of training give boxes above predict's threshold."""
    header, data = read_header(source)
    data = bytearray(data)
    begin, end = header["heat.2.bias"]["data_offsets"]
    bias = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
    data[begin:end] = struct.pack(f"<{len(bias)}f", *(value + 2 for value in bias))
    write_header(target, header, bytes(data))


class Export(unittest.TestCase):
    def setUp(self):
        self.fixture = fixture()
        self.folder = self.fixture.folder
        self.weights = f"{self.folder}/confident.safetensors"
        if not os.path.exists(self.weights):
            with_confident_heads(f"{self.folder}/person/weights/best.safetensors", self.weights)
        self.images = f"{self.folder}/data/test/images"
        self.pictures = [os.path.join(self.images, name) for name in sorted(os.listdir(self.images))]

    def export(self, name, *args, interpreter="/nowhere/python3", check=True):
        out = f"{self.folder}/{name}"
        shutil.rmtree(out, ignore_errors=True)
        done = run("export", self.weights, "--out", out, "--images", self.images, "--python", interpreter, *args,
                   check=check)
        return out, done

    def about(self, out):
        with open(f"{out}/model.json") as text:
            return json.load(text)

    def predicted(self):
        """predict's boxes as rows of image, class, score, x, y, w, h."""
        out = f"{self.folder}/export-predicted"
        if not os.path.exists(out):
            run("predict", self.images, "--weights", self.weights, "--out", out, check=True)
        with open(f"{out}/detections.json") as text:
            images = json.load(text)["images"]
        return [(os.path.basename(image["image"]), found["class"], found["score"], *found["bbox"])
                for image in images for found in image["detections"]]

    def assert_finds_the_same(self, command, out, env=None):
        done = subprocess.run([*command, *self.pictures], cwd=out, env=env, capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = []
        for line in done.stdout.splitlines():
            path, cls, numbers = line.split("\t", 2)
            rows.append((os.path.basename(path), cls, *map(float, numbers.split())))
        wanted = self.predicted()
        self.assertGreater(len(wanted), 8)
        # One whose score is the threshold's may be on either side of it.
        near = [row for row in rows if row[2] > 0.301]
        self.assertGreaterEqual(len(rows), len([row for row in wanted if row[2] > 0.301]))
        for row in near:
            best = min((max(map(abs, (a - b for a, b in zip(row[3:], other[3:])))), abs(row[2] - other[2]))
                       for other in wanted if other[:2] == row[:2])
            self.assertLess(best[0], 0.05, row)
            self.assertLess(best[1], 1e-3, row)
        self.assertTrue(os.path.exists(f"{out}/{os.path.splitext(os.path.basename(self.pictures[0]))[0]}.boxes.jpg"))

    def test_the_list_names_every_format(self):
        text = run("export", "--list", check=True).stdout
        for name in ("onnx", "torchscript", "caffe", "tensorrt", "openvino", "ncnn"):
            self.assertRegex(text, rf"(?m)^{name}\b")

    def test_an_export_states_what_it_takes_and_how_it_was_verified(self):
        out, done = self.export("export-torchscript", "--format", "torchscript", "--outputs", "boxes", "--input", "rgb")
        about = self.about(out)
        self.assertEqual(about["classes"], ["person"])
        self.assertEqual(about["outputs"], ["boxes", "scores", "classes"])
        self.assertEqual(about["input_type"], "uint8")
        (checked,) = about["verified"]
        self.assertIn("LibTorch", checked["runtime"])
        self.assertGreater(checked["peaks"], 0)
        self.assertEqual(checked["peaks_missing"] + checked["peaks_new"], 0)
        self.assertEqual({look["batch"] for look in checked["looks"]}, {1, 7})
        self.assertEqual(len({look["width"] for look in checked["looks"]}), 2)

    def test_ap_of_an_export_is_its_sources(self):
        out, done = self.export("export-ap", "--format", "torchscript", "--annotations",
                                f"{self.folder}/data/test/annotations.json")
        (checked,) = self.about(out)["verified"]
        self.assertAlmostEqual(checked["ap"], checked["source_ap"], places=6)

    def test_the_runs_own_images_or_drawn_ones_do_without_others(self):
        for weights, where in ((f"{self.folder}/person/weights/best.safetensors", "data/test/images"),
                               (self.weights, "drawn")):
            out = f"{self.folder}/export-own"
            shutil.rmtree(out, ignore_errors=True)
            run("export", weights, "--format", "torchscript", "--out", out, check=True)
            self.assertIn(where, self.about(out)["verified"][0]["on"])

    def test_the_cpp_example_finds_predicts_boxes(self):
        compiler = shutil.which("g++")
        if compiler is None or not os.path.exists("/usr/include/opencv4/opencv2/dnn.hpp"):
            self.skipTest("needs g++ and OpenCV's headers")
        for name, args in (("export-caffe", ("--format", "caffe", "--input", "bgr", "--outputs", "peaks")),
                           ("export-opencv", ("--format", "onnx", "--opset", 13))):
            out, done = self.export(name, *args)
            self.assertIn("OpenCV", self.about(out)["verified"][0]["runtime"])
            subprocess.run([compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", "example.cpp", "-o", "example",
                            "-isystem", "/usr/include/opencv4", "-lopencv_dnn", "-lopencv_imgcodecs", "-lopencv_imgproc",
                            "-lopencv_core"], cwd=out, check=True, timeout=400)
            self.assert_finds_the_same(["./example"], out)

    def test_onnx_passes_the_checker_and_equals_its_source_in_onnxruntime(self):
        for args in (("--outputs", "heads", "--dynamic-batch", "--dynamic-size"),
                     ("--outputs", "peaks", "--exact-peaks", "--input", "bgr", "--opset", 13),
                     ("--outputs", "boxes", "--input", "rgb", "--dynamic-batch", "--dynamic-size", "--batch", 2),
                     ("--outputs", "heads", "--fp16"),
                     ("--outputs", "boxes", "--batch", 3)):
            out, done = self.export("export-onnx", "--format", "onnx", *args, interpreter=python())
            checked = self.about(out)["verified"][-1]
            self.assertIn("onnxruntime", checked["runtime"])
            self.assertIn("checked by onnx", checked["runtime"])
            if "--fp16" not in args and "--outputs" in args and args[1] == "heads":
                self.assertLess(checked["largest_difference"]["heat"], 1e-4)
            self.assertEqual(checked["peaks_missing"] + checked["peaks_new"], 0, args)
            if "--dynamic-batch" in args:
                self.assertLessEqual({1, 7}, {look["batch"] for look in checked["looks"]})
                self.assertEqual(len({(look["width"], look["height"]) for look in checked["looks"]}), 2)

    def test_onnx_metadata_says_classes_input_and_normalisation(self):
        out, done = self.export("export-metadata", "--format", "onnx", interpreter=python())
        code = ("import onnx, json; m = onnx.load('model.onnx'); print(json.dumps([{p.key: p.value for p in "
                "m.metadata_props}, m.opset_import[0].version, [o.name for o in m.graph.output]]))")
        text = subprocess.run([python(), "-c", code], cwd=out, capture_output=True, text=True, check=True).stdout
        metadata, opset, outputs = json.loads(text)
        self.assertEqual(json.loads(metadata["classes"]), ["person"])
        self.assertEqual(json.loads(metadata["mean"]), self.about(out)["mean"])
        self.assertEqual(metadata["input"], "normalised")
        self.assertEqual((opset, outputs), (17, ["heat", "wh", "offset"]))

    def test_the_python_example_finds_predicts_boxes(self):
        for args in ((), ("--outputs", "boxes", "--input", "rgb", "--dynamic-batch"), ("--outputs", "peaks", "--batch", 2)):
            out, done = self.export("export-example", "--format", "onnx", *args, interpreter=python())
            self.assert_finds_the_same([python(), "example.py"], out)

    def test_the_torchscript_example_finds_predicts_boxes_in_plain_pytorch(self):
        environment = torch_environment(python())
        out, done = self.export("export-plain", "--format", "torchscript", "--input", "bgr")
        self.assert_finds_the_same([python(), "example.py"], out, environment)

    def test_openvino_and_ncnn_equal_their_source(self):
        if not CONVERTERS:
            self.skipTest("CONCLAVE_TEST_CONVERTERS=1 installs OpenVINO, pnnx and ncnn and tries them")
        for name, args in (("openvino", ("--dynamic-batch", "--dynamic-size", "--input", "bgr")), ("ncnn", ()),
                           ("ncnn", ("--outputs", "peaks", "--input", "rgb"))):
            out, done = self.export(f"export-{name}", "--format", name, *args, interpreter=python())
            (checked,) = self.about(out)["verified"]
            self.assertEqual(checked["peaks_missing"] + checked["peaks_new"], 0)
            self.assert_finds_the_same([python(), "example.py"], out)

    def test_tensorrt_gets_a_script_and_a_note(self):
        out, done = self.export("export-trt", "--format", "tensorrt", "--dynamic-batch", "--fp16", "--batch", 4)
        with open(f"{out}/build_engine.sh") as text:
            script = text.read()
        self.assertIn("--minShapes=images:1x3x96x128", script)
        self.assertIn("--optShapes=images:4x3x96x128", script)
        self.assertIn("--fp16", script)
        self.assertIn("has not run TensorRT", script.replace("\n# ", " "))
        subprocess.run(["sh", "-n", "build_engine.sh"], cwd=out, check=True)

    def test_what_a_format_lacks_is_one_clear_error(self):
        for args, word in ((("--format", "onx"), "onnx"), (("--format", "caffe", "--dynamic-batch"), "dynamic"),
                           (("--format", "caffe", "--outputs", "boxes"), "boxes"), (("--opset", 12), "opset"),
                           (("--size", 100, 96), "32")):
            out, done = self.export("export-wrong", *args, check=False)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(word, done.stderr)
            self.assertFalse(os.path.exists(out))
        out, done = self.export("export-wrong", "--format", "ncnn", check=False)
        if done.returncode != 0:
            self.assertIn("pip install pnnx", done.stderr)
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("export-wrong.tmp")], [])

    def test_relative_paths_and_a_trailing_slash_are_as_a_person_means_them(self):
        name = "export-slash"
        shutil.rmtree(f"{self.folder}/{name}", ignore_errors=True)
        os.makedirs(f"{self.folder}/tools/bin", exist_ok=True)
        with open(f"{self.folder}/tools/bin/python", "w") as script:
            script.write("#!/bin/sh\necho no runtime here\nexit 3\n")
        os.chmod(f"{self.folder}/tools/bin/python", 0o755)
        done = run("export", self.weights, "--format", "onnx", "--out", f"{name}/", "--images", self.images, "--python",
                   "tools/bin/python", cwd=self.folder, check=True)
        self.assertIn("tools/bin/python: no runtime here", done.stderr)
        self.assertTrue(os.path.exists(f"{self.folder}/{name}/model.onnx"))
        self.assertEqual([n for n in os.listdir(self.folder) if n.startswith(name + ".tmp") or n.startswith(".tmp")], [])

    def test_thresholds_of_the_weights_go_with_every_export(self):
        header, data = read_header(self.weights)
        header["__metadata__"]["thresholds"] = json.dumps({"person": 0.35})
        ready = f"{self.folder}/ready.safetensors"
        write_header(ready, header, data)
        for kind in ("torchscript", "onnx", "caffe"):
            out = f"{self.folder}/export-ready-{kind}"
            shutil.rmtree(out, ignore_errors=True)
            run("export", ready, "--format", kind, "--out", out, "--no-verify", "--opset", 13, check=True)
            self.assertEqual(self.about(out)["thresholds"], {"person": 0.35})
            run("predict", self.pictures[0], "--weights", out, "--out", f"{out}/seen", "--no-pictures", check=True)
            with open(f"{out}/seen/detections.json") as text:
                self.assertEqual(json.load(text)["thresholds"], {"person": 0.35})

    def test_nothing_is_overwritten(self):
        out, done = self.export("export-once", "--format", "torchscript", "--no-verify")
        before = sorted(os.listdir(out))
        again = run("export", self.weights, "--format", "caffe", "--out", out)
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("already exists", again.stderr)
        self.assertEqual(sorted(os.listdir(out)), before)


if __name__ == "__main__":
    unittest.main()
