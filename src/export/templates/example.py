#!/usr/bin/env python3
"""Loads @FILE@, finds objects in images and draws their boxes.

    pip install @PACKAGES@ numpy opencv-python-headless
    python3 example.py photo.jpg ...

Writes photo.boxes.jpg beside this file and prints a line per object: image, class, score, x, y, width, height.
"""
import json
import sys
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
ABOUT = json.loads((HERE / "model.json").read_text())  # classes, input and outputs of the file
WIDTH, HEIGHT = ABOUT["width"], ABOUT["height"]
THRESHOLDS = ABOUT.get("thresholds", {})  # lowest score that counts, by class; 0.3 for others

@LOAD@

def read(path):
    """The image in BGR, and the view that the network looks at: fitted into its input and centred, grey around."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imread(path, flags)
    if image is None:
        sys.exit(f"{path}: can't be read")
    height, width = image.shape[:2]
    scale = min(WIDTH / width, HEIGHT / height)
    shrunk, reduction = image, 1  # a large image is halved while it is decoded, so that nothing aliases
    while scale * reduction < 0.7:
        reduction *= 2
    if reduction in (2, 4):
        shrunk = cv2.imread(path, flags | {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}[reduction])
    elif reduction > 4:
        shrunk = cv2.resize(image, (-(-width // reduction), -(-height // reduction)), interpolation=cv2.INTER_AREA)
    left, top = (WIDTH - scale * width) / 2, (HEIGHT - scale * height) / 2
    step = 1 / scale / reduction
    back = np.array([[step, 0, (0.5 - left) * step - 0.5], [0, step, (0.5 - top) * step - 0.5]])
    view = cv2.warpAffine(shrunk, back, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_CONSTANT, borderValue=(114, 114, 114))
    return image, view, (scale, left, top)


def to_input(view):
    if ABOUT["input"] != "bgr":
        view = view[..., ::-1]
    if ABOUT["input"] == "normalised":
        view = (view.astype(np.float32) - np.float32(ABOUT["mean"])) / np.float32(ABOUT["std"])
    array = np.ascontiguousarray(view.transpose(2, 0, 1)[None], dtype=ABOUT["input_type"])
    return array if ABOUT["dynamic_batch"] else np.repeat(array, ABOUT["batch"], axis=0)


def decode(outputs):
    """Rows of class, score, x0, y0, x1, y1 in pixels of the view, the strongest first."""
    outputs = dict(zip(ABOUT["outputs"], (output[0] for output in outputs)))
    if "boxes" in outputs:
        return [(c, s, *box) for c, s, box in zip(outputs["classes"], outputs["scores"], outputs["boxes"])]
    if "peaks" in outputs:
        peaks = outputs["peaks"]
    else:  # probabilities that are the largest of their 3x3 neighbourhood
        p = 1 / (1 + np.exp(-outputs["heat"]))
        rows, columns = p.shape[1:]
        around = np.pad(p, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
        highest = np.max([around[:, y:y + rows, x:x + columns] for y in range(3) for x in range(3)], axis=0)
        peaks = np.where(p == highest, p, 0)
    found = []
    for index in np.argsort(-peaks, axis=None, kind="stable")[:100]:
        c, y, x = np.unravel_index(index, peaks.shape)
        own = 0 if len(outputs["wh"]) == 2 else 2 * c  # the first of two channels: of all classes, or of this one
        w, h = np.maximum(outputs["wh"][own:own + 2, y, x], 0)
        x, y = outputs["offset"][:, y, x] + (x, y)
        found.append((c, peaks.flat[index], *(ABOUT["stride"] * np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]))))
    return found


for path in sys.argv[1:]:
    image, view, (scale, left, top) = read(path)
    for c, score, x0, y0, x1, y1 in decode(run(to_input(view))):
        x0, x1 = (min(max((x - left) / scale, 0), image.shape[1]) for x in (x0, x1))
        y0, y1 = (min(max((y - top) / scale, 0), image.shape[0]) for y in (y0, y1))
        name = ABOUT["classes"][int(c)]
        if score < THRESHOLDS.get(name, 0.3) or x1 <= x0 or y1 <= y0:
            continue
        print(path, name, f"{score:.5f} {x0:.3f} {y0:.3f} {x1 - x0:.3f} {y1 - y0:.3f}", sep="\t")
        corner = (round(x0), round(y0))
        cv2.rectangle(image, corner, (round(x1), round(y1)), (0, 160, 255), 2)
        cv2.putText(image, f"{name} {score:.2f}", (corner[0], max(12, corner[1] - 4)), cv2.FONT_HERSHEY_SIMPLEX, 0.5,
                    (0, 160, 255), 1, cv2.LINE_AA)
    cv2.imwrite(str(HERE / (Path(path).stem + ".boxes.jpg")), image)
