#!/usr/bin/env python3
"""Writes tests/golden/coco_ap.json: random detection problems with the numbers that pycocotools gives for them.

    python3 -m venv VENV && VENV/bin/pip install pycocotools numpy
    VENV/bin/python tests/datasets/make_ap_golden.py [--bccd ANNOTATIONS.json]

Boxes are multiples of a quarter pixel and scores of 1/64, so that they are exact in single precision and ties are common.
--bccd adds tests/golden/coco_ap_bccd.json: perturbed boxes of a real set as detections.
"""

import argparse
import contextlib
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"


def evaluate(truth, detections, categories):
    """The twelve numbers over all classes, then those of each class."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        results = coco.loadRes(detections) if detections else COCO()
        if not detections:
            results.dataset = dict(truth, annotations=[])
            results.createIndex()
        numbers = []
        for classes in [categories] + [[c] for c in categories]:
            run = COCOeval(coco, results, "bbox")
            run.params.catIds = classes
            run.evaluate()
            run.accumulate()
            run.summarize()
            numbers.append([float(x) for x in run.stats])
    return numbers


def random_box(rng, size):
    w, h = [max(1, int(x * 4)) / 4 for x in np.exp(rng.uniform(np.log(4), np.log(size), 2))]
    return [int(rng.uniform(0, size - w) * 4) / 4, int(rng.uniform(0, size - h) * 4) / 4, w, h]


def random_case(rng):
    size = float(rng.choice([64, 160, 320]))
    images = int(rng.integers(1, 6))
    categories = int(rng.integers(1, 4))
    ids = rng.permutation(100)[:images].tolist()
    truth, detections = [], []
    levels = int(rng.choice([4, 64]))  # few levels: many ties
    for image in ids:
        if rng.random() < 0.15:
            continue
        for _ in range(int(rng.integers(0, 6))):
            box, category = random_box(rng, size), int(rng.integers(1, categories + 1))
            crowd = int(rng.random() < 0.15)
            share = float(rng.choice([1, 1, 0.75]))  # the area of a mask is less than its box
            truth.append([image, category, *box, box[2] * box[3] * share, crowd])
            for _ in range(int(rng.choice([0, 1, 1, 2, 6]))):
                noise = rng.choice([0, 0.25, 1, 3, 8]) * rng.normal(size=4)
                moved = [round(float(b + n) * 4) / 4 for b, n in zip(box, noise)]
                if moved[2] > 0 and moved[3] > 0:
                    other = int(rng.integers(1, categories + 1)) if rng.random() < 0.1 else category
                    detections.append([image, other, *moved, int(rng.integers(1, levels + 1)) / 64])
        for _ in range(int(rng.integers(0, 4))):
            detections.append([image, int(rng.integers(1, categories + 1)), *random_box(rng, size),
                               int(rng.integers(1, levels + 1)) / 64])
    if rng.random() < 0.03 and ids:  # more than 100 of one class on one image
        for _ in range(130):
            detections.append([ids[0], 1, *random_box(rng, size), int(rng.integers(1, 65)) / 64])
    order = rng.permutation(len(detections))
    return {"images": ids, "classes": categories, "truth": truth, "detections": [detections[i] for i in order]}


def solve(case):
    categories = list(range(1, case["classes"] + 1))
    truth = {
        "images": [{"id": i, "width": 512, "height": 512} for i in case["images"]],
        "categories": [{"id": c, "name": str(c)} for c in categories],
        "annotations": [
            {"id": k + 1, "image_id": t[0], "category_id": t[1], "bbox": t[2:6], "area": t[6], "iscrowd": t[7]}
            for k, t in enumerate(case["truth"])
        ],
        "info": {},
    }
    detections = [{"image_id": d[0], "category_id": d[1], "bbox": d[2:6], "score": d[6]} for d in case["detections"]]
    return evaluate(truth, detections, categories)


def write(name, value):
    path = GOLDEN / name
    path.write_text(json.dumps(value, separators=(",", ":")))
    print(path, path.stat().st_size, "bytes")


def trimmed(number):
    return int(number) if float(number).is_integer() else number


def compact(case):
    return {k: [[trimmed(x) for x in row] for row in v] if k in ("truth", "detections") else v for k, v in case.items()}


def bccd_case(path):
    """Boxes as the C++ reader sees them: in single precision."""
    rng = np.random.default_rng(5)
    file = json.loads(pathlib.Path(path).read_text())
    detections = []
    for a in file["annotations"]:
        for _ in range(int(rng.choice([0, 1, 1, 1, 2]))):
            box = [round((b + rng.normal() * 4) * 4) / 4 for b in a["bbox"]]
            if min(box[2:]) > 0:
                detections.append([a["image_id"], a["category_id"], *box, int(rng.integers(1, 65)) / 64])
    results = [{"image_id": d[0], "category_id": d[1], "bbox": d[2:6], "score": d[6]} for d in detections]
    return {"detections": detections, "expect": evaluate(file, results, [c["id"] for c in file["categories"]])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bccd", help="COCO JSON of the set's test split")
    arguments = parser.parse_args()
    rng = np.random.default_rng(20)
    cases = []
    for _ in range(200):
        case = random_case(rng)
        cases.append(dict(compact(case), expect=[[round(x, 9) for x in row] for row in solve(case)]))
    write("coco_ap.json", cases)
    if arguments.bccd:
        write("coco_ap_bccd.json", bccd_case(arguments.bccd))


if __name__ == "__main__":
    main()
