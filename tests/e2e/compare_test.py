"""conclave compare: a tiny comparison that is killed half-way and started again, its numbers, and what it refuses."""
import csv
import glob
import json
import os
import shutil
import signal
import statistics
import subprocess
import time
import unittest

import support
from support import BINARY, fixture, run

STEPS = 120
CHECK_PAGE = os.path.join(os.path.dirname(__file__), "../../scripts/check_page")
COMPARE = """
run: {folder}/compare
base: student.yaml
seeds: [0, 1]
slots: 2
baseline: pseudo
budget: {{images: {images}}}
views: {{shared: true}}
environment: {{CHOSEN: "{{run}}/seed{{seed}}"}}
prepare:
  - name: sample
    each_seed: true
    command: [data, sample, "{folder}/data/person/annotations.json", --images, 12, --seed, "{{seed}}", --out, "{{run}}/seed{{seed}}/person.json"]
  - {{name: teacher, train: person.yaml, set: {{run: "{{run}}/teacher", training.steps: 4, training.warmup: 1}}}}
methods:
  kd: {{description: soft targets}}
  pseudo: {{set: {{fusion.method: pseudo, fusion.pseudo.threshold: 0.3}}}}
"""
STUDENT = """
_base_: base.yaml
run: {folder}/student
training: {{checkpoint_every: 10, log_every: 10}}
data:
  train:
    - {{name: person, images: {folder}/data/person/images, annotations: "${{CHOSEN}}/person.json", labelled: [person]}}
    - {{name: car, images: {folder}/data/car/images}}
teachers:
  - {{name: person, weights: {folder}/compare/teacher/weights/best.safetensors}}
  - {{name: car, weights: {folder}/car/weights/best.safetensors}}
service: {{source: local}}
fusion: {{method: kd}}
"""
BOTH = """
_base_: base.yaml
run: {folder}/both
data: {{train: [{{name: both, images: {folder}/data/both/images, annotations: {folder}/data/both/annotations.json}}]}}
fusion: {{method: labels}}
"""


def compare_file(name, text):
    return fixture().write(name, text.format(folder=fixture().folder, images=4 * STEPS))


def result(method, seed):
    path = os.path.join(fixture().folder, "compare/runs", method, f"seed{seed}/result.json")
    if not os.path.exists(path):
        return None
    with open(path) as content:
        return json.load(content)


def runs():
    return [(method, seed) for method in ("kd", "pseudo") for seed in (0, 1)]


def runs_on(pid):
    try:
        with open(f"/proc/{pid}/stat") as content:
            return content.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def log_of(name):
    path = os.path.join(fixture().folder, "compare/logs", name + ".log")
    with open(path) as content:
        return content.read()


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        fixture().write("student.yaml", STUDENT.format(folder=fixture().folder))
        cls.file = compare_file("compare.yaml", COMPARE)
        cls.folder = os.path.join(fixture().folder, "compare")
        run("data", "synth", "--out", f"{fixture().folder}/data/both", "--images", 8, "--size", 128, 96, "--seed", 9,
            check=True)
        fixture().write("both.yaml", BOTH.format(folder=fixture().folder))

    def start(self):
        return subprocess.Popen([BINARY, "compare", self.file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def wait_for(self, what, process, condition):
        deadline = time.time() + 240
        while not condition():
            self.assertIsNone(process.poll(), f"it ended before {what}")
            self.assertLess(time.time(), deadline, f"no {what} in time")
            time.sleep(0.02)

    def half_done(self):
        return [run for run in runs()
                if result(*run) is None and glob.glob(f"{self.folder}/runs/{run[0]}/seed{run[1]}/checkpoint/*")]

    def test_killed_and_interrupted_it_goes_on_and_runs_nothing_twice(self):
        dry = run("compare", self.file, "--dry-run", check=True)
        self.assertIn("0 of 7 tasks are done", dry.stdout)
        self.assertFalse(os.path.exists(self.folder), "a dry run writes nothing")

        first = self.start()
        self.wait_for("a half-done run", first, self.half_done)
        refused = run("compare", self.file)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("another conclave compare", refused.stderr)
        first.kill()
        first.wait()
        first.stderr.close()

        second = self.start()  # at once: it waits for what the first one's runs still write
        self.wait_for("a finished run beside a half-done one", second,
                      lambda: any(result(*each) for each in runs()) and self.half_done())
        second.send_signal(signal.SIGINT)
        _, said = second.communicate(timeout=240)
        self.assertEqual(second.returncode, 130, said)
        self.assertEqual(subprocess.run(["pgrep", "-f", self.folder + "/runs"], stdout=subprocess.DEVNULL).returncode, 1,
                         "its runs are gone")
        finished = {each: os.stat(os.path.join(self.folder, "runs", each[0], f"seed{each[1]}/result.json")).st_mtime_ns
                    for each in runs() if result(*each)}
        logs = {each: log_of(f"{each[0]}-seed{each[1]}") for each in finished}

        third = run("compare", self.file, check=True)
        self.assertIn("report:", third.stdout)
        for (method, seed), when in finished.items():
            path = os.path.join(self.folder, "runs", method, f"seed{seed}/result.json")
            self.assertEqual(os.stat(path).st_mtime_ns, when, "a finished run isn't touched")
            self.assertEqual(log_of(f"{method}-seed{seed}"), logs[method, seed], "nor started")
        resumed = 0
        for method, seed in runs():
            steps = [int(line.split()[0]) for line in fixture().trace(f"compare/runs/{method}/seed{seed}").splitlines()]
            self.assertEqual(steps, list(range(1, STEPS + 1)), "every step once")
            resumed += "training goes on after step" in log_of(f"{method}-seed{seed}")
        self.assertGreaterEqual(resumed, 1)

        again = run("compare", self.file, check=True)
        self.assertIn("0 to go", again.stderr)
        more = run("compare", self.file, "seeds=[0, 1, 2]", "--dry-run", check=True).stdout
        self.assertIn("7 of 10 tasks are done", more)
        self.assertIn("to do  kd, seed 2", more)
        self.check_results()
        self.check_refusals_of_a_results_folder()

    def check_results(self):
        with open(os.path.join(self.folder, "results.json")) as content:
            results = json.load(content)
        ap = {each: result(*each)["student"]["all"]["ap"] for each in runs()}
        kd, pseudo = results["methods"]
        self.assertEqual((kd["name"], kd["supervision"], kd["description"]), ("kd", "kd", "soft targets"))
        self.assertAlmostEqual(kd["all"]["ap"]["mean"], (ap["kd", 0] + ap["kd", 1]) / 2, 12)
        differences = [ap["kd", seed] - ap["pseudo", seed] for seed in (0, 1)]
        self.assertAlmostEqual(kd["all"]["ap_difference"]["mean"], statistics.mean(differences), 12)
        half = 12.706204736174694 * statistics.stdev(differences) / 2**0.5  # Student's t, one degree of freedom
        self.assertAlmostEqual(kd["all"]["ap_difference"]["high"], statistics.mean(differences) + half, 9)
        self.assertEqual(pseudo["all"]["ap_difference"]["n"], 0)
        self.assertEqual({each["state"] for each in results["runs"]}, {"done"})
        with open(os.path.join(self.folder, "results.csv"), newline="") as content:
            rows = list(csv.DictReader(content))
        self.assertEqual(len(rows), 4 * 3)
        for row in rows:
            student = result(row["method"], row["seed"])["student"]
            expected = student["all"] if row["class"] == "all" else student["per_class"][row["class"]]
            self.assertAlmostEqual(float(row["ap"]), expected["ap"], 9)
        with open(os.path.join(self.folder, "report.md")) as content:
            report = content.read()
        self.assertIn(f"{4 * STEPS} images for every method", report)
        self.assertIn("| kd |", report)
        self.check_pictures(results)

    def check_pictures(self, results):
        with open(os.path.join(self.folder, "pictures.json")) as content:
            pictures = json.load(content)
        self.assertEqual((pictures["seed"], pictures["left_out"]), (0, []))
        tiles = [tile for group in pictures["pictures"] for tile in group["tiles"]]
        self.assertGreaterEqual({tile["caption"] for tile in tiles}, {"teacher person", "teacher car", "kd", "pseudo"})
        with open(os.path.join(self.folder, "report.html")) as content:
            page = content.read()
        self.assertGreaterEqual(page.count("data:image/jpeg"), len(tiles), "every picture stands in the page")
        versions = {each["environment"]["version"] for each in map(lambda run: result(*run), runs())}
        self.assertEqual(len(versions), 1)
        self.assertRegex(versions.pop(), r"^[0-9.]+\+[0-9a-f]{12}$")
        browser = subprocess.run([CHECK_PAGE, os.path.join(self.folder, "report.html")], capture_output=True, text=True)
        self.assertEqual(browser.returncode, 0, browser.stdout + browser.stderr)
        print(browser.stdout, end="")  # skipped, where there is no Chromium

    def check_refusals_of_a_results_folder(self):
        for change, key in (("methods.kd.set.training.lr=0.5", "methods.kd: training.lr was 0.001, now it is 0.5"),
                            ("budget.images=40", f"budget was {4 * STEPS} images, now it is 40 images"),
                            ("name=other", "name was compare, now it is other")):
            other = run("compare", self.file, change)
            self.assertEqual(other.returncode, 2, other.stderr)
            self.assertIn("another comparison", other.stderr)
            self.assertIn(key, other.stderr)
        taken = run("compare", self.file, f"run={fixture().folder}/data")
        self.assertEqual(taken.returncode, 2)
        self.assertIn("no comparison", taken.stderr)

    def test_a_failed_run_is_reported_and_the_rest_goes_on(self):
        folder = fixture().folder
        os.mkdir(f"{folder}/junk")
        fixture().write("junk/photo.jpg", "not an image")
        file = fixture().write("failing.yaml", f"""
run: {folder}/failing
seeds: [0]
slots: 2
baseline: labels
budget: {{images: 8}}
set: {{training.warmup: 0, service.source: local}}
methods:
  labels: {{config: both.yaml}}
  shifted: {{config: both.yaml, seed_shift: 100}}
  broken: {{config: merge.yaml, set: {{data.train.1.images: {folder}/junk}}}}
""")
        done = run("compare", file)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("1 of 3 tasks failed", done.stderr)
        self.assertIn("junk/photo.jpg", done.stderr, "the end of its log")
        with open(f"{folder}/failing/results.json") as content:
            results = json.load(content)
        self.assertEqual([each["state"] for each in results["runs"]], ["done", "done", "failed"])
        with open(f"{folder}/failing/runs/shifted/seed0/result.json") as content:
            self.assertEqual(json.load(content)["seed"], 100)
        self.assertIn("report:", done.stdout, "the result is told before the failure")
        allowed = run("compare", file, "methods.broken.may_fail=true")
        self.assertEqual(allowed.returncode, 0, allowed.stderr)
        self.assertIn("seed 0 failed (broken)", allowed.stdout)

    def test_a_method_compared_with_itself_shows_no_difference(self):
        folder = fixture().folder
        file = fixture().write("itself.yaml", f"""
run: {folder}/itself
base: both.yaml
seeds: [0, 1]
slots: 2
set: {{training.steps: 24, training.lr: 5e-3}}
baseline: labels
methods:
  labels:
  shifted: {{seed_shift: 100}}
""")
        done = run("compare", file, check=True)
        with open(f"{folder}/itself/results.json") as content:
            shifted = json.load(content)["methods"][1]["all"]["ap_difference"]
        self.assertTrue(shifted["low"] <= 0 <= shifted["high"], shifted)
        self.assertRegex(done.stdout, "No difference .*shifted")
        for seed in (0, 1):
            traces = [fixture().trace(f"itself/runs/{method}/seed{seed}") for method in ("labels", "shifted")]
            self.assertNotEqual(*traces, "it is another draw")
        changed = f"{folder}/itself/runs/labels/seed0/result.json"
        with open(changed) as content:
            result_of_run = json.load(content)
        result_of_run["environment"]["version"] = "0.1.0+another"
        with open(changed, "w") as content:
            json.dump(result_of_run, content)
        shutil.rmtree(f"{folder}/itself/runs/shifted/seed1")
        other = run("compare", file, check=True)
        self.assertRegex(other.stderr, r"another build of the program than this, [^:]*: labels \(seed 0\);")
        self.assertIn("0.1.0+another", other.stdout)
        with open(f"{folder}/itself/runs/labels/seed1/result.json", "w") as content:
            content.write("{")
        broken = run("compare", file)
        self.assertEqual(broken.returncode, 1)
        self.assertIn("labels, seed 1 left what can't be read", broken.stderr)
        self.assertIn("report:", broken.stdout, "what there is is told first")

    def test_runs_of_a_seed_share_what_teachers_said(self):
        folder = fixture().folder
        file = fixture().write("sharing.yaml", f"""
run: {folder}/sharing
base: merge.yaml
seeds: [0]
slots: 2
baseline: kd
budget: {{images: 16}}
views: {{shared: true}}
set: {{training.warmup: 0, service.source: local}}
methods:
  kd:
  bce: {{set: {{fusion.loss: bce}}}}
""")
        gone = run("compare", file, f"set.data.train.1.images={folder}/gone")
        self.assertEqual(gone.returncode, 2, gone.stderr)
        self.assertIn(f"kd, seed 0 reads {folder}/gone", gone.stderr)
        self.assertFalse(os.path.exists(f"{folder}/sharing"), "nothing was started")
        run("compare", file, check=True)
        with open(f"{folder}/sharing/results.json") as content:
            kd, bce = (each["cost"] for each in json.load(content)["methods"])
        self.assertEqual((kd["views_asked"], kd["views_stored"]), (16, 0))
        self.assertEqual((bce["views_asked"], bce["views_stored"]), (None, 16), "no teacher is asked twice")

    def test_a_step_dies_with_whoever_started_it(self):
        out = fixture().path("orphan")
        script = (f"CONCLAVE_PARENT=$$ '{BINARY}' data synth --out '{out}' --images 1000000 >/dev/null 2>&1 & "
                  "echo $!; wait")
        with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as parent:
            step = int(parent.stdout.readline())
            try:
                self.wait_for("image", parent, lambda: glob.glob(out + "/images/*"))
                parent.kill()
                parent.wait()
                deadline = time.time() + 60
                while runs_on(step) and time.time() < deadline:
                    time.sleep(0.02)
                self.assertFalse(runs_on(step), "it still draws")
            finally:
                if runs_on(step):
                    os.kill(step, signal.SIGKILL)

    def test_a_budget_of_time_is_turned_into_steps_by_a_probe(self):
        folder = fixture().folder
        file = fixture().write("timed.yaml", f"""
run: {folder}/timed
base: both.yaml
seeds: [3]
baseline: labels
budget: {{seconds: 1}}
methods:
  labels:
  slow: {{set: {{model.input: [256, 192]}}}}
""")
        run("compare", file, check=True)
        images = {}
        for method in ("labels", "slow"):
            with open(f"{folder}/timed/runs/{method}/seed3/result.json") as content:
                images[method] = json.load(content)["training"]["images"]
        self.assertGreater(images["labels"], images["slow"], "four times the pixels")
        self.assertIn("2 of 2", run("compare", file, "--dry-run", check=True).stdout)

    def test_what_is_wrong_is_told_before_anything_is_started(self):
        folder = fixture().folder
        fixture().write("junk.safetensors", "not weights")
        cases = [
            ("baseline=psuedo", "did you mean 'pseudo'"),
            ("seeds=[]", "seeds is empty"),
            ("seeds=[1, 2, 1]", "seed 1 is named twice"),
            ("slot=3", "did you mean 'slots'"),
            ("methods.kd.sets={}", "did you mean 'set'"),
            ("methods.kd.set.fusion.method=kdd", "must be one of"),
            ("methods.kd.set.fusion.metod=kd", "did you mean"),
            ("methods.kd.set.training.batch=7", "is not a multiple of its batch, 7"),
            ("methods.kd.set.seed=3", "the comparison itself sets seed"),
            ("methods.kd.set.classes=[person]", "has the classes"),
            ("methods.kd.set.data.test.limit=3", "another data.test"),
            (f"set.data.val={{name: v, images: {folder}/data/test/images, annotations: {folder}/data/test/annotations.json}}",
             "chooses its weights on"),
            (f"set.data.train.1={{name: car, images: {folder}/data/test/images}}", "images of data.test"),
            (f"methods.kd.set.teachers.0.weights={folder}/junk.safetensors", "is no safetensors file"),
            ("methods.kd.set.fusion={loss: relu, floor: 0}", "leaves nothing to learn from"),
            ("prepare.0={name: draw, command: [data, splitt]}", "draw: "),
            ("budget={minutes: 3}", "budget must be {images: N}"),
            ("gap=[ignore, labels]", "'ignore' is not one of the methods"),
            ("methods.kd.set.teachers.0.weights=nowhere.safetensors", "nowhere.safetensors"),
            ("prepare=[{name: x, train: person.yaml}, {name: y, train: person.yaml}]", "writes into the folder of"),
            ("prepare=[{name: x, train: person.yaml, set: {run: 'a{seed}'}}]", "its folder depends on the seed"),
            ("base=nowhere.yaml", "nowhere.yaml"),
        ]
        for change, expected in cases:
            wrong = run("compare", self.file, change, "run=" + folder + "/never", cwd=folder)
            self.assertEqual(wrong.returncode, 2, f"{change}: {wrong.stderr}")
            self.assertIn(expected, wrong.stderr, change)
            self.assertFalse(os.path.exists(folder + "/never"), change)
        text = COMPARE.replace("budget: {{images: {images}}}\n", "").replace(
            "pseudo: {{set: {{", "pseudo: {{set: {{training.steps: 3, training.warmup: 0, ")
        unequal = run("compare", compare_file("unequal.yaml", text), f"run={folder}/never")
        self.assertEqual(unequal.returncode, 2)
        self.assertIn("runs of different budgets", unequal.stderr)
        self.assertRegex(unequal.stderr, r"unequal\.yaml:\d+:\d+: methods\.pseudo sees 12 images")
        misspelt = run("compare", compare_file("misspelt.yaml", COMPARE.replace("fusion.method: pseudo", "fusion.metod: pseudo")),
                       f"run={folder}/never")
        self.assertRegex(misspelt.stderr, r"methods\.pseudo: \S*misspelt\.yaml:\d+:\d+: ")
        one = run("compare", compare_file("one.yaml", COMPARE.split("  kd: ")[0] + "  pseudo: {{}}\n"))
        self.assertIn("at least two", one.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
