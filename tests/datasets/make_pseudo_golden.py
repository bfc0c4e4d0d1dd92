#!/usr/bin/env python3
"""Writes tests/golden/best_f1.json and box_fusion.json: what pycocotools and ensemble-boxes give for random problems.

    python3 -m venv VENV && VENV/bin/pip install pycocotools==2.0.11 ensemble-boxes==1.0.9
    VENV/bin/python tests/datasets/make_pseudo_golden.py

best_f1.json: for each problem of coco_ap.json and each class [objects, score, precision, recall, F1] of the best F1 at
IoU 0.5, found by trying every score on the matches that pycocotools makes. box_fusion.json: random boxes of up to three
models, their weights, and the fused boxes [x0, y0, x1, y1, score]; coordinates within [0,1], scores distinct.
"""
import contextlib
import io
import json
import pathlib

import numpy as np
from ensemble_boxes import weighted_boxes_fusion
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"


def best_f1(problem):
    classes = range(1, problem["classes"] + 1)
    truth = {"images": [{"id": i} for i in problem["images"]], "categories": [{"id": c} for c in classes],
             "annotations": [{"id": n + 1, "image_id": t[0], "category_id": t[1], "bbox": t[2:6], "area": t[6],
                              "iscrowd": t[7]} for n, t in enumerate(problem["truth"])]}
    results = dict(truth, annotations=[{"id": n + 1, "image_id": d[0], "category_id": d[1], "bbox": d[2:6],
                                        "area": d[4] * d[5], "iscrowd": 0, "score": d[6]}
                                       for n, d in enumerate(problem["detections"])])
    rows = []
    with contextlib.redirect_stdout(io.StringIO()):
        cocos = []
        for data in (truth, results):
            coco = COCO()
            coco.dataset = data
            coco.createIndex()
            cocos.append(coco)
        for c in classes:
            run = COCOeval(*cocos, "bbox")
            run.params.catIds, run.params.iouThrs = [c], np.array([0.5])
            run.params.areaRng, run.params.areaRngLbl, run.params.maxDets = [[0, 1e10]], ["all"], [100000]
            run.evaluate()
            images = [e for e in run.evalImgs if e]
            objects = sum(int(np.sum(np.logical_not(e["gtIgnore"]))) for e in images)
            found = [(s, m > 0) for e in images
                     for s, m, i in zip(e["dtScores"], e["dtMatches"][0], e["dtIgnore"][0]) if not i]
            best = [objects, 0.0, 0.0, 0.0, 0.0]
            for score in sorted({s for s, _ in found}, reverse=True):
                kept = [hit for s, hit in found if s >= score]
                hits = sum(kept)
                f1 = 2 * hits / (len(kept) + objects)
                if f1 > best[4]:
                    best = [objects, score, hits / len(kept), hits / objects, f1]
            rows.append(best)
    return rows


def fusion_problem(random, models):
    objects = np.sort(random.uniform(0.05, 0.95, (int(random.integers(1, 7)), 2, 2)), axis=1)
    boxes, scores = [], []
    for _ in range(models):
        own = []
        for x, y in ((o[:, 0], o[:, 1]) for o in objects):
            for _ in range(int(random.integers(0, 3))):
                jitter = random.normal(0, 0.02, 4)
                own.append([x[0] + jitter[0], y[0] + jitter[1], x[1] + jitter[2], y[1] + jitter[3]])
        own = [np.float32(np.clip(b, 0, 1)) for b in own]
        own = [b for b in own if b[2] > b[0] + 0.01 and b[3] > b[1] + 0.01]
        boxes.append(own)
        scores.append([np.float32(random.uniform(0.05, 1)) for _ in own])
    weights = [1.0] * models if random.random() < 0.5 else [round(float(w), 2) for w in random.uniform(0.2, 2, models)]
    fused, fused_scores, _ = weighted_boxes_fusion([np.array(b) for b in boxes], scores, [[0] * len(b) for b in boxes],
                                                   weights=weights, iou_thr=0.55)
    return {"weights": weights,
            "models": [[[*map(float, b), float(s)] for b, s in zip(*m)] for m in zip(boxes, scores)],
            "fused": [[*map(float, b), float(s)] for b, s in zip(fused, fused_scores)]}


def main():
    problems = json.loads((GOLDEN / "coco_ap.json").read_text())
    (GOLDEN / "best_f1.json").write_text(json.dumps([best_f1(p) for p in problems], separators=(",", ":")) + "\n")
    random = np.random.default_rng(3)
    cases = [fusion_problem(random, 1 + i % 3) for i in range(60)]
    (GOLDEN / "box_fusion.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
