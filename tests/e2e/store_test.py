"""The target store: recorded, replayed without workers, and looked after, with the loss trace compared bit for bit."""
import glob
import os
import re
import signal
import subprocess
import time
import unittest

from support import BINARY, fixture, run

IMAGES = 32  # of both training sets
TEACHERS = 2


class Store(unittest.TestCase):
    def setUp(self):
        self.fixture = fixture()
        self.store = os.path.join(self.fixture.folder, "targets-" + self.id().rsplit(".", 1)[-1])

    def command(self, name, mode, *overrides):
        store = [f"service.store.mode={mode}", f"service.store.folder={self.store}"] if mode != "off" else []
        return ["distill", self.fixture.path("merge.yaml"), f"run={self.fixture.folder}/{name}", "data.views_per_image=2",
                "training.steps=24", *store, *overrides]

    def distil(self, name, mode, *overrides):
        return run(*self.command(name, mode, *overrides), check=True).stderr

    def workers_of(self, name):
        return glob.glob(f"{self.fixture.folder}/{name}/workers/*.log")

    def segments(self):
        return sorted(glob.glob(f"{self.store}/*.seg"))

    def test_replays_a_recorded_run_without_workers_to_the_same_bits(self):
        self.distil("live", "off")
        live = self.fixture.trace("live")
        self.assertEqual(len(live.splitlines()), 24)

        self.distil("recorded", "record")
        self.assertEqual(live, self.fixture.trace("recorded"))
        self.assertEqual(len(self.workers_of("recorded")), TEACHERS)

        said = self.distil("replayed", "replay", "service.bind=tcp://nobody.invalid:1")
        self.assertEqual(live, self.fixture.trace("replayed"))
        self.assertEqual(self.workers_of("replayed"), [])
        self.assertIn("96 of 96 views came from the store", said)

        self.distil("kept", "auto")
        self.assertEqual(live, self.fixture.trace("kept"))
        self.assertEqual(self.workers_of("kept"), [])
        self.assertEqual(len(self.segments()), 1)

    def test_another_seed_and_another_number_of_views_use_what_is_there(self):
        self.distil("first", "auto", "service.source=local")
        said = self.distil("other-seed", "replay", "seed=5")
        self.assertIn("96 of 96 views came from the store", said)
        self.assertNotEqual(self.fixture.trace("first"), self.fixture.trace("other-seed"))
        # Three epochs: two views of each image are there, the third is asked.
        said = self.distil("more-views", "auto", "data.views_per_image=3")
        self.assertIn("64 of 96 views came from the store", said)
        listed = run("store", "list", self.store, check=True).stdout
        self.assertIn(f"2 segments, {3 * IMAGES * TEACHERS} records", listed)

    def test_pseudo_labels_come_from_the_store_too(self):
        self.distil("pseudo", "auto", "fusion.method=pseudo", "fusion.pseudo.threshold=0.05")
        said = self.distil("pseudo-again", "replay", "fusion.method=pseudo", "fusion.pseudo.threshold=0.05")
        self.assertIn("32 of 32 views came from the store", said)
        self.assertEqual(self.fixture.trace("pseudo"), self.fixture.trace("pseudo-again"))

    def test_two_ranks_write_and_read_one_store(self):
        self.distil("ranks-live", "off", "--ranks", "2")
        self.distil("ranks-kept", "auto", "--ranks", "2")
        self.assertEqual(len(self.segments()), 2)
        self.distil("ranks-replayed", "replay", "--ranks", "2")
        self.assertEqual(self.workers_of("ranks-replayed"), [])
        self.assertEqual(self.fixture.trace("ranks-live"), self.fixture.trace("ranks-kept"))
        self.assertEqual(self.fixture.trace("ranks-live"), self.fixture.trace("ranks-replayed"))

    def test_says_what_is_missing_from_a_replay(self):
        self.distil("short", "record", "training.steps=4")
        done = run(*self.command("long", "replay"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"no targets of teacher (person|car) .* are stored for a view of \S+/data/\S+")
        self.assertIn("service.store.mode=auto", done.stderr)
        done = run(*self.command("floor", "replay", "fusion.floor=0.2"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("conclave store list", done.stderr)
        self.store += "-absent"
        done = run(*self.command("absent", "replay"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("there is no such store", done.stderr)
        done = run(*self.command("nowhere", "off"), "service.store.mode=auto")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("service.store.folder is missing", done.stderr)

    def test_a_trainer_killed_while_it_records_goes_on_with_what_it_kept(self):
        steps = "training.steps=48"
        self.distil("whole", "off", steps)
        command = self.command("killed", "auto", steps)
        trainer = subprocess.Popen([BINARY, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        trace = os.path.join(self.fixture.folder, "killed", "trace.txt")
        wait_for(lambda: os.path.exists(trace) and lines(trace) >= 6)
        trainer.send_signal(signal.SIGKILL)
        trainer.communicate(timeout=60)
        self.assertTrue(self.segments())
        run("store", "verify", "--repair", self.store, check=True)
        before = os.path.getsize(self.segments()[0])
        said = run(*command, "--resume", check=True).stderr
        self.assertRegex(said, r"[1-9]\d* targets are stored")
        self.assertEqual(self.fixture.trace("whole"), self.fixture.trace("killed"))
        self.assertEqual(before, os.path.getsize(self.segments()[0]))

    def test_lists_verifies_merges_and_evicts(self):
        self.distil("upkeep", "record", "service.source=local")
        records = 2 * IMAGES * TEACHERS
        listed = run("store", "list", self.store, check=True).stdout
        self.assertIn(f"1 segments, {records} records", listed)
        hashes = re.findall(r'"hash":"([0-9a-f]{64})"', listed)
        self.assertEqual(len(hashes), TEACHERS)
        self.assertEqual(len(re.findall(r"64 records, .* bytes per view", listed)), TEACHERS)
        self.assertIn(f"1 segments: {records} records are whole, 0 damaged", run("store", "verify", self.store, check=True).stdout)

        segment = self.segments()[0]
        with open(segment, "ab") as out:
            out.write(b"half a record")
        done = run("store", "verify", self.store)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cut off in its last 13 bytes", done.stdout)
        self.assertIn("--repair", done.stderr)
        self.assertIn("was cut off", run("store", "verify", "--repair", self.store, check=True).stdout)
        run("store", "verify", self.store, check=True)

        with open(segment, "r+b") as out:
            out.seek(-6, os.SEEK_END)
            byte = out.read(1)
            out.seek(-6, os.SEEK_END)
            out.write(bytes([byte[0] ^ 1]))
        done = run("store", "verify", self.store)
        self.assertEqual(done.returncode, 1)
        self.assertIn("1 damaged records", done.stdout)
        self.assertIn("conclave store merge", done.stderr)
        other = self.store + "-other"
        self.assertIn(f"{records - 1} records written", run("store", "merge", other, self.store, self.store, check=True).stdout)
        run("store", "verify", other, check=True)
        self.assertIn(f"{records - 1} records written", run("store", "merge", self.store, check=True).stdout)
        run("store", "verify", self.store, check=True)

        evicted = run("store", "evict", other, "--teacher", hashes[0][:8], check=True).stdout
        self.assertRegex(evicted, r"^6[34] records and 1 segments removed")
        listed = run("store", "list", "--segments", other, check=True).stdout
        self.assertNotIn(hashes[0], listed)
        self.assertIn(hashes[1], listed)
        self.assertIn("0 records", run("store", "evict", other, "--to-size", "1G", check=True).stdout)
        run("store", "evict", other, "--to-size", "0", check=True)
        self.assertIn("0 segments, 0 records", run("store", "list", other, check=True).stdout)
        for nothing in (other, other + "-misspelt"):
            merged = run("store", "merge", nothing)
            self.assertEqual(merged.returncode, 2, merged.stdout)
            self.assertIn("holds no segment of a target store", merged.stderr)
        self.assertFalse(os.path.exists(other + "-misspelt"))

    def test_explains_what_it_cannot_do(self):
        for arguments in (["store", "list", "/no/such/folder"], ["store", "evict", self.fixture.folder],
                          ["store", "evict", self.fixture.folder, "--to-size", "big"], ["store"], ["store", "merge"]):
            done = run(*arguments)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertRegex(done.stderr, "hint|--help|no such|can't list|required", arguments)
        for verb in ("list", "verify", "merge", "evict"):
            self.assertIn(f"conclave store {verb} ", run("store", verb, "--help", check=True).stdout)


def lines(path):
    with open(path) as text:
        return len(text.readlines())


def wait_for(condition, seconds=120):
    deadline = time.time() + seconds
    while not condition():
        if time.time() > deadline:
            raise AssertionError("waited too long")
        time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
