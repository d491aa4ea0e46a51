#!/usr/bin/env python3
"""Prints DAVIS J, F and J&F of the embedded propagator over a folder of sequences, the first mask given; and seconds a
frame by the clock and by the processor (all threads, decoding included), which other work hardly changes.

    track_quality.py CLIPS_FOLDER MASKS_OUT [SEQUENCE ...] [--effort fast|balanced|best]

CLIPS_FOLDER holds ``JPEGImages/480p/NAME/%05d.jpg`` and ``Annotations/480p/NAME/%05d.png``. The predicted masks are
kept as MASKS_OUT/NAME/%05d.png (255 = object). The measures are those of ``davis_metrics.py``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from cleanplate_server.models.embedded.propagator import FlowPropagator
from cleanplate_server.models.protocols import RGB, Box, Key, Luma, Mask
from davis_metrics import score_pair
from numpy.typing import NDArray


class JpegFrames:
    """A folder of numbered JPEG images as `Frames`; keeps the last few decoded."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(folder.glob("*.jpg"))
        self._recent: dict[int, RGB] = {}

    @property
    def frames(self) -> range:
        return range(len(self._paths))

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.rgb(0).shape[:2]
        return height, width

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        if frame not in self._recent:
            picture = cv2.cvtColor(cv2.imread(str(self._paths[frame])), cv2.COLOR_BGR2RGB)
            self._recent[frame] = picture.astype(np.float32) / np.float32(255.0)
            self._recent[frame].flags.writeable = False
            while len(self._recent) > 4:
                self._recent.pop(next(iter(self._recent)))
        whole = self._recent[frame]
        return whole if box is None else whole[box.slices]

    def luma(self, frame: int) -> Luma:
        return self.rgb(frame) @ np.array([0.2126, 0.7152, 0.0722], np.float32)


def read_mask(path: Path) -> Mask:
    """Reads a mask image: bool [H, W]."""
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127


def follow(frames: JpegFrames, first: Mask, engine: FlowPropagator) -> list[Mask]:
    """Follows one object from frame 0 to the end of the shot."""
    key = Key(frame=0, object_id=1, mask=first)
    tracker = engine.follow(frames, [key], [key])
    return [first] + [tracker.step(frame)[0] >= 0.5 for frame in frames.frames[1:]]


def measure(clips: Path, name: str, out: Path, *, engine: FlowPropagator) -> tuple[float, float, float, float]:
    """Runs one sequence: mean J, mean F (both end frames apart), seconds and processor seconds a frame."""
    truth_paths = sorted((clips / "Annotations/480p" / name).glob("*.png"))
    truths: list[NDArray[np.bool_]] = [read_mask(p) for p in truth_paths]
    frames = JpegFrames(clips / "JPEGImages/480p" / name)
    began = time.perf_counter(), time.process_time()
    found = follow(frames, truths[0], engine)
    seconds = (time.perf_counter() - began[0]) / len(found)
    processor_seconds = (time.process_time() - began[1]) / len(found)
    (out / name).mkdir(parents=True, exist_ok=True)
    for path, mask in zip(truth_paths, found, strict=True):
        cv2.imwrite(str(out / name / path.name), mask.astype(np.uint8) * 255)
    regions, boundaries = score_pair(found, truths)
    return float(regions.mean()), float(boundaries.mean()), seconds, processor_seconds


def say(name: str, row: tuple[float, ...]) -> None:
    """Prints one line."""
    j, f, seconds, processor_seconds = row
    print(  # noqa: T201
        f"{name:16} {j:6.3f} {f:6.3f} {(j + f) / 2:6.3f} {seconds:6.3f} {processor_seconds:6.3f}", flush=True
    )


def main() -> None:
    """Prints one line for each sequence, and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("sequences", nargs="*")
    parser.add_argument("--effort", choices=("fast", "balanced", "best"), default="balanced")
    options = parser.parse_args()
    cv2.setNumThreads(1)  # as jobs do
    engine = FlowPropagator(effort=options.effort)
    names = options.sequences or sorted(p.name for p in (options.clips / "JPEGImages/480p").iterdir())
    rows = []
    print(f"{'sequence':16} {'J':>6} {'F':>6} {'JF':>6} {'s':>6} {'cpu s':>6}")  # noqa: T201
    for name in names:
        rows.append(measure(options.clips, name, options.out, engine=engine))
        say(name, rows[-1])
    say("mean", tuple(np.mean(rows, 0)))


if __name__ == "__main__":
    main()
