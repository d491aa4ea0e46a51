#!/usr/bin/env python3
"""Prints frames a second of whole jobs on 80 frames of 854x480: start of the program, decoding, encoding, all included.

    job_speed.py CLIPS_FOLDER [--sequence bmx-trees] [--job fill] [--effort fast] [--folder DIR]

CLIPS_FOLDER is a folder of sequences as ``track_quality.py`` takes it. ``track`` is given the first mask, ``fill`` all
of them. The jobs run one after the other through the command itself, each with a server of its own. Anything else that
the machine does is in the figures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2

_FRAMES = 80
_RATE = Fraction(24)
_JOBS = ("track", "fill")
_EFFORTS = ("fast", "balanced", "best")
_TO_REACH = {("track", "fast"): 5, ("track", "balanced"): 1, ("fill", "fast"): 4, ("fill", "balanced"): 2}


def main() -> int:
    """Makes the clip, runs the jobs, prints the table; 1 where one is slower than it has to be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--sequence", default="bmx-trees", help="of at least 80 frames")
    parser.add_argument("--job", choices=_JOBS, action="append", help="these jobs alone")
    parser.add_argument("--effort", choices=_EFFORTS, action="append", help="these efforts alone")
    parser.add_argument("--folder", type=Path, help="where the clip and results are kept for as long as it runs")
    options = parser.parse_args()
    pictures = sorted((options.clips / "JPEGImages/480p" / options.sequence).glob("*.jpg"))
    masks = options.clips / "Annotations/480p" / options.sequence
    slow = False
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        media = _write(Path(made) / "clip.mp4", pictures)
        _say(f"{options.sequence}, {_FRAMES} frames")
        _say(f"{'job':<6} {'effort':<9} {'seconds':>8} {'frames/s':>9} {'at least':>9}")
        for job in options.job or _JOBS:
            for effort in options.effort or _EFFORTS:
                what = [str(masks)] if job == "fill" else ["--mask", f"0@{sorted(masks.glob('*.png'))[0]}"]
                output = str(Path(made) / (f"{effort}.mov" if job == "fill" else effort))
                how = ["--out", str(_FRAMES - 1), "--effort", effort, "-o", output, "-q"]
                seconds = _seconds([job, str(media), *what, *how], Path(made))
                speed, least = _FRAMES / seconds, _TO_REACH.get((job, effort), 0)
                slow |= speed < least
                _say(f"{job:<6} {effort:<9} {seconds:>8.1f} {speed:>9.2f} {least or '':>9}")
    return int(slow)


def _seconds(arguments: Sequence[str], folder: Path) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as state:
        command = [str(Path(sys.executable).with_name("cleanplate")), "--state-folder", state, *arguments]
        began = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began


def _write(path: Path, pictures: Sequence[Path]) -> Path:
    """The pictures as H.264 of good quality."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_RATE, options={"crf": "14"})
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = cv2.imread(str(pictures[0])).shape[:2]
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(cv2.imread(str(picture)), format="bgr24")))
        container.mux(stream.encode())
    return path


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
