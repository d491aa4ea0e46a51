#!/usr/bin/env python3
"""Prints frames a second and peak memory of each stage, beside the floor: decoding and encoding alone.

    speed.py [--quick] [--size 480p] [--stage fill] [--folder DIR]

Material is of its own making (see ``loops.py``), 10 s and (the same six times over) 60 s long. Each measurement runs in
a process of its own, so that its peak memory is its own. Slow stages do a part of the frames, always six times as many
for 60 s as for 10 s, so that memory that grows with length would show; the table says how many. Caches of a fixed size
(plates, and the fill's sources) fill up over the first hundreds of frames; what grows beyond them is a fault.
``--quick`` leaves out 4K and 60 s. ``memory.py`` compares whole jobs on media of the two lengths.

    decode    planes of consecutive frames
    segment   one click on each of some frames, spread over the media
    track     one object along consecutive frames
    fill      a survey of consecutive frames (their count is in brackets), then some of them filled
    encode    ProRes 422 HQ from plates that are there already
    floor     decode and encode
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from cleanplate_server.clip import Media, PixelFormat
from cleanplate_server.models.protocols import Key, Point, Prompt
from cleanplate_server.models.registry import Registry
from cleanplate_server.pipeline.job import PLATE_CACHE_BYTES
from cleanplate_server.stages.decode import Decoder, probe
from cleanplate_server.stages.encode import Target, Writer, converts, delivery_format, delivery_tags
from cleanplate_server.stages.plates import MaskedShot, PlateCache
from cleanplate_server.stages.segment import ClipSession
from loops import LOOP_FRAMES, RATE, SIZES, BallMasks, ball_centre, make_loop, repeat
from process_memory import peak_bytes

_STAGES = ("floor", "decode", "segment", "track", "fill", "encode")
_FRAMES = {
    "floor": (240, 60, 15),
    "decode": (240, 240, 120),
    "segment": (3, 2, 1),
    "track": (12, 6, 3),
    "fill": (4, 2, 1),
    "encode": (240, 60, 15),
}
"""Frames done for 10 s of media, by size; six times as many for 60 s."""
_SURVEYED = (60, 24, 8)


@dataclass(frozen=True)
class Measure:
    """What one child measured.

    Args:
        frame_count: frames done.
        seconds: for them, without start and opening.
        peak_bytes: of the whole process.
    """

    frame_count: int
    seconds: float
    peak_bytes: int


def main() -> None:
    """Makes the material, measures, prints the table."""
    options = _options()
    if options.measure:
        _measure(*options.measure)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        _table(Path(made), options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 s of 480p and 1080p alone")
    parser.add_argument("--size", choices=SIZES, action="append", help="these sizes alone")
    parser.add_argument("--stage", choices=_STAGES, action="append", help="these stages alone")
    parser.add_argument("--folder", type=Path, help="where material and results are kept for as long as it runs")
    parser.add_argument("--measure", nargs=4, metavar=("STAGE", "MEDIA", "FRAMES", "SURVEYED"), help=argparse.SUPPRESS)
    return parser.parse_args()


def _table(folder: Path, options: argparse.Namespace) -> None:
    sizes = options.size or [size for size in SIZES if not (options.quick and size == "4K")]
    _say(
        f"{os.cpu_count()} cores\n{'size':<6} {'media':>6}  {'stage':<8} {'frames':>12} {'frames/s':>9} {'peak MiB':>9}"
    )
    for size in sizes:
        column = list(SIZES).index(size)
        short = make_loop(folder / f"{size}.mp4", SIZES[size])
        for repeats in (1,) if options.quick else (1, 6):
            media = short if repeats == 1 else repeat(short, folder / f"{size}-{repeats}.mp4", repeats)
            for stage in options.stage or _STAGES:
                frames, surveyed = _FRAMES[stage][column] * repeats, _SURVEYED[column] * repeats
                result = _child(stage, media, frames, surveyed)
                done = f"{frames} of {LOOP_FRAMES * repeats}" + (f" ({surveyed})" if stage == "fill" else "")
                speed = result.frame_count / result.seconds
                seconds = f"{LOOP_FRAMES * repeats // RATE} s"
                _say(f"{size:<6} {seconds:>6}  {stage:<8} {done:>12} {speed:>9.2f} {result.peak_bytes >> 20:>9}")
            if repeats > 1:
                media.unlink()
        short.unlink()


def _child(stage: str, media: Path, frames: int, surveyed: int) -> Measure:
    arguments = [sys.executable, __file__, "--measure", stage, str(media), str(frames), str(surveyed)]
    answer = subprocess.run(arguments, stdout=subprocess.PIPE, check=True, text=True)
    return Measure(**json.loads(answer.stdout.splitlines()[-1]))


def _measure(stage: str, media_path: str, frames: str, surveyed: str) -> None:
    """Runs in the child: does the stage and prints one line of JSON."""
    media, count = probe(Path(media_path)), int(frames)
    works: dict[str, Callable[[Media, int], float]] = {
        "floor": _floor, "decode": _decode, "segment": _segment, "track": _track, "encode": _encode,
        "fill": partial(_fill, surveyed=int(surveyed)),
    }  # fmt: skip
    seconds = works[stage](media, count)
    _say(json.dumps({"frame_count": count, "seconds": seconds, "peak_bytes": peak_bytes()}))


def _decode(media: Media, count: int) -> float:
    with Decoder(media) as decoder:
        began = time.perf_counter()
        for _ in decoder.plates(range(count)):
            pass
        return time.perf_counter() - began


def _floor(media: Media, count: int) -> float:
    with tempfile.TemporaryDirectory(dir=media.path.parent) as folder, Decoder(media) as decoder:
        began = time.perf_counter()
        prores, format = _prores(Path(folder), media, count)
        with prores as writer:
            for plate in decoder.plates(range(count)):
                writer.write(converts(plate, media.format, format, media.tags))
        return time.perf_counter() - began


def _encode(media: Media, count: int) -> float:
    with Decoder(media) as decoder:
        format = delivery_format("prores422hq", media, "plate")
        plates = [converts(plate, media.format, format, media.tags) for plate in decoder.plates(range(4))]
    with tempfile.TemporaryDirectory(dir=media.path.parent) as folder:
        began = time.perf_counter()
        prores, _ = _prores(Path(folder), media, count)
        with prores as writer:
            for number in range(count):
                writer.write(replace(plates[number % len(plates)], frame=number))
        return time.perf_counter() - began


def _segment(media: Media, count: int) -> float:
    registry = Registry()
    with ClipSession(media, registry.segmenter) as session:
        began = time.perf_counter()
        for frame in np.linspace(0, media.frame_count - 1, count).astype(int):
            x, y = ball_centre(int(frame), media.size)
            session.segment(Prompt(int(frame), points=(Point(x, y),)))
        return time.perf_counter() - began


def _track(media: Media, count: int) -> float:
    masks = BallMasks(media.size)
    key = Key(0, 1, masks.mask(0))
    with Decoder(media) as decoder:
        shot = MaskedShot(PlateCache(decoder, PLATE_CACHE_BYTES), media, range(count + 1), masks)
        tracker = Registry().propagator().follow(shot, [key], [key])
        began = time.perf_counter()
        for frame in range(1, count + 1):
            tracker.step(frame)
        return time.perf_counter() - began


def _fill(media: Media, count: int, *, surveyed: int) -> float:
    masks = BallMasks(media.size)
    with Decoder(media) as decoder, tempfile.TemporaryDirectory(dir=media.path.parent) as folder:
        shot = MaskedShot(PlateCache(decoder, PLATE_CACHE_BYTES), media, range(surveyed), masks)
        filler = Registry().inpainter().survey(shot, Path(folder), lambda frame: None)
        began = time.perf_counter()
        first = surveyed // 2 - count // 2
        for _ in filler.fill(range(first, first + count)):
            pass
        return time.perf_counter() - began


def _prores(folder: Path, media: Media, count: int) -> tuple[Writer, PixelFormat]:
    """A ProRes writer for the first frames of a media, and the format that it takes."""
    codec = "prores422hq"
    format, tags = delivery_format(codec, media, "plate"), delivery_tags(codec, media, "plate")
    target = Target(folder / "out.mov", codec)
    return Writer(target, media=media, frames=range(count), format=format, tags=tags), format


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
