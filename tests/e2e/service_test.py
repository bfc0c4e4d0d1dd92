"""The service under faults: real worker processes, real kills, the loss trace compared bit for bit."""
import os
import signal
import socket
import subprocess
import time
import unittest

from support import BINARY, fixture, run


class Distilling(unittest.TestCase):
    def setUp(self):
        self.fixture = fixture()

    def distil(self, name, *overrides):
        run("distill", self.fixture.path("merge.yaml"), f"run={self.fixture.folder}/{name}", *overrides, check=True)
        return self.fixture.trace(name)

    def start_workers(self, port, *flags):
        return [subprocess.Popen([BINARY, "teach", "--connect", f"tcp://127.0.0.1:{port}", "--name", name, "--weights",
                                  f"{self.fixture.folder}/{name}/weights/best.safetensors", *flags], stderr=subprocess.PIPE, text=True)
                for name in ("person", "car")]

    def test_gives_the_same_bits_locally_with_one_worker_and_with_three_of_which_one_is_killed(self):
        local = self.distil("local", "service.source=local", "training.steps=40")
        one = self.distil("one", "training.steps=40")
        self.assertEqual(len(local.splitlines()), 40)
        self.assertEqual(local, one)

        trainer = subprocess.Popen(
            [BINARY, "distill", self.fixture.path("merge.yaml"), f"run={self.fixture.folder}/three", "training.steps=40",
             "teachers.0.workers=3", "teachers.1.workers=3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        trace = os.path.join(self.fixture.folder, "three", "trace.txt")
        wait_for(lambda: os.path.exists(trace) and lines(trace) >= 8)
        victims = subprocess.run(["pgrep", "-P", str(trainer.pid)], stdout=subprocess.PIPE, text=True).stdout.split()
        self.assertEqual(len(victims), 6)
        os.kill(int(victims[0]), signal.SIGKILL)
        out, err = trainer.communicate(timeout=120)
        self.assertEqual(trainer.returncode, 0, err)
        self.assertIn("killed by signal 9", err)
        self.assertEqual(local, self.fixture.trace("three"))

    def test_goes_on_bit_identically_after_sigterm_and_resume(self):
        whole = self.distil("whole", "training.steps=60")
        config = [self.fixture.path("merge.yaml"), f"run={self.fixture.folder}/halved", "training.steps=60"]
        trainer = subprocess.Popen([BINARY, "distill", *config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        trace = os.path.join(self.fixture.folder, "halved", "trace.txt")
        wait_for(lambda: os.path.exists(trace) and lines(trace) >= 5)
        trainer.send_signal(signal.SIGTERM)
        _, err = trainer.communicate(timeout=60)
        self.assertEqual(trainer.returncode, 130, err)
        self.assertIn("--resume", err)
        self.assertLess(len(self.fixture.trace("halved").splitlines()), 60)
        run("distill", *config, "--resume", check=True)
        self.assertEqual(whole, self.fixture.trace("halved"))
        self.assertEqual(open(f"{self.fixture.folder}/whole/weights/last.safetensors", "rb").read(),
                         open(f"{self.fixture.folder}/halved/weights/last.safetensors", "rb").read())

    def test_serves_workers_from_outside_and_says_what_it_waits_for(self):
        port = free_port()
        trainer = subprocess.Popen(
            [BINARY, "distill", self.fixture.path("merge.yaml"), f"run={self.fixture.folder}/outside", "service.spawn=false",
             f"service.bind=tcp://127.0.0.1:{port}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        workers = self.start_workers(port)
        out, err = trainer.communicate(timeout=120)
        self.assertEqual(trainer.returncode, 0, err)
        self.assertIn(f"conclave teach --connect tcp://127.0.0.1:{port} --name person", err)
        self.assertRegex(err, r"teacher person: \d+ bytes per view")
        for worker in workers:
            _, said = worker.communicate(timeout=30)
            self.assertEqual(worker.returncode, 0, said)
            self.assertRegex(said, r"served [1-9]\d* leases")

    def test_the_workers_of_a_killed_trainer_leave(self):
        trainer = subprocess.Popen(
            [BINARY, "distill", self.fixture.path("merge.yaml"), f"run={self.fixture.folder}/orphans", "training.steps=4000"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        trace = os.path.join(self.fixture.folder, "orphans", "trace.txt")
        wait_for(lambda: os.path.exists(trace) and lines(trace) >= 5)
        workers = subprocess.run(["pgrep", "-P", str(trainer.pid)], stdout=subprocess.PIPE, text=True).stdout.split()
        self.assertEqual(len(workers), 2)
        trainer.kill()
        trainer.wait()
        wait_for(lambda: not any(runs(pid) for pid in workers))

    def test_workers_with_a_store_compute_a_view_once(self):
        local = self.distil("computed", "service.source=local", "data.views_per_image=2", "training.steps=24")
        said = []
        for name in ("stored", "replayed"):
            port = free_port()
            workers = self.start_workers(port, "--store", f"{self.fixture.folder}/answers")
            self.assertEqual(local, self.distil(name, "service.spawn=false", f"service.bind=tcp://127.0.0.1:{port}",
                                                "data.views_per_image=2", "training.steps=24"))
            for worker in workers:
                text = worker.communicate(timeout=30)[1]
                self.assertEqual(worker.returncode, 0, text)
                said.append(text)
        for text in said[:2]:  # 96 views are asked in order; the third epoch repeats the first
            self.assertRegex(text, r"96 views, .*; [1-9]\d* views were in the store")
        for text in said[2:]:
            self.assertRegex(text, r"96 views, .*; 96 views were in the store")

    def test_one_worker_of_both_teachers_that_sees_no_image_file_gives_the_same_bits(self):
        port = free_port()
        local = self.distil("seeing", "service.source=local", "training.steps=20")
        folder = self.fixture.folder
        trainer = subprocess.Popen(
            [BINARY, "distill", self.fixture.path("merge.yaml"), f"run={folder}/blind", "training.steps=20", "service.spawn=false",
             "service.images=inline", f"service.bind=tcp://127.0.0.1:{port}", "data.train.0.images=data/person/images",
             "data.train.1.images=data/car/images"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        both = [flag for name in ("person", "car") for flag in ("--name", name, "--weights", f"{folder}/{name}/weights/best.safetensors")]
        worker = subprocess.Popen([BINARY, "teach", "--connect", f"tcp://127.0.0.1:{port}", *both], cwd="/",
                                  stderr=subprocess.PIPE, text=True)
        _, err = trainer.communicate(timeout=120)
        self.assertEqual(trainer.returncode, 0, err)
        _, said = worker.communicate(timeout=30)
        self.assertEqual(worker.returncode, 0, said)
        self.assertEqual(local, self.fixture.trace("blind"))

    def test_an_image_that_no_worker_can_read_ends_the_run_and_is_named(self):
        folder = self.fixture.folder
        port = free_port()
        trainer = subprocess.Popen(
            [BINARY, "distill", self.fixture.path("merge.yaml"), f"run={folder}/unseen", "service.spawn=false",
             f"service.bind=tcp://127.0.0.1:{port}", "data.train.0.images=data/person/images"], cwd=folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        workers = [subprocess.Popen([BINARY, "teach", "--connect", f"tcp://127.0.0.1:{port}", "--name", name, "--weights",
                                     f"{folder}/{name}/weights/best.safetensors", "--connect-timeout", "5"], cwd="/",
                                    stderr=subprocess.DEVNULL) for name in ("person", "car")]
        _, err = trainer.communicate(timeout=120)
        self.assertEqual(trainer.returncode, 1, err)
        self.assertIn("data/person/images", err)
        self.assertRegex(err, "teacher '(person|car)'")
        for worker in workers:
            worker.wait(timeout=30)

    def test_stops_with_a_checkpoint_when_a_teacher_has_no_worker_left_and_goes_on_later(self):
        port = free_port()
        config = [self.fixture.path("merge.yaml"), f"run={self.fixture.folder}/stalled", "service.spawn=false",
                  f"service.bind=tcp://127.0.0.1:{port}", "service.stall_timeout=2", "service.stall_notice=0.5"]
        trainer = subprocess.Popen([BINARY, "distill", *config, "training.steps=5000"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        workers = self.start_workers(port)
        trace = os.path.join(self.fixture.folder, "stalled", "trace.txt")
        wait_for(lambda: os.path.exists(trace) and lines(trace) >= 5)
        workers[0].send_signal(signal.SIGTERM)
        workers[0].communicate(timeout=30)
        self.assertEqual(workers[0].returncode, 0)
        _, err = trainer.communicate(timeout=60)
        self.assertEqual(trainer.returncode, 3, err)
        self.assertIn("person", err)
        self.assertIn(f"conclave teach --connect tcp://127.0.0.1:{port} --name person", err)
        self.assertTrue(os.listdir(f"{self.fixture.folder}/stalled/checkpoint"))
        workers[1].communicate(timeout=30)

    def test_refuses_a_worker_with_other_weights_and_goes_on(self):
        port = free_port()
        trainer = subprocess.Popen(
            [BINARY, "distill", self.fixture.path("merge.yaml"), f"run={self.fixture.folder}/refusing", "service.spawn=false",
             f"service.bind=tcp://127.0.0.1:{port}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        weights = {name: f"{self.fixture.folder}/{name}/weights/best.safetensors" for name in ("person", "car")}
        wrong = run("teach", "--connect", f"tcp://127.0.0.1:{port}", "--name", "person", "--weights", weights["car"])
        self.assertNotEqual(wrong.returncode, 0)
        self.assertRegex(wrong.stderr, r"(?i)refused")
        garbage = socket.create_connection(("127.0.0.1", port))
        garbage.sendall(os.urandom(4096))
        workers = [subprocess.Popen([BINARY, "teach", "--connect", f"tcp://127.0.0.1:{port}", "--name", name, "--weights", file],
                                    stderr=subprocess.DEVNULL) for name, file in weights.items()]
        _, err = trainer.communicate(timeout=120)
        garbage.close()
        self.assertEqual(trainer.returncode, 0, err)
        for worker in workers:
            worker.wait(timeout=30)


def lines(path):
    with open(path) as text:
        return len(text.readlines())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def runs(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as command:
            return command.read() != ""  # empty: it ended, and nobody has waited for it yet
    except OSError:
        return False


def wait_for(condition, seconds=60):
    deadline = time.time() + seconds
    while not condition():
        if time.time() > deadline:
            raise AssertionError("waited too long")
        time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
