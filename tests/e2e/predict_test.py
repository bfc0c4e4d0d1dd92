"""What runs the student: predict on images, folders and videos, test-time augmentation, thresholds, exports, bench."""
import json
import os
import shutil
import struct
import tempfile
import unittest

from support import fixture, read_header, run, write_header


def load(path):
    with open(path) as content:
        return json.load(content)


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def motion_jpeg(path, jpegs, width, height, fps=10):
    """A video as AVI (Motion JPEG) of JPEG files of one size; RIFF as Microsoft's "AVI RIFF File Reference" has it."""
    frames, index, offset = b"", b"", 4
    for jpeg in jpegs:
        frame = chunk(b"00dc", jpeg)
        index += b"00dc" + struct.pack("<III", 16, offset, len(jpeg))
        offset += len(frame)
        frames += frame
    count, largest = len(jpegs), max(map(len, jpegs))
    main = struct.pack("<14I", 1000000 // fps, largest * fps, 0, 0x10, count, 0, 1, largest, width, height, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack("<IHHIIIIIIII4H", 0, 0, 0, 0, 1, fps, 0, count, largest, 0xFFFFFFFF, 0, 0, 0, width, height)
    picture = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    headers = b"hdrl" + chunk(b"avih", main) + chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", picture))
    body = b"AVI " + chunk(b"LIST", headers) + chunk(b"LIST", b"movi" + frames) + chunk(b"idx1", index)
    with open(path, "wb") as out:
        out.write(b"RIFF" + struct.pack("<I", len(body)) + body)


class Predict(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fixture = fixture()
        cls.photos = f"{cls.fixture.folder}/data/test/images"
        cls.annotations = f"{cls.fixture.folder}/data/test/annotations.json"
        cls.weights = f"{cls.fixture.folder}/person/weights/best.safetensors"

    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=self.fixture.folder)
        self.out = f"{self.folder}/out"

    def predict(self, *args, check=True, weights=None):
        done = run("predict", *args, "--weights", weights or self.weights, "--out", self.out, check=check)
        return done

    def detections(self):
        return load(f"{self.out}/detections.json")

    def photo(self, number=0):
        return f"{self.photos}/{sorted(os.listdir(self.photos))[number]}"

    def test_a_folder_is_searched_with_all_below_it(self):
        os.makedirs(f"{self.folder}/in/deep")
        shutil.copy(self.photo(0), f"{self.folder}/in/a.jpg")
        shutil.copy(self.photo(1), f"{self.folder}/in/deep/b.jpg")
        self.predict(f"{self.folder}/in", "--threshold", 0.05)
        result = self.detections()
        self.assertEqual([image["picture"] for image in result["images"]], ["a.jpg", "deep/b.jpg"])
        for image in result["images"]:
            self.assertTrue(os.path.exists(f"{self.out}/{image['picture']}"))
            self.assertEqual((image["width"], image["height"]), (128, 96))
            scores = [d["score"] for d in image["detections"]]
            self.assertEqual(scores, sorted(scores, reverse=True))
            for d in image["detections"]:
                self.assertEqual(d["class"], "person")
                x, y, width, height = d["bbox"]
                self.assertTrue(x >= 0 and y >= 0 and width > 0 and height > 0)
                self.assertTrue(x + width <= 128.001 and y + height <= 96.001)
        self.assertTrue(any(image["detections"] for image in result["images"]))

    def test_a_broken_image_is_named_at_the_end_and_the_rest_is_done(self):
        shutil.copytree(self.photos, f"{self.folder}/in")
        names = sorted(os.listdir(f"{self.folder}/in"))
        os.truncate(f"{self.folder}/in/{names[2]}", 900)
        with open(f"{self.folder}/in/empty.png", "w"):
            pass
        done = self.predict(f"{self.folder}/in", "--batch", 3, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(names[2], done.stderr)
        self.assertIn("empty.png", done.stderr)
        result = self.detections()
        self.assertEqual(len(result["images"]), len(names) - 1)
        self.assertEqual({os.path.basename(one["file"]) for one in result["failed"]}, {names[2], "empty.png"})

    def test_results_replace_nothing_unless_asked(self):
        shutil.copytree(self.photos, f"{self.folder}/in")
        self.predict(self.photo(), "--threshold", 0.05)
        first = self.detections()
        again = self.predict(self.photo(), check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("--overwrite", again.stderr)
        self.predict(self.photo(), "--overwrite", "--threshold", 0.9)
        self.assertNotEqual(first["thresholds"], self.detections()["thresholds"])
        self.out = f"{self.folder}/in"
        before = os.stat(f"{self.out}/{os.path.basename(self.photo())}").st_mtime_ns
        done = self.predict(f"{self.out}/{os.path.basename(self.photo())}", "--overwrite", check=False)
        self.assertIn("original", done.stderr)
        self.assertEqual(before, os.stat(f"{self.out}/{os.path.basename(self.photo())}").st_mtime_ns)

    def test_thresholds_count_per_class_and_come_from_the_weights(self):
        self.predict(self.photos, "--threshold", "0.9", "--threshold", "person=0.02", "--no-pictures")
        low = self.detections()
        self.assertEqual(low["thresholds"], {"person": 0.02})
        self.assertEqual(os.listdir(self.out), ["detections.json"])
        ready = f"{self.folder}/ready.safetensors"
        header, data = read_header(self.weights)
        header["__metadata__"]["thresholds"] = json.dumps({"person": 0.11})
        write_header(ready, header, data)
        self.predict(self.photos, "--overwrite", weights=ready)
        own = self.detections()
        self.assertEqual(own["thresholds"], {"person": 0.11})
        for image, all_of_it in zip(own["images"], low["images"]):
            self.assertEqual(image["detections"], [d for d in all_of_it["detections"] if d["score"] >= 0.11])
        self.predict(self.photos, "--overwrite", "--max", 1, "--threshold", 0.02)
        self.assertLessEqual(max(len(image["detections"]) for image in self.detections()["images"]), 1)
        for wrong in (["--threshold", "persn=0.3"], ["--threshold", "2"], ["--classes", "dog"], ["--scales", "1,1"],
                      ["--size", "100", "96"]):
            self.assertEqual(self.predict(self.photos, "--overwrite", *wrong, check=False).returncode, 2, wrong)

    def test_eval_finds_thresholds_that_predict_then_uses(self):
        ready = f"{self.folder}/ready.safetensors"
        done = run("eval", "--weights", self.weights, "--images", self.photos, "--annotations", self.annotations,
                   "--with-thresholds", ready, check=True)
        stated = json.loads(read_header(ready)[0]["__metadata__"]["thresholds"])
        self.assertEqual("best F1" in done.stdout, "person" in stated)
        self.predict(self.photos, weights=ready)
        self.assertAlmostEqual(self.detections()["thresholds"]["person"], stated.get("person", 0.3))

    def test_a_video_becomes_a_drawn_video_and_a_line_per_frame(self):
        jpegs = []
        for number in range(7):
            with open(self.photo(number), "rb") as jpeg:
                jpegs.append(jpeg.read())
        video = f"{self.folder}/drive.avi"
        motion_jpeg(video, jpegs, 128, 96)
        done = self.predict(video, "--threshold", 0.05, "--video-format", "avi", "--batch", 3, check=False)
        if "CONCLAVE_VIDEO" in done.stderr:
            self.skipTest("built without video")
        self.assertEqual(done.returncode, 0, done.stderr)
        entry = self.detections()["videos"][0]
        self.assertEqual((entry["frames"], entry["width"], entry["height"]), (7, 128, 96))
        with open(f"{self.out}/{entry['detections']}") as lines:
            frames = [json.loads(line) for line in lines]
        self.assertEqual([frame["frame"] for frame in frames], list(range(7)))
        self.assertAlmostEqual(frames[3]["time"], 3 / entry["fps"], places=6)
        # The same pictures as files: the same objects, but for what the video's decoder rounds.
        drawn, self.out = f"{self.out}/{entry['picture']}", f"{self.folder}/images"
        self.predict(*[self.photo(number) for number in range(7)], "--threshold", 0.05, "--no-pictures")
        for frame, image in zip(frames, self.detections()["images"]):
            self.assertAlmostEqual(len(frame["detections"]), len(image["detections"]), delta=15)
            for a, b in zip(frame["detections"][:1], image["detections"][:1]):
                self.assertAlmostEqual(a["score"], b["score"], delta=0.05)
        # What was written is a video of as many frames.
        self.out = f"{self.folder}/again"
        self.predict(drawn, "--no-pictures")
        self.assertEqual(self.detections()["videos"][0]["frames"], 7)

    def test_a_broken_video_is_named_and_the_rest_is_done(self):
        os.makedirs(f"{self.folder}/in")
        shutil.copy(self.photo(), f"{self.folder}/in/a.jpg")
        with open(f"{self.folder}/in/b.mp4", "wb") as broken:
            broken.write(b"no video" * 100)
        done = self.predict(f"{self.folder}/in", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("b.mp4", done.stderr)
        self.assertEqual(len(self.detections()["images"]), 1)

    def test_flip_and_scales_work_in_predict_and_eval_alike(self):
        for name, flags in (("flip", ["--tta", "flip"]), ("scales", ["--scales", "0.75,1,1.25"]),
                            ("nms", ["--scales", "1,1.25", "--merge", "nms", "--tta", "flip"])):
            self.out = f"{self.folder}/{name}"
            self.predict(self.photos, "--threshold", 0.02, "--no-pictures", *flags)
            coco = f"{self.folder}/{name}.json"
            run("eval", "--weights", self.weights, "--images", self.photos, "--annotations", self.annotations, "--detections",
                coco, *flags, check=True)
            ids = {os.path.basename(i["file_name"]): i["id"] for i in load(self.annotations)["images"]}
            for image in self.detections()["images"]:
                wanted = [d for d in load(coco) if d["image_id"] == ids[os.path.basename(image["image"])]]
                wanted = sorted((d["score"] for d in wanted if d["score"] >= 0.02), reverse=True)
                self.assertEqual(len(wanted), len(image["detections"]), name)
                for a, b in zip(wanted, image["detections"]):
                    self.assertAlmostEqual(a, b["score"], places=4)
        self.out = f"{self.folder}/plain"
        self.predict(self.photos, "--threshold", 0.02, "--no-pictures")
        plain, self.out = self.detections()["images"], f"{self.folder}/flip"
        self.assertNotEqual(plain, self.detections()["images"])

    def test_an_export_predicts_as_its_weights_do(self):
        for form, extra in (("torchscript", []), ("onnx", ["--outputs", "peaks"]), ("caffe", [])):
            folder = f"{self.folder}/{form}"
            done = run("export", self.weights, "--format", form, "--out", folder, "--no-verify", *extra)
            if "CONCLAVE_DNN" in done.stderr:
                continue
            self.assertEqual(done.returncode, 0, done.stderr)
            results = {}
            for weights in (self.weights, folder):
                self.out = f"{self.folder}/of-{form}-{weights == folder}"
                done = self.predict(self.photos, "--threshold", 0.05, "--no-pictures", weights=weights, check=False)
                if "CONCLAVE_DNN" in done.stderr:
                    break
                self.assertEqual(done.returncode, 0, done.stderr)
                results[weights] = self.detections()["images"]
            if len(results) < 2:
                continue
            for a, b in zip(results[self.weights], results[folder]):
                self.assertAlmostEqual(len(a["detections"]), len(b["detections"]), delta=1)
                for one, other in zip(a["detections"][:3], b["detections"][:3]):
                    self.assertAlmostEqual(one["score"], other["score"], places=3)
        alone = f"{self.folder}/alone"
        os.makedirs(alone)
        shutil.copy(f"{self.folder}/torchscript/model.pt", alone)
        self.out = f"{self.folder}/x"
        self.assertIn("model.json", self.predict(self.photos, weights=alone, check=False).stderr)

    def test_bench_prints_a_table_and_writes_its_figures(self):
        figures = f"{self.folder}/speed.json"
        other = f"{self.fixture.folder}/car/weights/best.safetensors"
        done = run("bench", self.weights, other, "--batch", "1,3", "--repeats", 3, "--threads", 1, "--json", figures,
                   check=True)
        for word in ("decode", "network", "post", "images/s", "ratio", "GFLOPs", "parameters", "float32"):
            self.assertIn(word, done.stdout)
        result = load(figures)
        self.assertEqual([one["file"] for one in result["files"]], [self.weights, other])
        for one in result["files"]:
            self.assertEqual([row["batch"] for row in one["batches"]], [1, 3])
            self.assertGreater(one["gflops"], 0)
            self.assertGreater(one["parameters"], 1000)
            self.assertEqual(one["bytes"], os.path.getsize(one["file"]))
            for row in one["batches"]:
                self.assertGreater(row["peak_memory_bytes"], 50e6)
                for stage in ("decode_ms_per_image", "network_ms_per_batch", "post_ms_per_batch"):
                    times = row[stage]
                    self.assertLessEqual(times["first_quartile"], times["median"])
                    self.assertLessEqual(times["median"], times["third_quartile"])
                total = row["batch"] * row["decode_ms_per_image"]["median"] + row["network_ms_per_batch"]["median"] + \
                    row["post_ms_per_batch"]["median"]
                self.assertAlmostEqual(row["images_per_second"], 1000 * row["batch"] / total, delta=0.01 * row["images_per_second"])
        self.assertNotEqual(run("bench", self.weights, "--json", figures).returncode, 0, "an existing file is not overwritten")


if __name__ == "__main__":
    unittest.main()
