#!/usr/bin/env python3
"""Prints the peak memory of whole jobs on short and on long media of 1080p, which must not differ by more than 5 %.

    memory.py [--size 1080p] [--seconds 10 60] [--job fill] [--effort fast] [--folder DIR]

Material is of its own making (see ``loops.py``). The jobs run through the command itself, each in a state folder of its
own; measured is the largest process that the command started, which is the job's worker. ``fill`` is given the true
masks, ``track`` and ``remove`` a box around the round thing on the first frame. The exit code is 1 where a job needs
more for the long media than for the short one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from loops import LOOP_FRAMES, RATE, SIZES, BallMasks, make_loop, repeat, write_masks

_JOBS = ("track", "fill", "remove")
_LARGEST_RATIO = 1.05
_LOOP_SECONDS = LOOP_FRAMES // RATE


def main() -> int:
    """Makes the material, runs the jobs, prints the table."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        folder = Path(made)
        size = SIZES[options.size]
        loop = make_loop(folder / "loop.mp4", size)
        repeats = -(-max(options.seconds) // _LOOP_SECONDS)
        media = repeat(loop, folder / "media.mp4", repeats)
        masks = write_masks(folder / "masks", size, repeats)
        return _table(options, media, masks)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="1080p")
    parser.add_argument("--seconds", type=int, nargs=2, default=(10, 60), metavar=("SHORT", "LONG"))
    parser.add_argument("--job", choices=_JOBS, action="append", help="these jobs alone")
    parser.add_argument("--effort", default="fast", help="as the command takes it")
    parser.add_argument("--folder", type=Path, help="where material and results are kept for as long as it runs")
    return parser.parse_args()


def _table(options: argparse.Namespace, media: Path, masks: Path) -> int:
    _say(f"{options.size}, {options.effort}\n{'job':<7} {'media':>6} {'peak MiB':>9} {'ratio':>6} {'seconds':>8}")
    largest = 0.0
    for job in options.job or _JOBS:
        short = 0
        for seconds in options.seconds:
            began = time.monotonic()
            peak = _peak_bytes(_command(job, media, masks, seconds, options), media.parent)
            ratio = peak / short if short else 1.0
            short, largest = short or peak, max(largest, ratio)
            took = time.monotonic() - began
            _say(f"{job:<7} {seconds:>4} s {peak / (1 << 20):>9.0f} {ratio:>6.3f} {took:>8.0f}")
    return int(largest > _LARGEST_RATIO)


def _command(job: str, media: Path, masks: Path, seconds: int, options: argparse.Namespace) -> list[str]:
    box = BallMasks(SIZES[options.size]).box(0)
    what = [str(masks)] if job == "fill" else ["--box", f"0@{box.x0},{box.y0},{box.x1 - 1},{box.y1 - 1}"]
    output = media.parent / f"{job}-{seconds}{'' if job == 'track' else '.mp4'}"
    range_ = ["--out", str(seconds * RATE - 1), "--effort", options.effort, "-o", str(output), "-q"]
    return [job, str(media), *what, *range_]


def _peak_bytes(arguments: Sequence[str], folder: Path) -> int:
    """Runs a command and gives the peak memory of the largest process in it."""
    with tempfile.TemporaryDirectory(dir=folder) as state:
        command = [str(Path(sys.executable).with_name("cleanplate")), "--state-folder", state, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
