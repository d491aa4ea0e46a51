#!/usr/bin/env python3
"""Prints how fast the networks are on a GPU, beside what their authors measured on theirs.

    gpu.py [--device cuda:0|cpu] [--frames N] [--only NAME ...]

Networks that follow two objects: frames a second in float32 and in half precision, with pictures that come from the
host's memory and masks that go back there, at 480p and 1080p; and how alike the masks of both precisions are (J), which
must be 0.995 at least. Their weights are those of the parity cases: speed does not depend on what they mean. With such
weights up to a third of the pixels is undecided, and a pixel that falls the other way is remembered; so for J both
precisions are given the same masks to remember after each frame.

Networks that answer clicks: milliseconds of a look at a picture and of a click in both precisions, and frames a second
where they follow objects too; and J of their answers. Weights are drawn at random.

Networks that fill: seconds a frame for a hole in the middle of a shot, by the engine as a job uses it, without the walk
of its first pass. Their weights are drawn at random.

Exits 1 when half precision changes masks too much, 2 when there is no such GPU. ``--device cpu`` runs what it can on
tiny pictures and a few frames, as a proof that it works; half precision is compared there too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from cleanplate_server.models.networks.association.propagator import Precision
from cleanplate_server.models.networks.dfgvi import VARIANTS, build_dfc
from cleanplate_server.models.networks.e2fgvi import build_e2fgvi, build_e2fgvi_hq
from cleanplate_server.models.networks.filling.budget import device_budget
from cleanplate_server.models.networks.filling.dfgvi import DfgviWindows
from cleanplate_server.models.networks.filling.e2fgvi import E2fgviWindows
from cleanplate_server.models.networks.filling.inpainter import NetworkInpainter
from cleanplate_server.models.networks.filling.propainter import ProPainterWindows
from cleanplate_server.models.networks.filling.sttn import SttnWindows
from cleanplate_server.models.networks.filling.traits import TRAITS
from cleanplate_server.models.networks.filling.window_network import WindowNetwork
from cleanplate_server.models.networks.propainter import build_flow_completion, build_propainter
from cleanplate_server.models.networks.raft import Raft, RaftFlow
from cleanplate_server.models.networks.sttn import Sttn
from cleanplate_server.models.protocols import RGB, Box, EngineInfo, Key, Luma, Mask
from davis_metrics import region
from gpu_clicks import HEADER, SEES, compare, describe
from propagator_networks import association_propagator

Size = tuple[int, int]

LEAST_ALIKE = 0.995
"""J of the masks in half precision against those in float32."""
_PICTURES = 8
_WARM_UP = 3
_FRAMES = {"cuda": 60, "cpu": 2}
_COMPARED = {"cuda": _PICTURES, "cpu": 4}
_FOLLOWED = {"cuda": {"480p": (480, 854), "1080p": (1080, 1920)}, "cpu": {"tiny": (64, 112)}}
_FILLED = {"cuda": {"240p": (240, 432), "1080p": (1080, 1920)}, "cpu": {"tiny": (60, 108)}}


@dataclass(frozen=True)
class Follows:
    """A network that follows objects.

    Args:
        name: as in the weights manifest.
        published: frames a second by its authors.
    """

    name: str
    published: str


@dataclass(frozen=True)
class Fills:
    """A network that fills holes.

    Args:
        name: as in ``TRAITS``.
        build: makes it without weights, and puts it on a device.
        published: seconds a frame by its authors.
        takes_tiny: whether it is quick enough on a CPU, and takes small pictures.
    """

    name: str
    build: Callable[[torch.device], WindowNetwork]
    published: str
    takes_tiny: bool = False


def main() -> int:
    """Measures everything on one device and prints two tables."""
    options = _options()
    device: torch.device = options.device
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        sys.stderr.write(f"there is no {device} that CUDA can use here; --device cpu is a proof in small\n")
        return 2
    frame_count = options.frames or _FRAMES[device.type]

    def wanted(name: str) -> bool:
        return not options.only or name in options.only

    _say(_machine(device))
    _say(f"{'follows':14} {'pictures':>10} {'float32 fps':>12} {'half fps':>9} {'J':>7}   published")
    alike = True
    for follows in (each for each in FOLLOWS if wanted(each.name)):
        for label, size in _FOLLOWED[device.type].items():
            alike &= _compare_precisions(follows, label, size, device=device, frame_count=frame_count)
    _say(f"\n{HEADER}")
    for sees in (each for each in SEES if wanted(each.name)):
        for label, size in _FOLLOWED[device.type].items():
            shot = LoopShot(size, frame_count + _WARM_UP + 2)
            found = compare(sees, shot, shot.keys(), device)
            _say(describe(sees, label, found))
            alike &= found[2] >= LEAST_ALIKE
    _say(f"\n{'fills':14} {'pictures':>10} {'s a frame':>12}   published")
    for fills in (each for each in FILLS if wanted(each.name) and (device.type == "cuda" or each.takes_tiny)):
        for label, size in _FILLED[device.type].items():
            seconds = _time_fill(fills, size, device=device, frame_count=frame_count)
            _say(f"{fills.name:14} {label:>10} {seconds:12.3f}   {fills.published}")
    return 0 if alike else 1


def _compare_precisions(follows: Follows, label: str, size: Size, *, device: torch.device, frame_count: int) -> bool:
    """Prints one line; whether half precision leaves the masks as they are."""
    full_fps = _time_following(follows.name, size, device=device, frame_count=frame_count, precision="float32")
    half_fps = _time_following(follows.name, size, device=device, frame_count=frame_count, precision="half")
    alike = _likeness(follows.name, size, device=device)
    verdict = "" if alike >= LEAST_ALIKE else f"   half precision changes the masks: {LEAST_ALIKE} is the least"
    _say(f"{follows.name:14} {label:>10} {full_fps:12.2f} {half_fps:9.2f} {alike:7.4f}   {follows.published}{verdict}")
    return alike >= LEAST_ALIKE


def _time_following(name: str, size: Size, *, device: torch.device, frame_count: int, precision: Precision) -> float:
    """Frames a second."""
    shot = LoopShot(size, _WARM_UP + frame_count + 1)
    keys = shot.keys()
    tracker = association_propagator(name, device=str(device), precision=precision).follow(shot, keys, keys)
    for frame in range(1, 1 + _WARM_UP):
        tracker.step(frame)
    began = time.perf_counter()
    # each step waits for its masks, so that nothing is left to be done behind the last one
    for frame in range(1 + _WARM_UP, 1 + _WARM_UP + frame_count):
        tracker.step(frame)
    return frame_count / (time.perf_counter() - began)


def _likeness(name: str, size: Size, *, device: torch.device) -> float:
    """Mean J of the masks in half precision against those in float32, which both remember."""
    shot = LoopShot(size, _PICTURES)
    keys = shot.keys()
    precisions: tuple[Precision, Precision] = ("float32", "half")
    full, half = (
        association_propagator(name, device=str(device), precision=each).follow(shot, keys, keys) for each in precisions
    )
    found = []
    for frame in range(1, _COMPARED[device.type]):
        exact, near = full.step(frame) >= 0.5, half.step(frame) >= 0.5
        found += [region(one, other) for one, other in zip(near, exact, strict=True)]
        remembered = [Key(frame, key.object_id, mask) for key, mask in zip(keys, exact, strict=True) if mask.any()]
        full.join(remembered)
        half.join(remembered)
    return float(np.mean(found))


def _time_fill(fills: Fills, size: Size, *, device: torch.device, frame_count: int) -> float:
    """Seconds for each frame of a shot."""
    shot = LoopShot(size, frame_count)
    engine = NetworkInpainter(fills.build(device), EngineInfo(fills.name), budget_bytes=device_budget(str(device)))
    with tempfile.TemporaryDirectory() as folder:
        filler = engine.survey(shot, Path(folder), lambda frame: None)
        if device.type == "cuda":
            next(iter(filler.fill(range(0, 1))))
            filler = engine.survey(shot, Path(folder), lambda frame: None)
        began = time.perf_counter()
        for _ in filler.fill(shot.frames):
            pass
        return (time.perf_counter() - began) / frame_count


class LoopShot:
    """A ball before a textured wall that pans; eight pictures, over and over. The hole is the ball's surroundings.

    Args:
        size: (height, width).
        count: frames.
    """

    def __init__(self, size: Size, count: int) -> None:
        self.size = size
        self.frames = range(count)
        height, width = size
        random = np.random.default_rng(4)
        wide = random.uniform(0, 1, (height, width + 4 * _PICTURES, 3)).astype(np.float32)
        wall = np.asarray(cv2.GaussianBlur(wide, (0, 0), 3)) * 0.5
        self._pictures = []
        for number in range(_PICTURES):
            picture = wall[:, 4 * number : 4 * number + width].copy()
            picture[self.ball(number)] = (0.9, 0.5, 0.2)
            picture.flags.writeable = False
            self._pictures.append(picture)

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        picture = self._pictures[frame % _PICTURES]
        return picture if box is None else picture[box.slices]

    def luma(self, frame: int) -> Luma:
        return np.asarray(cv2.cvtColor(self.rgb(frame), cv2.COLOR_RGB2GRAY), np.float32)

    def mask(self, frame: int) -> Mask:
        hole = np.zeros(self.size, np.bool_)
        box = self.hole_box(frame)
        hole[box.slices] = True
        return hole

    def hole_box(self, frame: int) -> Box:
        rows, columns = np.nonzero(self.ball(frame))
        return Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)

    def ball(self, frame: int) -> Mask:
        """Where the ball is on a frame."""
        height, width = self.size
        y, x = np.ogrid[:height, :width]
        centre = width * (0.4 + 0.01 * (frame % _PICTURES))
        return np.asarray((x - centre) ** 2 + (y - height / 2) ** 2 <= (height / 6) ** 2, np.bool_)

    def keys(self) -> list[Key]:
        """The ball, and a corner that stays, on the first frame."""
        height, width = self.size
        corner = np.zeros(self.size, np.bool_)
        corner[: height // 4, : width // 4] = True
        return [Key(0, 1, self.ball(0)), Key(0, 2, corner)]


def _e2fgvi(device: torch.device) -> WindowNetwork:
    return E2fgviWindows(build_e2fgvi().eval().to(device), TRAITS["e2fgvi"], "e2fgvi")


def _e2fgvi_hq(device: torch.device) -> WindowNetwork:
    return E2fgviWindows(build_e2fgvi_hq().eval().to(device), TRAITS["e2fgvi-hq"], "e2fgvi-hq")


def _sttn(device: torch.device) -> WindowNetwork:
    return SttnWindows(Sttn().eval().to(device), TRAITS["sttn"], "sttn")


def _propainter(device: torch.device) -> WindowNetwork:
    parts = (network.eval().to(device) for network in (build_propainter(), build_flow_completion(), Raft()))
    return ProPainterWindows(*parts, TRAITS["propainter"], "propainter")


def _dfgvi(device: torch.device) -> WindowNetwork:
    completion = build_dfc(VARIANTS["dfgvi-movie"]).eval().to(device)
    return DfgviWindows([completion], RaftFlow(Raft().eval().to(device)), TRAITS["dfgvi"], "dfgvi")


def _machine(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU, in small"
    return f"torch {torch.__version__} on {name}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0", type=_device, help="cuda:N or cpu")
    parser.add_argument("--frames", type=int, metavar="N", help="frames that are measured")
    names = [each.name for each in (*FOLLOWS, *SEES, *FILLS)]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    return parser.parse_args()


def _device(text: str) -> torch.device:
    device = torch.device(text)
    if device.type not in _FRAMES:
        raise argparse.ArgumentTypeError(f"'{text}' is neither cuda:N nor cpu")
    return device


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


FOLLOWS = (
    Follows("aott", "51 fps at 480p, V100"),
    Follows("r50-aotl", "18 fps at 480p, V100"),
    Follows("r50-deaotl", "27 fps at 480p, V100"),
)
FILLS = (
    Fills("e2fgvi", _e2fgvi, "0.12 to 0.16 s at 432x240, Titan XP"),
    Fills("e2fgvi-hq", _e2fgvi_hq, "0.12 to 0.16 s at 432x240, Titan XP", takes_tiny=True),
    Fills("sttn", _sttn, "0.12 s at 432x240"),
    Fills("propainter", _propainter, "0.083 s at 432x240, V100"),
    Fills("dfgvi", _dfgvi, "2.56 s at 432x240"),
)


if __name__ == "__main__":
    sys.exit(main())
