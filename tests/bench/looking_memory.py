#!/usr/bin/env python3
"""Measures the memory that networks which find and follow objects take, beside what is told before a job starts.

    looking_memory.py [--engine NAME ...] [--size 1920x1080] [--effort balanced] [--threads 2]

Networks have their full size and weights drawn at random: memory does not depend on what they mean. Each runs in a
process of its own that loads it as a job does. Networks that answer clicks look at a picture and get clicks on a large
thing and a small one; those that follow are given two objects and so many frames that all that they remember is full;
those that find names look for a dog. Printed is the growth of the process's peak since its start. Exits 1 where more
is taken than told. It needs Linux.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from cleanplate_server.models.networks.looking_needs import looking_need
from cleanplate_server.models.protocols import (
    Box,
    Effort,
    EngineInfo,
    EngineKind,
    Key,
    LearningPropagator,
    NameFinder,
    Point,
    Prompt,
    Propagator,
)  # fmt: skip
from moving_shot import MovingShot
from process_memory import peak_bytes

_FRAMES = {"sam": 9, "osvos": 4}
_STORING_FRAMES = {"fast": 19, "balanced": 34, "best": 64}
"""So many that all that is remembered is full: six masks; nothing; by effort 3, 6 or 12 frames, five apart."""
_UPDATES = 5


def main() -> int:
    """Makes each network's file in one process and loads it in another."""
    options = _options()
    if options.make:
        from full_networks import save_full

        _say(str(save_full(options.engine[0], options.make)))
        return 0
    if options.inside:
        return _measure(options, options.engine[0], options.kind, options.inside)
    from full_networks import FULL_NAMES

    _say(f"{'engine':<16} {'kind':<11} {'seconds':>8} {'cpu s':>7} {'weights':>8} {'taken':>8} {'told MiB':>9}")
    worst = 0
    for name in options.engine or FULL_NAMES:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, *sys.argv[1:], "--engine", name]
            made = subprocess.run([*command, "--make", folder], check=True, capture_output=True, text=True)
            place = made.stdout.strip().splitlines()[-1]
            for kind in _kinds(name):
                measured = subprocess.run([*command, "--inside", place, "--kind", kind], check=False)
                worst = max(worst, measured.returncode)
    return worst


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", nargs="+", help="these alone")
    parser.add_argument("--size", type=_size, default=(1080, 1920), metavar="WxH", help="of the pictures")
    parser.add_argument("--effort", choices=("fast", "balanced", "best"), default="balanced")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(height), int(width)


def _kinds(name: str) -> tuple[EngineKind, ...]:
    if name.startswith(("sam2", "sam3")):
        return ("segmenter", "propagator")
    if name.startswith("sam-"):
        return ("segmenter",)
    return ("name-finder",) if name.startswith(("maskrcnn", "grounding")) else ("propagator",)


def _measure(options: argparse.Namespace, name: str, kind: EngineKind, place: Path) -> int:
    """1 where less is told than is taken."""
    storing = _STORING_FRAMES[options.effort]
    count = next((count for begin, count in _FRAMES.items() if name.startswith(begin)), storing)
    shot = MovingShot(options.size, options.size[0] // 3, count=count)
    shot.rgb(0)
    began, used, started = time.monotonic(), time.process_time(), peak_bytes()
    import torch  # what it takes counts too

    torch.set_num_threads(options.threads)
    work = {"segmenter": _click, "propagator": _follow, "name-finder": _find}[kind]
    work(name, place, shot, options.effort)
    taken = peak_bytes() - started
    took = time.monotonic() - began, time.process_time() - used
    size = sum(file.stat().st_size for file in ([place] if place.is_file() else place.iterdir()))
    told = looking_need(kind, name, options.size, options.effort, device="cpu", weights_bytes=size).host_bytes
    _say(f"{name:<16} {kind:<11} {took[0]:>8.0f} {took[1]:>7.0f} {size >> 20:>8} {taken >> 20:>8} {told >> 20:>9}")
    return int(told < taken)


def _click(name: str, place: Path, shot: MovingShot, effort: Effort) -> None:
    from cleanplate_server.models.networks.sam.folders import load_images
    from cleanplate_server.models.networks.sam.images import LibraryNetwork
    from cleanplate_server.models.networks.sam.original import load_original
    from cleanplate_server.models.networks.sam.segmenter import SamSegmenter

    if name.startswith("sam-"):
        network = load_original(name, place, device="cpu")
    else:
        network = LibraryNetwork(load_images(name, place, device="cpu"))
    engine = SamSegmenter(network, EngineInfo(name))
    height, width = shot.size
    for frame in (0, 1):
        prepared = engine.prepare(shot.rgb(frame))
        prepared.segment(Prompt(frame, points=(Point(width / 2, height / 2),)))
        prepared.segment(Prompt(frame, box=Box(width // 4, height // 4, width // 4 + 40, height // 4 + 40)))


def _find(name: str, place: Path, shot: MovingShot, effort: Effort) -> None:
    info = EngineInfo(name)
    if name == "grounding-dino":
        from cleanplate_server.models.networks.grounding_dino import GroundingDinoFinder, load_grounding_dino

        finder: NameFinder = GroundingDinoFinder(load_grounding_dino(place, device="cpu"), info)
    else:
        from cleanplate_server.models.networks.mask_rcnn import MaskRcnnFinder, load_mask_rcnn

        finder = MaskRcnnFinder(load_mask_rcnn(name, place, device="cpu"), info)
    for frame in (0, 1):
        finder.find(shot.rgb(frame), "dog")


def _follow(name: str, place: Path, shot: MovingShot, effort: Effort) -> None:
    keys = [_key(shot.size, number) for number in (1, 2)]
    propagator = _propagator(name, place, effort)
    if isinstance(propagator, LearningPropagator):
        with tempfile.TemporaryDirectory() as folder:
            propagator = propagator.learn(shot, keys, Path(folder), lambda done: None)
    tracker = propagator.follow(shot, keys, keys)
    for frame in shot.frames[1:]:
        tracker.step(frame)


def _propagator(name: str, place: Path, effort: Effort) -> Propagator:
    info = EngineInfo(name)
    if name.startswith("sam"):
        from cleanplate_server.models.networks.sam.folders import load_tracks
        from cleanplate_server.models.networks.sam.propagator import SamPropagator

        return SamPropagator(load_tracks(name, place, device="cpu"), info)
    from cleanplate_server.models.networks.propagators import load_association, load_osvos

    if name == "osvos":
        return load_osvos(place, info, device="cpu", effort=effort, updates=_UPDATES)
    from cleanplate_server.models.networks.association.propagator import AssociationPropagator

    return AssociationPropagator(load_association(name, place, device="cpu"), info, effort=effort)


def _key(size: tuple[int, int], number: int) -> Key:
    height, width = size
    mask = np.zeros(size, np.bool_)
    mask[height // 3 : height // 2, number * width // 4 : number * width // 4 + width // 8] = True
    return Key(0, number, mask)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
