"""Each command does what its help says, on a tiny drawn set."""
import json
import os
import shutil
import unittest

from support import ROOT, fixture, run

def text_of(path):
    with open(path) as content:
        return content.read()


def load(path):
    return json.loads(text_of(path))


VERBS = ["distill", "train", "teach", "eval", "predict", "bench", "data", "models", "export", "config", "doctor"]


class Commands(unittest.TestCase):
    def setUp(self):
        self.fixture = fixture()
        self.folder = self.fixture.folder

    def test_every_help_shows_runnable_examples(self):
        for verb in VERBS:
            text = run(verb, "--help", check=True).stdout
            self.assertIn(f"conclave {verb}", text, verb)

    def test_distill_leaves_a_complete_run(self):
        done = run("distill", self.fixture.path("merge.yaml"), check=True)
        for name in ("config.yaml", "env.json", "metrics.jsonl", "trace.txt", "result.json", "report.html",
                     "weights/best.safetensors", "weights/last.safetensors", "checkpoint", "pictures",
                     "quality.json", "detections.json"):
            self.assertTrue(os.path.exists(f"{self.folder}/merged/{name}"), name)
        self.assertIn("person", done.stdout)
        result = load(f"{self.folder}/merged/result.json")
        self.assertEqual(result["classes"], ["person", "car"])
        self.assertEqual(set(result["wire"]["bytes_per_view"]), {"person", "car"})
        self.assertGreater(min(result["wire"]["bytes_per_view"].values()), 0)
        self.assertEqual(len(result["pictures"]), 6)
        self.assertEqual([tile["caption"] for tile in result["pictures"][0]["tiles"]],
                         ["labels", "teacher person", "teacher car", "student"])
        self.assertGreaterEqual(result["training"]["data_wait"], 0)
        self.assertGreater(result["training"]["teacher_busy"]["person"], 0)
        self.assertGreater(result["training"]["trainer_memory"], 1e6)
        self.assertGreater(result["training"]["worker_memory"], 1e6)
        quality = load(f"{self.folder}/merged/quality.json")
        self.assertEqual([detector["name"] for detector in quality["detectors"]], ["student", "person", "car"])
        self.assertEqual(len(quality["detectors"][0]["images"]), result["student"]["images"])
        self.assertIn("<svg", text_of(f"{self.folder}/merged/report.html"))

    def test_the_resolved_configuration_of_a_run_can_be_run_again(self):
        if not os.path.exists(f"{self.folder}/merged/config.yaml"):
            self.test_distill_leaves_a_complete_run()
        run("distill", f"{self.folder}/merged/config.yaml", f"run={self.folder}/again", check=True)
        self.assertEqual(self.fixture.trace("merged"), self.fixture.trace("again"))

    def test_eval_gives_the_numbers_of_the_report(self):
        if not os.path.exists(f"{self.folder}/merged/result.json"):
            self.test_distill_leaves_a_complete_run()
        out = f"{self.folder}/eval-merged.json"
        run("eval", "--weights", f"{self.folder}/merged/weights/best.safetensors", "--images",
            f"{self.folder}/data/test/images", "--annotations", f"{self.folder}/data/test/annotations.json", "--out", out,
            check=True)
        report = load(f"{self.folder}/merged/result.json")["student"]["per_class"]
        for name, numbers in load(out)["per_class"].items():
            for key in ("ap", "ap50"):  # but for the threads that share a convolution's sums
                self.assertAlmostEqual(numbers[key], report[name][key], delta=5e-3, msg=f"{name} {key}")

    def test_eval_prints_and_writes_ap(self):
        out = f"{self.folder}/eval.json"
        done = run("eval", "--weights", f"{self.folder}/person/weights/best.safetensors", "--images",
                   f"{self.folder}/data/test/images", "--annotations", f"{self.folder}/data/test/annotations.json", "--out", out,
                   check=True)
        self.assertIn("AP50", done.stdout)
        self.assertIn("person", load(out)["per_class"])

    def test_predict_writes_pictures_and_detections(self):
        out = f"{self.folder}/predicted"
        shutil.rmtree(out, ignore_errors=True)
        args = ["predict", f"{self.folder}/data/test/images", "--weights", f"{self.folder}/person/weights/best.safetensors",
                "--out", out, "--threshold", 0.05]
        run(*args, check=True)
        detections = load(f"{out}/detections.json")
        self.assertEqual(len(detections["images"]), 8)
        self.assertEqual(len([name for name in os.listdir(out) if name.endswith(".jpg")]), 8)
        self.assertNotEqual(run(*args).returncode, 0, "an existing folder is not overwritten")

    def test_data_split_makes_partially_labelled_sets(self):
        out = f"{self.folder}/split"
        shutil.rmtree(out, ignore_errors=True)
        whole = load(f"{self.folder}/data/test/annotations.json")
        run("data", "split", f"{self.folder}/data/test/annotations.json", "--classes", "person", "car", "--out", out, "--seed", 1,
            check=True)
        parts = [load(f"{out}/{cls}.json") for cls in ("person", "car")]
        ids = [{image["id"] for image in part["images"]} for part in parts]
        self.assertFalse(ids[0] & ids[1])
        self.assertEqual(ids[0] | ids[1], {image["id"] for image in whole["images"]})
        for part, cls in zip(parts, ("person", "car")):
            wanted = {category["id"] for category in part["categories"] if category["name"] == cls}
            self.assertLessEqual({a["category_id"] for a in part["annotations"]}, wanted)

    def test_data_check_counts_and_finds_broken_images(self):
        images = f"{self.folder}/check-images"
        shutil.rmtree(images, ignore_errors=True)
        shutil.copytree(f"{self.folder}/data/test/images", images)
        good = run("data", "check", "--images", images, "--annotations", f"{self.folder}/data/test/annotations.json")
        self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
        victim = os.path.join(images, sorted(os.listdir(images))[0])
        os.truncate(victim, 200)
        bad = run("data", "check", "--images", images, "--annotations", f"{self.folder}/data/test/annotations.json")
        self.assertNotEqual(bad.returncode, 0)
        self.assertIn(os.path.basename(victim), bad.stdout + bad.stderr)

    def test_the_report_says_which_test_images_were_learnt_from(self):
        out = f"{self.folder}/saw-its-test"
        done = run("train", self.fixture.path("person.yaml"), f"run={out}", "training.steps=2", "training.warmup=0",
                   f"data.test={{name: t, images: {self.folder}/data/person/images, "
                   f"annotations: {self.folder}/data/person/annotations.json}}", check=True)
        self.assertIn("images of data.test are in data.train, too", done.stderr)
        with open(f"{out}/result.json") as content:
            student = json.load(content)["student"]
        self.assertEqual(student["seen_images"], student["images"])
        with open(f"{self.folder}/merged/result.json") as content:
            self.assertEqual(json.load(content)["student"]["seen_images"], 0)

    def test_data_views_draws_what_a_training_sees(self):
        out = f"{self.folder}/views"
        shutil.rmtree(out, ignore_errors=True)
        args = ("data", "views", self.fixture.path("person.yaml"), "--out", out, "--views", 5, "views.mosaic=1")
        run(*args, check=True)
        self.assertEqual(sorted(os.listdir(out)), [f"{i:03}.jpg" for i in range(5)] + ["sheet.jpg"])
        again = run(*args)
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("nothing is overwritten", again.stderr)

    def test_models_lists_the_zoo_and_describes_a_file(self):
        self.assertIn("resnet50", run("models", check=True).stdout)
        self.assertIn("person", run("models", f"{self.folder}/person/weights/best.safetensors", check=True).stdout)

    def test_config_shows_where_each_value_was_set(self):
        text = run("config", self.fixture.path("merge.yaml"), "training.lr=5e-4", check=True).stdout
        self.assertRegex(text, r"lr: 0?\.?0*5e?-?0?4?.*training\.lr=5e-4")
        self.assertIn("base.yaml:", text)

    def test_the_written_reference_is_the_one_the_parser_generates(self):
        with open(f"{ROOT}/docs/configuration.md") as written:
            self.assertEqual(written.read(), run("config", "--reference", check=True).stdout)

    def test_doctor_says_what_this_machine_has(self):
        text = run("doctor", check=True).stdout
        for word in ("LibTorch", "OpenCV", "ZeroMQ", "CPU", "CUDA"):
            self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main()
