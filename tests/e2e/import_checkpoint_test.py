"""scripts/import_checkpoint.py on other projects' checkpoints, and on files that are none.

It runs in a Python with the PyTorch that LibTorch is from (python_environment.py).
"""
import os
import pickle
import shutil
import subprocess
import tempfile
import unittest

import support
from python_environment import python_with_torch

SCRIPT = os.path.join(support.ROOT, "scripts", "import_checkpoint.py")
GOLDEN = os.path.join(support.ROOT, "tests", "golden", "imported")


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (self.target, "w"))


class ImportCheckpoint(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.python, cls.environment = python_with_torch()
        cls.folder = tempfile.mkdtemp(prefix="conclave-import-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_import(self, checkpoint, project, out, classes="a,b,c", size=(96, 64)):
        return subprocess.run([self.python, SCRIPT, checkpoint, "--from", project, "--classes", classes, "--input",
                               *map(str, size), "--out", self.path(out)],
                              env=self.environment, capture_output=True, text=True, timeout=300)

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
        for protocol, word in ((2, "it asks for "), (4, "Unsupported")):
            with open(self.path("evil.pth"), "wb") as out:
                pickle.dump({"state_dict": Evil(target)}, out, protocol)
            done = self.run_import(self.path("evil.pth"), "centernet", "evil.safetensors")
            self.refused(done, "nothing of it was run", word)
            self.assertNotIn("set to `False`", done.stderr)
            self.assertNotIn("Warning", done.stderr)
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

    def changed(self, name, code):
        """A golden checkpoint after `code` has changed its state dict `sd`."""
        code = (f"import torch, sys; whole = torch.load(sys.argv[1], weights_only=True); sd = whole['model']; {code}; "
                "torch.save(whole, sys.argv[2])")
        subprocess.run([self.python, "-c", code, os.path.join(GOLDEN, "centerx_dcn18.pth"), self.path(name)],
                       env=self.environment, check=True)
        return self.path(name)

    def test_tensors_without_their_values_give_one_error(self):
        name = "next(n for n in sd if n.endswith('conv1.weight'))"
        for code, word in ((f"n = {name}; sd[n] = sd[n].to('meta')", "no values in memory"),
                           (f"n = {name}; sd[n] = torch.zeros(1).expand(1 << 20, 1 << 20)", "claims 1099511627776 values"),
                           (f"n = {name}; sd[n] = torch.zeros(())", "not shapes or types")):
            done = self.run_import(self.changed("changed.pth", code), "centerx", "x.safetensors")
            self.refused(done, word)
            self.assertFalse(os.path.exists(self.path("x.safetensors")))
        good = os.path.join(GOLDEN, "centerx_dcn18.pth")
        self.refused(self.run_import(good, "centerx", "nowhere/x.safetensors"), "can't be written")

    def test_a_stated_normalisation_is_kept(self):
        for index, (mean, std, wanted) in enumerate((([0.5, 0.25, 0.125], [0.25, 0.5, 1], ("127.5,63.75,31.875", "63.75,127.5,255")),
                                                     ([103.5, 116.25, 123], [1, 1, 1], ("103.5,116.25,123", "1,1,1")))):
            path = self.changed("mean.pth", f"sd['pixel_mean'] = torch.tensor({mean}).view(3, 1, 1); "
                                            f"sd['pixel_std'] = torch.tensor({std}, dtype=torch.float).view(3, 1, 1)")
            done = self.run_import(path, "centerx", f"mean{index}.safetensors")
            self.assertEqual(done.returncode, 0, done.stderr)
            header, _ = support.read_header(self.path(f"mean{index}.safetensors"))
            self.assertEqual((header["__metadata__"]["mean"], header["__metadata__"]["std"]), wanted)

    def test_a_classifier_becomes_the_start_of_a_training(self):
        code = ("import torch, sys; sd = torch.load(sys.argv[1], weights_only=True)['model']; "
                "out = {n[9:]: t for n, t in sd.items() if n.startswith('backbone.')}; "
                "out['fc.weight'] = torch.zeros(10, 16); torch.save(out, sys.argv[2])")
        subprocess.run([self.python, "-c", code, os.path.join(GOLDEN, "centerx_plain18.pth"), self.path("classifier.pth")],
                       env=self.environment, check=True)
        done = self.run_import(self.path("classifier.pth"), "torchvision", "backbone.safetensors", classes="")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("resnet18, width 2, backbone alone", done.stdout)


if __name__ == "__main__":
    unittest.main()
