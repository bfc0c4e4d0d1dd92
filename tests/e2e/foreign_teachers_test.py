"""Teachers that are not our weights: TorchScript and ONNX files, of other sizes and normalisation, from distill to eval."""
import os
import shutil
import signal
import subprocess
import unittest

import support

GOLDEN = os.path.join(support.ROOT, "tests", "golden", "foreign")

# The network of person and car, as exports of other sizes, colours, grids and outputs.
MERGE = """
_base_: merge.yaml
run: {folder}/{run}
training: {{steps: 8, checkpoint_every: 8}}
fusion: {{method: {method}}}
teachers:
  - name: script
    weights: {folder}/person-pt/model.pt
    classes: [person]
    format: {{input: [160, 192]}}
  - name: opencv
    weights: {folder}/car-onnx/model.onnx
    classes: [vehicle]
    map: {{vehicle: car}}
    format: {{outputs: {{heat: peaks}}, heat: probability, colour: bgr, mean: [0, 0, 0], std: [1, 1, 1], fit: stretch}}
  - name: own
    weights: {folder}/person/weights/best.safetensors
    format: {{input: [192, 192]}}
  - name: boxes
    weights: {folder}/car-boxes/model.pt
    classes: [car]
    format: {{kind: boxes, input: [128, 128], min_score: 0.01}}
"""
ONE = """
_base_: merge.yaml
run: {folder}/{run}
training: {{steps: 4, checkpoint_every: 4}}
service: {{source: local}}
teachers:
  - {teacher}
  - {{name: car, weights: {folder}/car/weights/best.safetensors}}
"""


def losses(path):
    """The loss of each step, from a trace."""
    with open(path) as lines:
        return [float.fromhex(line.split()[1]) for line in lines]


class ForeignTeachers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.f = support.fixture()
        cls.folder = cls.f.folder

        def export(name, out, *flags):
            support.run("export", cls.f.path(f"{name}/weights/best.safetensors"), "--out", cls.f.path(out), *flags,
                        check=True)
        export("person", "person-pt", "--format", "torchscript", "--size", 160, 192)
        export("person", "person-same", "--format", "torchscript", "--size", 128, 96)
        export("car", "car-onnx", "--format", "onnx", "--opset", 13, "--size", 192, 128, "--input", "bgr", "--outputs",
               "peaks")
        export("car", "car-boxes", "--format", "torchscript", "--size", 128, 128, "--outputs", "boxes")

    def merge(self, run, method="kd", *overrides):
        shutil.rmtree(self.f.path(run), ignore_errors=True)
        config = self.f.write(f"{run}.yaml", MERGE.format(folder=self.folder, run=run, method=method))
        return support.run("distill", config, *overrides)

    def one(self, run, teacher):
        shutil.rmtree(self.f.path(run), ignore_errors=True)
        config = self.f.write(f"{run}.yaml", ONE.format(folder=self.folder, run=run,
                                                        teacher=teacher.replace("FOLDER", self.folder)))
        return support.run("distill", config)

    def test_four_kinds_teach_one_student_and_local_ones_say_the_same(self):
        for run, override in (("foreign", "service.source=remote"), ("foreign-local", "service.source=local")):
            done = self.merge(run, "kd", override)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(os.path.exists(self.f.path(f"{run}/weights/best.safetensors")))
        self.assertEqual(self.f.trace("foreign"), self.f.trace("foreign-local"))
        for name in ("script", "opencv", "own", "boxes"):
            self.assertTrue(os.path.exists(self.f.path(f"foreign/workers/{name}.yaml")))

    def test_their_boxes_become_pseudo_labels(self):
        done = self.merge("foreign-pseudo", "pseudo", "fusion.pseudo.threshold=0.05")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_traced_copy_of_a_teacher_teaches_what_the_teacher_does(self):
        own = self.one("as-own", "{name: person, weights: FOLDER/person/weights/best.safetensors}")
        script = self.one("as-script", "{name: person, weights: FOLDER/person-same/model.pt, classes: [person]}")
        self.assertEqual((own.returncode, script.returncode), (0, 0), own.stderr + script.stderr)
        a, b = (losses(self.f.path(f"{run}/trace.txt")) for run in ("as-own", "as-script"))
        self.assertEqual((len(a), len(b)), (4, 4))
        for x, y in zip(a, b):
            self.assertLess(abs(x - y), 2e-3 * max(1, abs(x)))

    def test_a_worker_from_outside_brings_its_description(self):
        run = "outside"
        shutil.rmtree(self.f.path(run), ignore_errors=True)
        address = f"ipc://{self.folder}/outside.sock"
        config = self.f.write("outside.yaml", ONE.format(
            folder=self.folder, run=run, teacher="{name: person, classes: [person]}"))
        shutil.copy(self.f.path("person-pt/model.pt"), self.f.path("carried.pt"))
        self.f.write("person-teacher.yaml", "name: person\nweights: carried.pt\nclasses: [person]\nformat: {input: [160, 192]}\n")
        trainer = subprocess.Popen([support.BINARY, "distill", config, "service.source=remote", "service.spawn=false",
                                    f"service.bind={address}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        workers = [subprocess.Popen([support.BINARY, "teach", "--connect", address, *words], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, text=True)
                   for words in (["--teacher", self.f.path("person-teacher.yaml")],
                                 ["--name", "car", "--weights", self.f.path("car/weights/best.safetensors")])]
        try:
            text, _ = trainer.communicate(timeout=240)
            self.assertEqual(trainer.returncode, 0, text)
        finally:
            for process in (trainer, *workers):
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.wait(timeout=60)
                for stream in (process.stdout, process.stderr):
                    if stream:
                        stream.close()

    def test_bad_files_and_descriptions_give_one_error_before_anything_starts(self):
        with open(self.f.path("person-pt/model.pt"), "rb") as whole, open(self.f.path("short.pt"), "wb") as short:
            short.write(whole.read()[:5000])
        script = "weights: FOLDER/person-pt/model.pt, classes: [person]"
        cases = [
            (f"{script}, format: {{input: [160, 192], heat: probability}}", "format.heat"),
            (f"{script}, format: {{input: [160, 192], outputs: {{heat: 1, wh: 0}}}}", "classes: heat must be (1,1,h,w)"),
            (f"{script}, format: {{input: [160, 192], outputs: {{offset: nothing}}}}",
             "format.outputs"),
            (f"{script}, format: {{input: [160, 192], stride: 8}}", "format.stride"),
            ("weights: FOLDER/person-pt/model.pt", "classes: is missing"),
            ("weights: FOLDER/short.pt, classes: [person]", "damaged or truncated"),
            (f"weights: {GOLDEN}/external_outside.onnx, classes: [person]", "outside of its folder"),
            (f"weights: {GOLDEN}/unknown_operator.onnx, classes: [person]", "NonMaxSuppression"),
            (f"weights: {GOLDEN}/heads.onnx, classes: [person]", "classes: heat must be (1,1,h,w)"),
            ("weights: FOLDER/model.pth, classes: [person]", "scripts/import_checkpoint.py"),
        ]
        for words, expected in cases:
            with self.subTest(expected):
                done = self.one("refused", "{name: stranger, " + words + "}")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("teacher stranger", done.stderr)
                self.assertIn(expected, done.stderr)
                self.assertEqual(done.stderr.count("conclave: "), 1, done.stderr)
                self.assertFalse(os.path.exists(self.f.path("refused/weights")))


if __name__ == "__main__":
    unittest.main()
