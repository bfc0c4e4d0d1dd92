"""conclave label: what teachers see as a COCO file, from every kind of source, killed and resumed, and trained on."""
import json
import os
import signal
import subprocess
import time
import unittest

from support import BINARY, fixture, run

IMAGES = 60
CONFIG = """
_base_: merge.yaml
data:
  train:
    - {{name: street, images: {folder}/data/street/images, annotations: {folder}/data/street/annotations.json, labelled: [person]}}
training: {{window: 4}}
fusion: {{pseudo: {{threshold: 0.05}}}}
"""


class Label(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fixture = fixture()
        cls.folder = cls.fixture.folder
        run("data", "synth", "--out", f"{cls.folder}/data/street", "--images", IMAGES, "--size", 128, 96, "--seed", 21,
            check=True)
        cls.config = cls.fixture.write("label.yaml", CONFIG.format(folder=cls.folder))
        cls.first = cls.fixture.path("first.json")
        cls.said = run("label", cls.config, "service.source=local", "--out", cls.first, check=True)

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def test_holds_given_labels_and_scored_boxes_of_the_teachers(self):
        written = json.loads(self.read(self.first))
        with open(f"{self.folder}/data/street/annotations.json") as file:
            given = json.load(file)
        self.assertEqual([c["name"] for c in written["categories"]], ["person", "car"])
        self.assertEqual(written["info"]["labelled"], ["person", "car"])
        self.assertEqual([(i["id"], i["file_name"]) for i in written["images"]],
                         [(i["id"], i["file_name"]) for i in given["images"]])
        person = next(c["id"] for c in given["categories"] if c["name"] == "person")
        own = [a for a in written["annotations"] if a["category_id"] == 1]
        self.assertEqual([(a["image_id"], a["bbox"]) for a in own],
                         [(a["image_id"], a["bbox"]) for a in given["annotations"] if a["category_id"] == person])
        self.assertFalse(any("score" in a for a in own), "labels have no score")
        cars = [a for a in written["annotations"] if a["category_id"] == 2]
        self.assertTrue(cars)
        self.assertTrue(all(0.05 <= a["score"] < 1 for a in cars))
        self.assertIn(f"{IMAGES} images, {len(cars)} boxes of the teachers, {len(own)} given ones", self.said.stdout)
        self.assertRegex(self.said.stderr, rf"pseudo labels: {IMAGES} of {IMAGES} images, .* images/s")
        self.assertFalse(os.path.exists(self.first + ".part"))

    def test_outside_workers_and_a_killed_labelling_give_the_same_file(self):
        out = self.fixture.path("outside.json")
        address = f"ipc://{self.folder}/label.sock"
        command = [BINARY, "label", self.config, "service.spawn=false", f"service.bind={address}", "service.lease_views=1",
                   "--out", out]
        workers = [subprocess.Popen([BINARY, "teach", "--connect", address, "--name", name, "--weights",
                                     f"{self.folder}/{name}/weights/best.safetensors"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for name in ("person", "car")]
        self.addCleanup(lambda: [worker.kill() or worker.wait() for worker in workers])
        labelling = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        journal = out + ".part/boxes.jsonl"
        wait_for(lambda: labelling.poll() is not None or (os.path.exists(journal) and self.read(journal).count(b"\n") >= 6))
        labelling.send_signal(signal.SIGKILL)
        self.assertEqual(labelling.wait(timeout=60), -signal.SIGKILL, labelling.communicate()[1])
        labelling.stderr.close()
        self.assertFalse(os.path.exists(out))
        kept = self.read(journal)
        again = run(*command[1:])
        self.assertEqual(again.returncode, 2, again.stderr)
        self.assertIn("--resume", again.stderr)
        other = run(*command[1:], "fusion.pseudo.threshold=0.1", "--resume")
        self.assertEqual(other.returncode, 2, other.stderr)
        self.assertIn("was begun with other", other.stderr)
        self.assertEqual(self.read(journal), kept)
        said = run(*command[1:], "--resume", check=True)
        self.assertRegex(said.stderr, rf"the boxes of [1-9]\d* of {IMAGES} images are taken from")
        self.assertEqual(self.read(out), self.read(self.first))

    def test_spawned_workers_give_the_same_file_and_one_that_exists_is_left_alone(self):
        out = self.fixture.path("spawned.json")
        run("label", self.config, "--out", out, check=True)
        self.assertEqual(self.read(out), self.read(self.first))
        for arguments in ([], ["--resume"]):
            done = run("label", self.config, "--out", out, *arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("already exists", done.stderr)
        self.assertEqual(self.read(out), self.read(self.first))

    def test_training_on_the_file_is_training_on_pseudo_labels(self):
        config = self.fixture.write("labelled.yaml", f"""
_base_: base.yaml
run: {self.folder}/labelled
data: {{train: [{{name: street, images: {self.folder}/data/street/images, annotations: {self.first}}}]}}
fusion: {{method: labels}}
""")
        run("train", config, check=True)
        run("distill", self.config, f"run={self.folder}/pseudo-street", "fusion.method=pseudo", "training.window=16",
            check=True)
        mine, other = (losses(self.fixture.trace(name)) for name in ("labelled", "pseudo-street"))
        self.assertEqual(len(mine), 12)
        for a, b in zip(mine[:4], other[:4]):
            self.assertAlmostEqual(a, b, delta=1e-3 * abs(b))

    def test_several_sets_share_one_file_though_their_ids_and_names_are_the_same(self):
        run("data", "synth", "--out", f"{self.folder}/data/lane", "--images", 5, "--size", 128, 96, "--seed", 22, check=True)
        config = self.fixture.write("two.yaml", CONFIG.format(folder=self.folder).replace("training:", f"""
    - {{name: lane, images: {self.folder}/data/lane/images, annotations: {self.folder}/data/lane/annotations.json, labelled: [car]}}
training:"""))
        out = self.fixture.path("two.json")
        said = run("label", config, "service.source=local", "--out", out, check=True)
        both, first = json.loads(self.read(out)), json.loads(self.read(self.first))
        lane = json.loads(self.read(f"{self.folder}/data/lane/annotations.json"))
        self.assertEqual(len({image["id"] for image in both["images"]}), IMAGES + 5)
        self.assertEqual([image["file_name"] for image in both["images"]],
                         [f"street/images/{image['file_name']}" for image in first["images"]] +
                         [f"lane/images/{image['file_name']}" for image in lane["images"]])
        self.assertIn(f"{self.folder}/data", said.stdout + said.stderr)

        def boxes(coco, names, category):
            name_of = {image["id"]: image["file_name"].split("/")[-1] for image in coco["images"] if names(image["file_name"])}
            return sorted((name_of[a["image_id"]], a["bbox"], a.get("score", 1)) for a in coco["annotations"]
                          if a["image_id"] in name_of and a["category_id"] == category)

        for category in (1, 2):
            self.assertEqual(boxes(both, lambda name: name.startswith("street/"), category),
                             boxes(first, lambda name: True, category))
        car = next(c["id"] for c in lane["categories"] if c["name"] == "car")
        self.assertEqual(boxes(both, lambda name: name.startswith("lane/"), 2), boxes(lane, lambda name: True, car))
        persons = boxes(both, lambda name: name.startswith("lane/"), 1)
        self.assertTrue(persons)
        self.assertTrue(all(score < 1 for _, _, score in persons))

    def test_explains_what_it_cannot_do(self):
        out = self.fixture.path("never.json")
        for words, expected in ((["fusion.pseudo.threshold=best_f1"], r"class 'car'.*data\.val, which is not given"),
                                (["fusion.pseudo.threshold=2"], r"best_f1"),
                                (["data.train.0.labelled=[person, car]"], r"nothing to ask")):
            done = run("label", self.config, *words, "--out", out)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr.replace("\n", " "), expected)
        self.assertFalse(os.path.exists(out) or os.path.exists(out + ".part"))
        self.assertIn("conclave label merge.yaml --out labels.json", run("label", "--help", check=True).stdout)


def losses(trace):
    return [float.fromhex(line.split()[1]) if "0x" in line else float(line.split()[1]) for line in trace.splitlines()]


def wait_for(condition, seconds=180):
    deadline = time.time() + seconds
    while not condition():
        if time.time() > deadline:
            raise AssertionError("waited too long")
        time.sleep(0.005)


if __name__ == "__main__":
    unittest.main()
