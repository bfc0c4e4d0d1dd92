"""Trainings by several ranks: started by --ranks and by hand as torchrun does, killed, stopped, started again."""
import os
import re
import signal
import socket
import subprocess
import time
import unittest

from support import BINARY, fixture, run


class Ranks(unittest.TestCase):
    def setUp(self):
        self.fixture = fixture()

    def words(self, name, *overrides):
        return ["distill", self.fixture.path("merge.yaml"), f"run={self.fixture.folder}/{name}", *overrides]

    def start(self, *words, env=None):
        return subprocess.Popen([BINARY, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env={**os.environ, **(env or {})})

    def losses(self, name):
        return [float.fromhex(line.split()[1]) for line in self.fixture.trace(name).splitlines()]

    def weights(self, name):
        with open(f"{self.fixture.folder}/{name}/weights/last.safetensors", "rb") as file:
            return file.read()

    def wait_for_steps(self, name, steps):
        path = os.path.join(self.fixture.folder, name, "trace.txt")
        deadline = time.time() + 120
        while not os.path.exists(path) or count_lines(path) < steps:
            self.assertLess(time.time(), deadline, "waited too long")
            time.sleep(0.05)

    def rank_1(self, trainer):
        """The process of rank 1, from what the launcher says. Leaves the rest of its stderr to be read."""
        for line in trainer.stderr:
            found = re.search(r"rank 1: process (\d+)", line)
            if found:
                return int(found.group(1))
        self.fail("the launcher names no process of rank 1")

    def test_two_ranks_give_the_same_bits_run_to_run_and_learn_what_one_process_learns(self):
        # Small plain steps: with longer ones the last bits of a sum decide where a training from scratch goes.
        gentle = ("training.optimizer=sgd", "training.lr=1e-4", "training.clip=1")
        for name in ("two", "again"):
            run(*self.words(name, *gentle), "--ranks", "2", check=True)
        self.assertEqual(self.fixture.trace("two"), self.fixture.trace("again"))
        self.assertEqual(self.weights("two"), self.weights("again"))
        run(*self.words("one", *gentle), check=True)
        two, one = self.losses("two"), self.losses("one")
        self.assertEqual(len(two), len(one))
        for a, b in zip(two, one):
            self.assertAlmostEqual(a, b, delta=1e-4 * abs(b))
        self.assertTrue(os.path.exists(f"{self.fixture.folder}/two/ranks/rank-1.log"))
        self.assertTrue(os.path.exists(f"{self.fixture.folder}/two/report.html"))

    def test_the_others_leave_when_a_rank_is_killed_and_the_run_goes_on_with_resume(self):
        run(*self.words("whole", "training.steps=60"), "--ranks", "2", check=True)
        words = self.words("killed", "training.steps=60")
        trainer = self.start(*words, "--ranks", "2")
        victim = self.rank_1(trainer)
        self.wait_for_steps("killed", 10)
        os.kill(victim, signal.SIGKILL)
        _, err = trainer.communicate(timeout=120)
        self.assertEqual(trainer.returncode, 5, err)
        self.assertIn("rank 1 died", err)
        self.assertIn("--resume", err)
        self.assertLess(len(self.losses("killed")), 60)
        run(*words, "--ranks", "2", "--resume", check=True)
        self.assertEqual(self.fixture.trace("whole"), self.fixture.trace("killed"))
        self.assertEqual(self.weights("whole"), self.weights("killed"))

    def test_max_restarts_finishes_a_run_that_lost_a_rank_with_the_bits_of_an_undisturbed_one(self):
        run(*self.words("calm", "training.steps=60"), "--ranks", "2", check=True)
        trainer = self.start(*self.words("restarted", "training.steps=60"), "--ranks", "2", "--max-restarts", "1")
        victim = self.rank_1(trainer)
        self.wait_for_steps("restarted", 10)
        os.kill(victim, signal.SIGKILL)
        _, err = trainer.communicate(timeout=240)
        self.assertEqual(trainer.returncode, 0, err)
        self.assertIn("start again from the newest checkpoint", err)
        self.assertEqual(self.fixture.trace("calm"), self.fixture.trace("restarted"))
        self.assertEqual(self.weights("calm"), self.weights("restarted"))

    def test_sigterm_stops_all_ranks_with_a_checkpoint(self):
        words = self.words("stopped", "training.steps=5000")
        trainer = self.start(*words, "--ranks", "2")
        self.wait_for_steps("stopped", 5)
        trainer.send_signal(signal.SIGTERM)
        _, err = trainer.communicate(timeout=120)
        self.assertEqual(trainer.returncode, 130, err)
        self.assertIn("a checkpoint was written", err)
        step = len(self.losses("stopped"))
        self.assertIn(f"step-{step:08d}.safetensors", os.listdir(f"{self.fixture.folder}/stopped/checkpoint"))

    def by_hand(self, name, *of_rank_1):
        """Two ranks as torchrun starts them, the second with more overrides."""
        port = free_port()
        return [self.start(*self.words(name), *(of_rank_1 if rank == 1 else ()), env={
            "RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}) for rank in (0, 1)]

    def test_ranks_that_something_else_starts_find_each_other_by_torchruns_variables(self):
        for rank in self.by_hand("by_hand"):
            _, err = rank.communicate(timeout=120)
            self.assertEqual(rank.returncode, 0, err)
        run(*self.words("launched"), "--ranks", "2", check=True)
        self.assertEqual(self.fixture.trace("launched"), self.fixture.trace("by_hand"))

    def test_ranks_that_differ_are_refused_before_they_wait_for_each_other(self):
        for index, override in enumerate(("service.source=local", "fusion.temperature=2", "training.eval_every=3")):
            with self.subTest(override):
                for rank in self.by_hand(f"differ{index}", override):
                    _, err = rank.communicate(timeout=120)
                    self.assertEqual(rank.returncode, 2, err)
                    self.assertIn("all ranks need the same configuration", err)
                    self.assertIn(override.split("=")[1], err)

    def test_a_batch_that_cant_be_shared_is_a_wrong_configuration_and_is_not_tried_again(self):
        done = run(*self.words("uneven"), "--ranks", "3", "--max-restarts", "5")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("training.batch", done.stderr)
        self.assertNotIn("start again", done.stderr)

    def test_half_set_variables_are_named(self):
        done = run(*self.words("half"), env={"RANK": "1"})
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("WORLD_SIZE: is not set", done.stderr)


def count_lines(path):
    with open(path) as text:
        return len(text.readlines())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    unittest.main()
