"""Bad input: one clear error that names the place, an exit code that is not 0, and nothing that existed is touched."""
import hashlib
import json
import os
import shutil
import struct
import unittest
import zlib

from support import fixture, read_header, run, write_header


def tree(folder):
    """Every file below a folder with the hash of its content."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name), "rb") as content:
                found[os.path.join(place, name)] = hashlib.sha256(content.read()).hexdigest()
    return found


class BadInput(unittest.TestCase):
    def setUp(self):
        self.fixture = fixture()
        self.folder = self.fixture.folder
        self.before = tree(f"{self.folder}/person")

    def refuses(self, args, *needles, code=None):
        done = run(*args)
        self.assertNotEqual(done.returncode, 0, done.stdout + done.stderr)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stderr)
        for needle in needles:
            self.assertIn(needle, done.stderr)
        self.assertLess(len(done.stderr), 4000, "one clear error, not a flood")
        self.assertNotIn("terminate called", done.stderr)
        self.assertEqual(self.before, tree(f"{self.folder}/person"))

    def config(self, text, name="bad.yaml"):
        return self.fixture.write(name, text)

    def train_config(self, extra="", images=None, annotations=None):
        images = images or f"{self.folder}/data/person/images"
        annotations = annotations or f"{self.folder}/data/person/annotations.json"
        return self.config(f"_base_: base.yaml\nrun: {self.folder}/bad-run\nclasses: [person]\n"
                           f"data:\n  train: [{{name: p, images: {images}, annotations: {annotations}}}]\n"
                           f"fusion: {{method: labels}}\n{extra}")

    def tearDown(self):
        shutil.rmtree(f"{self.folder}/bad-run", ignore_errors=True)

    def test_configuration_errors_are_listed_at_once_with_place_and_nearest_key(self):
        path = self.config("_base_: base.yaml\nrun: x\ntraning: {batch: 4}\nmodel:\n  width: wide\n  skip: true\n  skip: false\n")
        self.refuses(["train", path], f"{path}:3:1", "training", f"{path}:5:10", "width", f"{path}:7:3", "skip", code=2)

    def listing(self, name, categories, images=()):
        return self.fixture.write(name, json.dumps({
            "images": [{"id": i, "file_name": each, "width": 64, "height": 64} for i, each in enumerate(images)],
            "annotations": [], "categories": [{"id": i, "name": each} for i, each in enumerate(categories)]}))

    def test_names_that_the_file_does_not_have_are_told(self):
        weights, images = f"{self.folder}/person/weights/best.safetensors", f"{self.folder}/data/test/images"
        other = self.listing("other.json", ["Person", "dog"])
        self.refuses(["eval", "--weights", weights, "--images", images, "--annotations", other],
                     "other.json", "none of the detector's classes person", "its category is 'Person', not 'person'")
        self.refuses(["data", "check", "--images", images, "--annotations", self.listing("empty.json", ["person"])],
                     "empty.json", "no image")
        self.refuses(["data", "check", "--images", images, "--classes", "Person", "--annotations",
                      f"{self.folder}/data/test/annotations.json"], "it has no box of Person")

    def test_what_is_no_size_no_address_and_no_configuration_is_named(self):
        self.refuses(["models", "--size", "100", "100"], "--size", "multiples of 32", code=2)
        self.refuses(["distill", self.fixture.path("merge.yaml"), "service.source=remote", "service.bind=foo",
                      f"run={self.folder}/bad-run"], "foo: is no address", "tcp://HOST:PORT", code=2)
        self.refuses(["train", self.config("", "empty.yaml")], "empty.yaml: run is missing", code=2)
        self.refuses(["data", "views", "--views", "0"], "conclave data views --help", code=2)

    def test_a_test_set_that_can_not_be_read_is_told_before_the_training(self):
        path = self.train_config("training: {steps: 100000}\n")
        self.refuses(["train", path, f"data.test={{name: t, images: {self.folder}/data/test/images, annotations: no.json}}"],
                     "no.json")
        self.assertFalse(os.path.exists(f"{self.folder}/bad-run/metrics.jsonl"))

    def test_an_unknown_override_names_the_nearest_key(self):
        self.refuses(["train", self.train_config(), "training.stepz=3"], "training.stepz", "steps", code=2)

    def test_a_class_that_no_source_covers(self):
        path = self.config(open(self.fixture.path("merge.yaml")).read().replace("fusion: {method: kd}", "fusion: {method: kd}\nclasses: [person, car, bike]"))
        self.refuses(["distill", path, f"run={self.folder}/bad-run"], "bike")
        self.assertFalse(os.path.exists(f"{self.folder}/bad-run"))

    def test_a_teacher_whose_classes_do_not_match(self):
        path = self.config(open(self.fixture.path("merge.yaml")).read() + "\nclasses: [pedestrian, car]\n")
        self.refuses(["distill", path, f"run={self.folder}/bad-run"], "person", "pedestrian", "map")

    def damaged_teacher(self, damage):
        path = f"{self.folder}/damaged.safetensors"
        header, data = read_header(f"{self.folder}/person/weights/best.safetensors")
        damage(path, header, data)
        merge = self.config(open(self.fixture.path("merge.yaml")).read().replace(
            f"{self.folder}/person/weights/best.safetensors", path))
        return ["distill", merge, f"run={self.folder}/bad-run"], path

    def test_weights_of_another_architecture(self):
        def damage(path, header, data):
            header["__metadata__"] = {k: v.replace("resnet18", "resnet34") for k, v in header["__metadata__"].items()}
            write_header(path, header, data)
        args, path = self.damaged_teacher(damage)
        self.refuses(args, path, "resnet34")

    def test_truncated_weights(self):
        args, path = self.damaged_teacher(lambda path, header, data: write_header(path, header, data[:-100]))
        self.refuses(args, path)

    def test_weights_with_overlapping_tensors(self):
        def damage(path, header, data):
            names = [name for name in header if name != "__metadata__"]
            sizes = {}
            for name in names:
                begin, end = header[name]["data_offsets"]
                sizes.setdefault(end - begin, []).append(name)
            group = next(group for group in sizes.values() if len(group) > 1)
            other, one = sorted(group, key=lambda name: header[name]["data_offsets"])[:2]
            header[one]["data_offsets"] = header[other]["data_offsets"]
            write_header(path, header, data)
        args, path = self.damaged_teacher(damage)
        self.refuses(args, path, "overlap")

    def broken_images(self, damage):
        images = f"{self.folder}/broken-images"
        shutil.rmtree(images, ignore_errors=True)
        shutil.copytree(f"{self.folder}/data/person/images", images)
        victim = os.path.join(images, sorted(os.listdir(images))[3])
        damage(victim)
        return images, victim

    def test_a_missing_image(self):
        images, victim = self.broken_images(os.remove)
        self.refuses(["train", self.train_config(images=images)], victim)

    def test_a_truncated_jpeg(self):
        images, victim = self.broken_images(lambda path: os.truncate(path, os.path.getsize(path) // 2))
        self.refuses(["train", self.train_config(images=images)], victim)

    def test_a_png_header_of_60000_by_60000(self):
        def chunk(kind, body):
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        folder = f"{self.folder}/huge"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/huge.png", "wb") as png:
            png.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
        self.refuses(["predict", folder, "--weights", f"{self.folder}/person/weights/best.safetensors", "--out", f"{self.folder}/bad-run"],
                     "huge.png", "60000")

    def coco(self, change):
        with open(f"{self.folder}/data/person/annotations.json") as source:
            content = json.load(source)
        change(content)
        path = f"{self.folder}/bad.json"
        with open(path, "w") as out:
            out.write(json.dumps(content))
        return ["train", self.train_config(annotations=path)], path

    def test_a_coco_file_with_an_unknown_category(self):
        args, path = self.coco(lambda content: content["annotations"][2].update(category_id=77))
        self.refuses(args, path, "77", "annotation")

    def test_a_coco_file_with_nan_boxes(self):
        args, path = self.coco(lambda content: content["annotations"][2].update(bbox=[1, 2, float("nan"), 4]))
        self.refuses(args, path, "nan", "annotation")

    def test_a_coco_file_with_negative_boxes(self):
        args, path = self.coco(lambda content: content["annotations"][2].update(bbox=[1, 2, -3, 4]))
        self.refuses(args, path, "-3")

    def test_a_folder_that_already_holds_another_run(self):
        self.refuses(["train", self.train_config(), f"run={self.folder}/person"], f"{self.folder}/person", "--resume")

    def test_resuming_with_another_configuration(self):
        self.refuses(["train", self.fixture.path("person.yaml"), "training.lr=9e-3", "--resume"], "lr")

    @unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/proc/mounts"), "needs root for a small tmpfs")
    def test_a_full_disk_while_a_checkpoint_is_written(self):
        disk = f"{self.folder}/disk"
        os.makedirs(disk, exist_ok=True)
        if os.system(f"mount -t tmpfs -o size=7m tmpfs {disk} 2>/dev/null") != 0:
            self.skipTest("can't mount a tmpfs here")
        try:
            path = self.train_config("training: {checkpoint_every: 1, steps: 12}")
            done = run("train", path, f"run={disk}/run")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("No space left", done.stderr)
            self.assertIn(f"{disk}/run/checkpoint", done.stderr)
            kept = [name for name in os.listdir(f"{disk}/run/checkpoint") if name.endswith(".safetensors")]
            self.assertTrue(kept, "no earlier checkpoint was left")
            self.assertEqual(os.system(f"mount -o remount,size=64m {disk}"), 0)
            done = run("train", path, f"run={disk}/run", "--resume")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr, "training goes on after step [1-9]")
            with open(f"{disk}/run/trace.txt") as trace:
                self.assertEqual([int(row.split()[0]) for row in trace], list(range(1, 13)))
        finally:
            os.system(f"umount {disk}")

    def test_an_unknown_command_names_the_nearest(self):
        self.refuses(["distil"], "distill", code=2)


if __name__ == "__main__":
    unittest.main()
