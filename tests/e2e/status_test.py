"""What a running job shows: conclave status, the two pages of ranks and workers, the trace of where the time goes."""
import json
import os
import subprocess
import time
import unittest
import urllib.request

from support import BINARY, fixture, run


def page(address, name):
    with urllib.request.urlopen(f"http://{address}/{name}", timeout=30) as answer:
        return answer.read().decode()


class Status(unittest.TestCase):
    def setUp(self):
        self.fixture = fixture()
        self.folder = self.fixture.folder

    def start(self, name, *args):
        log = open(f"{self.folder}/{name}.log", "w")
        self.addCleanup(log.close)
        process = subprocess.Popen([BINARY, *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process

    def until(self, look, what):
        end = time.time() + 120
        while time.time() < end:
            found = look()
            if found:
                return found
            time.sleep(0.1)
        self.fail(f"waited in vain for {what}")

    def test_a_running_job_with_two_ranks_tells_who_works_and_forgets_itself_at_the_end(self):
        job = f"{self.folder}/watched"
        self.start("watched", "distill", self.fixture.path("merge.yaml"), f"run={job}", "training.steps=100000",
                   "training.warmup=2", "training.trace_steps=2", "--ranks", "2")

        def trained():
            done = run("status", job, "--json")
            ranks = json.loads(done.stdout) if done.returncode == 0 else []
            return len(ranks) == 2 and all(rank["step"] >= 5 for rank in ranks) and ranks
        ranks = self.until(trained, "five steps on two ranks")
        self.assertEqual([rank["rank"] for rank in ranks], [0, 1])
        self.assertEqual([row["teacher"] for row in ranks[0]["teachers"]], ["person", "car"])
        self.assertTrue(all(row["views"] > 0 for rank in ranks for row in rank["workers"]), ranks)
        self.assertGreater(ranks[1]["phases"]["backward"], 0)
        text = run("status", job, check=True).stdout
        self.assertRegex(text, r"watched: \w+, step \d+ of 100000")
        self.assertRegex(text, r"(?m)^person +1 ")
        with open(f"{job}/status.json") as content:
            metrics = page(json.load(content)["ranks"][1], "metrics")
        self.assertRegex(metrics, r'(?m)^conclave_step\{run="[^"]*watched",rank="1"\} \d+$')
        self.assertIn('conclave_teacher_workers{', metrics)
        for rank in (0, 1):
            with open(f"{job}/trace/rank-{rank}.json") as content:
                events = json.loads(content.read().rstrip().rstrip("]") + "]")  # open until the process ends
            self.assertIn("backward", {event["name"] for event in events})
            self.assertEqual({event["args"]["step"] for event in events if event["ph"] == "X"}, {1, 2})
        self.doCleanups()
        done = run("status", job)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no rank of it is running", done.stderr)

    def test_a_worker_shows_what_it_served(self):
        port = 20000 + os.getpid() % 20000
        self.start("served", "distill", self.fixture.path("merge.yaml"), f"run={self.folder}/served", "training.steps=100000",
                   "service.spawn=false", f"service.bind=tcp://127.0.0.1:{port}", "service.status=off")
        self.start("both", "teach", "--connect", f"tcp://127.0.0.1:{port}", "--status", f"127.0.0.1:{port + 1}",
                   "--name", "person", "--weights", f"{self.folder}/person/weights/best.safetensors",
                   "--name", "car", "--weights", f"{self.folder}/car/weights/best.safetensors")

        def served():
            try:
                state = json.loads(page(f"127.0.0.1:{port + 1}", "status"))
            except OSError:
                return None
            return state if state["views"] > 0 else None
        state = self.until(served, "the worker's first answer")
        self.assertEqual(state["teachers"], ["person", "car"])
        self.assertIn("conclave_worker_answered_views_total{", page(f"127.0.0.1:{port + 1}", "metrics"))
        self.assertFalse(os.path.exists(f"{self.folder}/served/status.json"))

    def test_an_address_that_nobody_answers_is_an_error(self):
        done = run("status", "--address", "127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("127.0.0.1:1", done.stderr)


if __name__ == "__main__":
    unittest.main()
