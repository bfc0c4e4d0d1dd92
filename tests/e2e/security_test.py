"""Keys, and peers that mean harm: who has no key gets nothing, who disturbs is named, and the run gives the same bits."""
import os
import re
import signal
import stat
import subprocess
import sys
import time
import unittest

import hostile
from support import BINARY, fixture, run

HOSTILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hostile.py")


class Keys(unittest.TestCase):
    def setUp(self):
        self.fixture = fixture()
        self.folder = self.fixture.path("key-files")

    def test_are_made_once_and_only_their_owner_may_read_them(self):
        made = run("keys", "new", "--out", f"{self.folder}/one", check=True)
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.folder}/one.key").st_mode), 0o600)
        secret = secret_of(f"{self.folder}/one.key")
        again = run("keys", "new", "--out", f"{self.folder}/one")
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("never overwritten", again.stderr)
        self.assertEqual(secret_of(f"{self.folder}/one.key"), secret)
        shown = [run("keys", "show", f"{self.folder}/one{ending}", check=True).stdout.strip() for ending in (".key", ".pub")]
        self.assertEqual(shown[0], shown[1])
        self.assertNotIn(secret, made.stdout + made.stderr + "".join(shown))
        os.chmod(f"{self.folder}/one.key", 0o644)
        loose = run("keys", "show", f"{self.folder}/one.key")
        self.assertNotEqual(loose.returncode, 0)
        self.assertIn("chmod 600", loose.stderr)


class Secured(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fixture = fixture()
        cls.folder = cls.fixture.folder
        cls.keys = f"{cls.folder}/keys"
        if not os.path.exists(cls.keys):
            for name in ("trainer", "workers/good", "stranger"):
                run("keys", "new", "--out", f"{cls.keys}/{name}", check=True)
        cls.secrets = [secret_of(f"{cls.keys}/{name}.key") for name in ("trainer", "workers/good", "stranger")]
        cls.secured = [f"service.keys.secret={cls.keys}/trainer.key", f"service.keys.allow=[{cls.keys}/workers]"]
        cls.trace = {}

    def undisturbed(self, steps):
        """The loss trace of a run that nobody disturbs."""
        if steps not in self.trace:
            name = f"undisturbed-{steps}"
            run("distill", self.fixture.path("merge.yaml"), f"run={self.folder}/{name}", f"training.steps={steps}",
                "service.source=local", check=True)
            self.trace[steps] = self.fixture.trace(name)
        return self.trace[steps]

    def start(self, name, *overrides):
        """A trainer that logs to a file, and the port on which it listens."""
        log = self.fixture.path(f"{name}.log")
        with open(log, "w") as out:
            trainer = subprocess.Popen([BINARY, "distill", self.fixture.path("merge.yaml"), f"run={self.folder}/{name}", *overrides],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.addCleanup(end, trainer)
        served = wait_for(lambda: re.search(r"teachers are served at \S+:(\d+)", text_of(log)) or trainer.poll(), log)
        self.assertNotIsInstance(served, int, text_of(log))
        return trainer, int(served.group(1)), log

    def finish(self, trainer, log, steps, name):
        trainer.wait(timeout=300)
        self.assertEqual(trainer.returncode, 0, text_of(log))
        self.assertEqual(self.fixture.trace(name), self.undisturbed(steps))
        return text_of(log)

    def teach(self, port, name, *options):
        worker = subprocess.Popen([BINARY, "teach", "--connect", f"tcp://127.0.0.1:{port}", "--name", name, "--weights",
                                   f"{self.folder}/{name}/weights/best.safetensors", *options],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(end, worker)
        return worker

    def attack(self, kind, port):
        attacker = subprocess.Popen([sys.executable, "-B", HOSTILE, kind, str(port)], stdin=subprocess.DEVNULL)
        self.addCleanup(end, attacker)
        return attacker

    def assert_no_secret_below(self, *places):
        for place in places:
            files = [place] if os.path.isfile(place) else [os.path.join(at, name) for at, _, names in os.walk(place) for name in names]
            self.assertTrue(files)
            for path in files:
                with open(path, "rb") as content:
                    data = content.read()
                for secret in self.secrets:
                    self.assertNotIn(secret.encode(), data, path)

    def test_a_run_with_keys_starts_its_own_workers_gives_the_same_bits_and_shows_no_secret(self):
        trainer, _, log = self.start("secured", "training.steps=20", *self.secured)
        command_lines = wait_for(lambda: children_of(trainer.pid), log)
        self.assertTrue(any("teach" in line for line in command_lines))
        for secret in self.secrets:
            self.assertNotIn(secret, "".join(command_lines))
        self.finish(trainer, log, 20, "secured")
        self.assertTrue(os.path.exists(f"{self.folder}/secured/report.html"))
        self.assert_no_secret_below(f"{self.folder}/secured", log)

    def test_only_workers_with_an_allowed_key_get_in_and_the_others_are_told_why(self):
        trainer, port, log = self.start("outside-keys", "training.steps=20", "service.spawn=false", *self.secured)
        own = ("--key", f"{self.keys}/workers/good.key")
        refused = {
            "asks for a key|ask for a key": self.teach(port, "person", "--connect-timeout", "4"),
            "does not allow the key .*stranger.key": self.teach(port, "person", "--connect-timeout", "4", "--key",
                                                                f"{self.keys}/stranger.key", "--trainer-key", f"{self.keys}/trainer.pub"),
            "stranger.pub its public key": self.teach(port, "person", "--connect-timeout", "4", *own, "--trainer-key",
                                                      f"{self.keys}/stranger.pub"),
        }
        for reason, worker in refused.items():
            said, _ = worker.communicate(timeout=120)
            self.assertEqual(worker.returncode, 1, said)
            self.assertRegex(said, reason)
            self.assertNotRegex(said, r"serves tcp|RBC|served [1-9]")
            for secret in self.secrets:
                self.assertNotIn(secret, said)
        self.assertIsNone(trainer.poll(), text_of(log))
        good = [self.teach(port, name, *own, "--trainer-key", f"{self.keys}/trainer.pub") for name in ("person", "car")]
        said = self.finish(trainer, log, 20, "outside-keys")
        for worker in good:
            out, _ = worker.communicate(timeout=60)
            self.assertEqual(worker.returncode, 0, out)
            self.assertRegex(out, r"served [1-9]\d* leases")
        stranger = run("keys", "show", f"{self.keys}/stranger.pub", check=True).stdout.strip()
        self.assertIn(f"refused 127.0.0.1: its public key is not among the allowed ones: {stranger}", said)
        self.assertIn("was made for another trainer's key", said)
        self.assertEqual(said.count(stranger), 1, "once per peer")
        self.assert_no_secret_below(f"{self.folder}/outside-keys", log)

    def test_every_rank_asks_for_the_keys_or_is_told_to_do_without(self):
        for name, options in (("two-keys", self.secured), ("two-open", ["--insecure"])):
            done = run("distill", self.fixture.path("merge.yaml"), "--ranks", 2, f"run={self.folder}/{name}", "training.steps=6",
                       "service.bind=tcp://*:*", *options, check=True)
            self.assertEqual(len(self.fixture.trace(name).splitlines()), 6)
            self.assertEqual("insecure" in done.stderr, name == "two-open", done.stderr)

    def test_a_worker_with_half_its_keys_says_so(self):
        done = run("teach", "--connect", "tcp://127.0.0.1:1", "--name", "person", "--weights",
                   f"{self.folder}/person/weights/best.safetensors", "--key", f"{self.keys}/workers/good.key")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("--trainer-key", done.stderr)

    def test_other_hosts_are_let_in_only_with_keys_or_on_demand(self):
        config = self.fixture.path("merge.yaml")
        for bind in ("tcp://*:*", "tcp://0.0.0.0:*", "tcp://lo:*"):
            refused = run("distill", config, f"run={self.folder}/open", f"service.bind={bind}")
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn("conclave keys", refused.stderr)
            self.assertIn("--insecure", refused.stderr)
            self.assertFalse(os.path.exists(f"{self.folder}/open"))
        done = run("distill", config, f"run={self.folder}/open", "service.bind=tcp://*:*", "training.steps=4", "--insecure", check=True)
        self.assertIn("insecure", done.stderr)
        run("distill", config, f"run={self.folder}/open-keys", "service.bind=tcp://*:*", "training.steps=4", *self.secured, check=True)

    def test_bad_keys_stop_a_run_before_it_starts(self):
        for override, reason in (("service.keys.secret=absent.key", "absent.key"),
                                 (f"service.keys.secret={self.keys}/trainer.pub", "this is a public key"),
                                 (f"service.keys.allow=[{self.keys}/stranger.pub]", "service.keys.secret")):
            refused = run("distill", self.fixture.path("merge.yaml"), f"run={self.folder}/bad-keys", override)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(reason, refused.stderr)
            self.assertFalse(os.path.exists(f"{self.folder}/bad-keys"))

    def disturbed(self, name, kinds, *overrides):
        """A run under attack from its first to its last step; what its log says."""
        trainer, port, log = self.start(name, "training.steps=120", *overrides)
        attackers = [self.attack(kind, port) for kind in kinds]
        said = self.finish(trainer, log, 120, name)
        for kind, attacker in zip(kinds, attackers):
            self.assertIsNone(attacker.poll(), f"{kind} must go on to the end")
            end(attacker)
        self.assertLess(len(said), 40_000, "a hostile peer must not fill the log")
        return said

    def test_garbage_before_and_during_the_handshake_changes_nothing_and_is_reported(self):
        said = self.disturbed("garbage-keys", ("before", "during", "half"), *self.secured)
        self.assertRegex(said, r"refused 127\.0\.0\.1: ")
        self.assertRegex(said, r"refused \d+ connections in all")

    def test_garbage_at_every_stage_changes_nothing_and_is_reported_where_no_key_is_asked_for(self):
        said = self.disturbed("garbage-open", ("before", "during", *hostile.OPEN))
        self.assertRegex(said, r"refused 127\.0\.0\.1: ")
        self.assertIn("ignored a message that is not of a worker", said)
        self.assertIn("worker hostile refused: this run has no teacher 'nobody'", said)

    def test_attacks_on_a_trainer_without_keys_are_not_wasted_on_one_that_asks_for_them(self):
        trainer, port, log = self.start("unreachable", "training.steps=100000", "service.spawn=false", *self.secured)
        for kind in hostile.OPEN:
            attacker = subprocess.run([sys.executable, "-B", HOSTILE, kind, str(port)], stdin=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True, timeout=120)
            self.assertIn("asks for keys", attacker.stderr)
        self.assertIsNone(trainer.poll(), text_of(log))

    def test_a_flood_of_idle_connections_is_bounded_and_reported(self):
        said = self.disturbed("idle", ("flood",), *self.secured)
        self.assertIn("refused 127.0.0.1: more than 256 connections wait", said)
        self.assertGreater(int(re.search(r"refused (\d+) connections in all", said).group(1)), 700)

    def test_a_worker_that_stops_reading_costs_only_its_leases(self):
        trainer, port, log = self.start("stopped", "training.steps=40", "service.heartbeat_seconds=0.5", *self.secured)
        own = ("--key", f"{self.keys}/workers/good.key", "--trainer-key", f"{self.keys}/trainer.pub")
        worker = self.teach(port, "person", *own)
        wait_for(lambda: text_of(log).count("serves teacher 'person'") >= 2 or trainer.poll() is not None, log)
        worker.send_signal(signal.SIGSTOP)
        self.finish(trainer, log, 40, "stopped")


def secret_of(path):
    with open(path) as lines:
        return next(line.split()[1] for line in lines if line.startswith("secret "))


def children_of(pid):
    """The command lines of a process's children."""
    found = []
    for child in subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True).stdout.split():
        try:
            with open(f"/proc/{child}/cmdline") as words:
                found.append(words.read().replace("\0", " "))
        except OSError:
            pass
    return found


def text_of(path):
    with open(path) as text:
        return text.read()


def end(process):
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdout and not process.stdout.closed:
        process.stdout.close()


def wait_for(condition, log, seconds=120):
    deadline = time.time() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.time() > deadline:
            raise AssertionError("waited too long\n" + text_of(log))
        time.sleep(0.05)


if __name__ == "__main__":
    hostile.allow_descriptors(4096)
    unittest.main()
