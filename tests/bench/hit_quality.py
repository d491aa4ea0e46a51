#!/usr/bin/env python3
"""Prints what the embedded segmenter makes of a name's hit: mean IoU from its box alone, and with its rough mask.

    hit_quality.py CLIPS_FOLDER [--frame N]

The hit is made from the truth as Mask R-CNN would give it at best: the box, and the mask in 28 by 28 cells, blurred.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from cleanplate_server.models.embedded.segmenter import GrabCutSegmenter
from cleanplate_server.models.protocols import RGB, Box, Mask, Prompt
from click_quality import iou, read

_CELLS = 28


def hit_of(truth: Mask) -> tuple[Box, Mask]:
    """The box of an object, and its mask as a network of few cells sees it."""
    rows, columns = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
    box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    cut = truth[box.slices].astype(np.float32)
    cells = cv2.GaussianBlur(cv2.resize(cut, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA), (0, 0), 1.0)
    rough = np.zeros_like(truth)
    rough[box.slices] = cv2.resize(cells, cut.shape[::-1]) >= 0.5
    return box, rough


def compare(picture: Path, truth: Mask) -> tuple[float, float, float]:
    """IoU of the segmenter from the box, from box and rough mask, and of the rough mask by itself."""
    rgb, number = read(picture), int(picture.stem)
    assert rgb is not None

    def nearby(offset: int, size: tuple[int, int]) -> RGB | None:
        other = read(picture.with_stem(f"{number + offset:05d}"))
        return None if other is None else cv2.resize(other, size[::-1], interpolation=cv2.INTER_AREA)

    image = GrabCutSegmenter().prepare(rgb, nearby)
    box, rough = hit_of(truth)
    prompt = Prompt(0, box=box)
    found = [image.segment(asked)[0].mask for asked in (prompt, replace(prompt, mask=rough))]
    return iou(found[0], truth), iou(found[1], truth), iou(rough, truth)


def main() -> None:
    """Prints a line for each sequence, and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--frame", type=int, default=0)
    options = parser.parse_args()
    rows = []
    for folder in sorted((options.clips / "JPEGImages/480p").iterdir()):
        name = f"{options.frame:05d}"
        truth = cv2.imread(str(options.clips / "Annotations/480p" / folder.name / f"{name}.png"), 0) > 127
        rows.append(compare(folder / f"{name}.jpg", truth))
        print(f"{folder.name:16}" + "".join(f" {s:6.3f}" for s in rows[-1]), flush=True)  # noqa: T201
    print(f"{'mean':16}" + "".join(f" {s:6.3f}" for s in np.mean(rows, 0)))  # noqa: T201
    print("columns: IoU from the box alone, from box and rough mask, of the rough mask itself")  # noqa: T201


if __name__ == "__main__":
    main()
