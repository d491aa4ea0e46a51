#!/usr/bin/env python3
"""Measures the fill networks: seconds and memory of a window, and of holes in large pictures, beside what is told.

    fill_networks.py [--engine NAME ...] [--size 432x240] [--effort balanced] [--device cpu] [--threads 2]
    fill_networks.py --shot 3840x2160 --hole 600 [--engine NAME ...] [--budget-gib N]
    fill_networks.py --half [--size 216x120] [--engine NAME ...]

Values of the weights are those of the parity cases, so that pictures mean nothing; speed and memory do not depend on
them. Each engine runs in a process of its own. Without ``--shot`` one whole window (local frames and references) goes
through the network. Printed are seconds for each frame that it adds to the shot, the memory that the window took beside
the program and its weights, and what is told beforehand. With ``--shot`` one frame of a shot is filled as a job does,
region and all, and printed is the peak of the whole process beside the budget of a window. On a CPU it needs Linux.
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
import torch
from cleanplate_server.models.networks.filling.inpainter import NetworkInpainter
from cleanplate_server.models.networks.filling.needs import window_budget
from cleanplate_server.models.networks.filling.schedule import REFERENCE_LIMITS
from cleanplate_server.models.networks.filling.traits import TRAITS
from cleanplate_server.models.networks.filling.window_network import Clip, Holes
from cleanplate_server.models.networks.inpainters import INPAINTER_NAMES, load_network
from cleanplate_server.models.protocols import EngineInfo
from moving_shot import MovingShot
from process_memory import forget_peak, peak_bytes
from published_files import save_files

_SHOT_FRAMES = 24


def main() -> int:
    """Runs each engine in a process of its own, or, told to, one of them here."""
    options = _options()
    if options.inside:
        torch.set_num_threads(options.threads)
        work = _compare_precisions if options.half else _fill_shot if options.shot else _fill_window
        work(options, options.engine[0])
        return 0
    if not options.half:
        _say(f"{'engine':<12} {'seen':>9} {'frames':>6} {'s/frame':>8} {'cpu s':>7} {'MiB':>9} {'told MiB':>9}")
    worst = 0
    for name in options.engine or INPAINTER_NAMES:
        command = [sys.executable, __file__, *sys.argv[1:], "--engine", name, "--inside"]
        worst = max(worst, subprocess.run(command, check=False).returncode)
    return worst


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=INPAINTER_NAMES, nargs="+", help="these alone")
    parser.add_argument("--size", type=_size, default=(240, 432), metavar="WxH", help="that the networks see")
    parser.add_argument("--shot", type=_size, metavar="WxH", help="fill a frame of a shot of this size")
    parser.add_argument("--hole", type=int, default=600, metavar="PX", help="width of the hole in it")
    parser.add_argument("--budget-gib", type=float, help="that a window may need; a job's own when left out")
    parser.add_argument("--effort", choices=REFERENCE_LIMITS, default="balanced")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--half", action="store_true", help="how far half precision is off, in code values of 8 bits")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(height), int(width)


def _fill_window(options: argparse.Namespace, name: str) -> None:
    traits = TRAITS[name]
    schedule, size = traits.schedule, traits.sizes.padded(options.size)
    local_count = schedule.local_limit
    count = local_count + min(schedule.reference_limit, REFERENCE_LIMITS[options.effort])
    frames, holes = _a_window(size, count)
    with tempfile.TemporaryDirectory() as folder:
        network = load_network(name, save_files(name, Path(folder)), device=options.device)
    held = int(torch.cuda.memory_allocated(options.device)) if options.device != "cpu" else forget_peak()
    began, used = time.monotonic(), time.process_time()
    network.fill(frames, holes, local_count)
    took = time.monotonic() - began, time.process_time() - used
    needed, told = _peak_bytes(options.device) - held, traits.cost.window_bytes(size, count)
    _line(name, size, count, (took[0] / schedule.stride, took[1] / schedule.stride), needed, told)


def _compare_precisions(options: argparse.Namespace, name: str) -> None:
    """How far half precision moves what a network makes of a few frames."""
    traits = TRAITS[name]
    size = traits.sizes.padded(options.size)
    frames, holes = _a_window(size, 6)
    with tempfile.TemporaryDirectory() as folder:
        network = load_network(name, save_files(name, Path(folder)), device=options.device)
    single = network.fill(frames, holes, 4)
    with torch.autocast(torch.device(options.device).type, torch.float16):
        half = network.fill(frames, holes, 4)
    off = np.abs(half - single)[holes[:4]] * 255
    _say(f"{name:<12} {size[1]}x{size[0]}: off by {off.max():.3f} of 255 at most, {off.mean():.4f} on the mean")


def _fill_shot(options: argparse.Namespace, name: str) -> None:
    shot = MovingShot(options.shot, options.hole, count=_SHOT_FRAMES)
    budget = window_budget(name, options.effort, device=options.device)
    if options.budget_gib is not None:
        budget = int(options.budget_gib * (1 << 30))
    with tempfile.TemporaryDirectory() as folder:
        network = load_network(name, save_files(name, Path(folder)), device=options.device)
        engine = NetworkInpainter(network, EngineInfo(name), budget_bytes=budget, effort=options.effort)
        filler = engine.survey(shot, Path(folder), lambda frame: None)
        began, used = time.monotonic(), time.process_time()
        (region,) = filler.fill(range(0, 1))
    took = time.monotonic() - began, time.process_time() - used
    assert np.isfinite(region.rgb[shot.mask(0)[region.box.slices]]).all()
    _line(name, region.box.size, 1, took, _peak_bytes(options.device), budget)
    for remark in filler.remarks():
        _say(f"{'':<12} {remark}")


def _a_window(size: tuple[int, int], count: int) -> tuple[Clip, Holes]:
    """Frames of a shot, and a hole of a tenth of the picture that crosses it."""
    shot = MovingShot(size, round((0.1 * size[0] * size[1] * 4 / np.pi) ** 0.5), count=_SHOT_FRAMES)
    shown = [frame % _SHOT_FRAMES for frame in range(count)]
    return np.stack([shot.rgb(frame) for frame in shown]), np.stack([shot.mask(frame) for frame in shown])


def _peak_bytes(device: str) -> int:
    """Of the device since the start; for the CPU, of the process."""
    return int(torch.cuda.max_memory_allocated(device)) if device != "cpu" else peak_bytes()


def _line(
    name: str, size: tuple[int, int], count: int, took: tuple[float, float], peak: int, told: int
) -> None:  # fmt: skip
    seen = f"{size[1]}x{size[0]}"
    _say(f"{name:<12} {seen:>9} {count:>6} {took[0]:>8.2f} {took[1]:>7.2f} {peak >> 20:>9} {told >> 20:>9}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
