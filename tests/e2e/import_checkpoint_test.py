"""scripts/import_checkpoint.py on other projects' checkpoints, and on files that are none.

Needs a Python with PyTorch: this one, CONCLAVE_TORCH_PYTHON, or the one that `scripts/setup --dev` makes.
"""
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import unittest

import support

SCRIPT = os.path.join(support.ROOT, "scripts", "import_checkpoint.py")
GOLDEN = os.path.join(support.ROOT, "tests", "golden", "imported")


def python_with_torch():
    cache = os.environ.get("CONCLAVE_CACHE", os.path.expanduser("~/.cache/conclave"))
    for python in (os.environ.get("CONCLAVE_TORCH_PYTHON"), os.path.join(cache, "python", "bin", "python"), sys.executable):
        if python and os.path.exists(python):
            done = subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                return python
    return None


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (self.target, "w"))


class ImportCheckpoint(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.python = python_with_torch()
        if cls.python is None:
            raise unittest.SkipTest("no Python with PyTorch: run scripts/setup --dev or set CONCLAVE_TORCH_PYTHON")
        cls.folder = tempfile.mkdtemp(prefix="conclave-import-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_import(self, checkpoint, project, out, classes="a,b,c", size=(96, 64)):
        return subprocess.run([self.python, SCRIPT, checkpoint, "--from", project, "--classes", classes, "--input",
                               *map(str, size), "--out", self.path(out)], capture_output=True, text=True, timeout=300)

    def refused(self, done, *words):
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_every_project_gives_the_weights_that_are_known_to_compute_its_heads(self):
        for name in sorted(os.listdir(GOLDEN)):
            if not name.endswith(".pth"):
                continue
            name = name[:-4]
            done = self.run_import(os.path.join(GOLDEN, name + ".pth"), name.split("_")[0], name + ".safetensors")
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(self.path(name + ".safetensors"), "rb") as ours, \
                    open(os.path.join(GOLDEN, name + ".safetensors"), "rb") as golden:
                self.assertEqual(ours.read(), golden.read(), name)

    def test_a_hostile_pickle_is_refused_and_not_run(self):
        target = self.path("written")
        with open(self.path("evil.pth"), "wb") as out:
            pickle.dump({"state_dict": Evil(target)}, out)
        self.refused(self.run_import(self.path("evil.pth"), "centernet", "evil.safetensors"), "nothing of it was run")
        self.assertFalse(os.path.exists(target))
        self.assertFalse(os.path.exists(self.path("evil.safetensors")))

    def test_a_truncated_file_and_wrong_words_give_one_error(self):
        good = os.path.join(GOLDEN, "centerx_dcn18.pth")
        with open(good, "rb") as whole, open(self.path("short.pth"), "wb") as out:
            out.write(whole.read()[:50000])
        self.refused(self.run_import(self.path("short.pth"), "centerx", "x.safetensors"), "not read")
        self.refused(self.run_import(self.path("absent.pth"), "centerx", "x.safetensors"), "no such file")
        self.refused(self.run_import(good, "mmdet", "x.safetensors"), "is --from right?")
        self.refused(self.run_import(good, "centerx", "x.safetensors", classes="a,b"), "detects 3 classes")
        self.refused(self.run_import(good, "centerx", "x.safetensors", size=(100, 64)), "multiples of 32")
        with open(self.path("there.safetensors"), "w") as out:
            out.write("mine")
        self.refused(self.run_import(good, "centerx", "there.safetensors"), "already exists")
        with open(self.path("there.safetensors")) as kept:
            self.assertEqual(kept.read(), "mine")

    def test_a_classifier_becomes_the_start_of_a_training(self):
        code = ("import torch, sys; sd = torch.load(sys.argv[1], weights_only=True)['model']; "
                "out = {n[9:]: t for n, t in sd.items() if n.startswith('backbone.')}; "
                "out['fc.weight'] = torch.zeros(10, 16); torch.save(out, sys.argv[2])")
        subprocess.run([self.python, "-c", code, os.path.join(GOLDEN, "centerx_plain18.pth"), self.path("classifier.pth")],
                       check=True)
        done = self.run_import(self.path("classifier.pth"), "torchvision", "backbone.safetensors", classes="")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("resnet18, width 2, backbone alone", done.stdout)


if __name__ == "__main__":
    unittest.main()
