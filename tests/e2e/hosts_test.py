"""Hosts of their own: the trainer and its workers in network namespaces that share no files but the program."""
import os
import shutil
import subprocess
import unittest

from support import BINARY, fixture, run

PREFIX = f"cv{os.getpid() % 100000}"
TRAINER, WORKER = f"{PREFIX}t", f"{PREFIX}w"


def ip(*args):
    return subprocess.run(["ip", *args], capture_output=True, text=True)


def namespaces():
    """Two hosts with a cable between them: 10.93.7.1 and 10.93.7.2. False where that can't be made here."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        return False
    for name in (TRAINER, WORKER):
        if ip("netns", "add", name).returncode != 0:
            return False
    if ip("link", "add", TRAINER, "type", "veth", "peer", "name", WORKER).returncode != 0:
        return False
    for name, address in ((TRAINER, "10.93.7.1/24"), (WORKER, "10.93.7.2/24")):
        ip("link", "set", name, "netns", name)
        ip("-n", name, "addr", "add", address, "dev", name)
        ip("-n", name, "link", "set", name, "up")
        ip("-n", name, "link", "set", "lo", "up")
    return True


class Hosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(lambda: [ip("netns", "del", name) for name in (TRAINER, WORKER)])
        if not namespaces():
            raise unittest.SkipTest("needs root, iproute2 and network namespaces")
        cls.fixture = fixture()
        cls.folder = cls.fixture.folder
        for name in ("trainer", "worker"):
            run("keys", "new", "--out", f"{cls.folder}/{name}", check=True)

    def worker(self, teacher):
        """On the other host, where the folder of images is empty."""
        home = f"{self.folder}/host-{teacher}"
        shutil.rmtree(home, ignore_errors=True)
        os.makedirs(home)
        for path in (f"{teacher}/weights/best.safetensors", "worker.key", "trainer.pub"):
            shutil.copy(f"{self.folder}/{path}", home)
        os.chmod(f"{home}/worker.key", 0o600)
        script = (f"mount -t tmpfs none {self.folder}/data && exec {BINARY} teach --connect tcp://10.93.7.1:5599 "
                  f"--name {teacher} --weights {home}/best.safetensors --key {home}/worker.key --trainer-key {home}/trainer.pub")
        log = open(f"{self.folder}/host-{teacher}.log", "w")
        self.addCleanup(log.close)
        process = subprocess.Popen(["ip", "netns", "exec", WORKER, "unshare", "--mount", "sh", "-c", script],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def distill(self, name, *overrides):
        return subprocess.run(
            ["ip", "netns", "exec", TRAINER, BINARY, "distill", self.fixture.path("merge.yaml"), f"run={self.folder}/{name}",
             "service.spawn=false", "service.bind=tcp://10.93.7.1:5599", f"service.keys.secret={self.folder}/trainer.key",
             f"service.keys.allow=[{self.folder}/worker.pub]", *overrides],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)

    def test_workers_without_the_images_give_the_same_bits_when_leases_carry_them(self):
        workers = [self.worker("person"), self.worker("car")]
        views = ["views.mosaic=0.5", "views.mix=0.5"]  # some views are of several images
        done = self.distill("two-hosts", "service.images=inline", *views, "--ranks", "2")
        logs = ""
        for teacher in ("person", "car"):
            with open(f"{self.folder}/host-{teacher}.log") as log:
                logs += log.read()
        self.assertEqual(done.returncode, 0, done.stderr + logs)
        for worker in workers:
            self.assertEqual(worker.wait(timeout=60), 0, logs)
        run("distill", self.fixture.path("merge.yaml"), f"run={self.folder}/one-host", *views, "--ranks", "2", check=True)
        self.assertEqual(self.fixture.trace("two-hosts"), self.fixture.trace("one-host"))

    def test_a_worker_that_sees_no_images_says_which_one_it_misses(self):
        for teacher in ("person", "car"):
            self.worker(teacher)
        done = self.distill("no-images")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"{self.folder}/data/", done.stderr)


if __name__ == "__main__":
    unittest.main()
