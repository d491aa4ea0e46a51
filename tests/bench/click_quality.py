#!/usr/bin/env python3
"""Prints the mean IoU of the embedded segmenter after 1, 3 and 5 simulated clicks on frames of a clips folder.

    click_quality.py CLIPS_FOLDER [--frame N] [--alone] [--out FOLDER]

The first click is the object's pixel farthest from its border, each next one likewise in the largest wrong region.
The embedded segmenter does the same at every effort, so there is one table for all.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from cleanplate_server.models.embedded.segmenter import GrabCutSegmenter
from cleanplate_server.models.protocols import RGB, Mask, Point, Prompt

_CLICKS = 5


def centre_of(region: Mask) -> tuple[int, int]:
    """(x, y) of the pixel farthest from the region's border; the picture's border counts as one."""
    padded = np.pad(region, 1).astype(np.uint8)
    y, x = np.unravel_index(np.argmax(cv2.distanceTransform(padded, cv2.DIST_L2, 5)), padded.shape)
    return int(x) - 1, int(y) - 1


def next_click(found: Mask, truth: Mask) -> Point:
    """A click in the middle of the largest wrong region."""
    best, place, inside = 0, (0, 0), True
    for wrong, missing in ((truth & ~found, True), (found & ~truth, False)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8), connectivity=8)
        if count > 1:
            largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
            if stats[largest, cv2.CC_STAT_AREA] > best:
                best, place, inside = int(stats[largest, cv2.CC_STAT_AREA]), centre_of(labels == largest), missing
    return Point(*place, inside=inside)


def iou(found: Mask, truth: Mask) -> float:
    """Intersection over union."""
    return np.count_nonzero(found & truth) / max(1, np.count_nonzero(found | truth))


def read(picture: Path) -> RGB | None:
    """The picture as the contracts want it, None where there is none."""
    stored = cv2.imread(str(picture)) if picture.exists() else None
    return None if stored is None else cv2.cvtColor(stored, cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(255)


def click_through(picture: Path, truth: Mask, out: Path | None, *, alone: bool) -> tuple[list[float], float, float]:
    """Clicks five times: IoU after each, best IoU of the first click's candidates, seconds of the slowest answer."""
    rgb, number = read(picture), int(picture.stem)
    assert rgb is not None

    def nearby(offset: int, size: tuple[int, int]) -> RGB | None:
        other = read(picture.with_stem(f"{number + offset:05d}"))
        return None if other is None else cv2.resize(other, size[::-1], interpolation=cv2.INTER_AREA)

    image = GrabCutSegmenter().prepare(rgb, None if alone else nearby)
    points: list[Point] = []
    found, scores, slowest, oracle = np.zeros_like(truth), [], 0.0, 0.0
    for count in range(_CLICKS):
        points.append(next_click(found, truth))
        began = time.perf_counter()
        answers = image.segment(Prompt(frame=0, points=tuple(points)), found if count else None)
        slowest = max(slowest, time.perf_counter() - began)
        found = answers[0].mask
        scores.append(iou(found, truth))
        oracle = oracle or max(iou(a.mask, truth) for a in answers)
        if out is not None:
            draw(rgb, found, points, out / f"{picture.parent.name}-{count + 1}.jpg")
    return scores, oracle, slowest


def draw(rgb: RGB, found: Mask, points: list[Point], path: Path) -> None:
    """Writes the picture with the mask in red and the clicks as dots."""
    shown = np.rint(rgb * 255).astype(np.uint8)
    shown[found] = shown[found] // 2 + np.array([127, 0, 0], np.uint8)
    for p in points:
        cv2.circle(shown, (int(p.x), int(p.y)), 6, (0, 255, 0) if p.inside else (0, 0, 255), cv2.FILLED)
    cv2.imwrite(str(path), shown[..., ::-1])


def main() -> None:
    """Prints a line for each sequence, and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--frame", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="without the frames nearby")
    parser.add_argument("--out", type=Path, help="folder for pictures of each answer")
    options = parser.parse_args()
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for folder in sorted((options.clips / "JPEGImages/480p").iterdir()):
        name = f"{options.frame:05d}"
        truth = cv2.imread(str(options.clips / "Annotations/480p" / folder.name / f"{name}.png"), 0) > 127
        scores, oracle, slowest = click_through(folder / f"{name}.jpg", truth, options.out, alone=options.alone)
        rows.append([*scores, oracle, slowest])
        print(f"{folder.name:16}" + "".join(f" {s:6.3f}" for s in rows[-1]), flush=True)  # noqa: T201
    print(f"{'mean':16}" + "".join(f" {s:6.3f}" for s in np.mean(rows, 0)))  # noqa: T201
    print("columns: IoU after 1, 2, 3, 4, 5 clicks; best of the first click's candidates; slowest answer in s")  # noqa: T201


if __name__ == "__main__":
    main()
