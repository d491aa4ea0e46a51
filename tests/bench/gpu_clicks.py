"""Networks of the Segment Anything family on a GPU: a look, a click, a frame followed; in both precisions."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from cleanplate_server.models.networks.sam.folders import load_images, load_tracks
from cleanplate_server.models.networks.sam.images import LibraryNetwork
from cleanplate_server.models.networks.sam.original import OriginalNetwork
from cleanplate_server.models.networks.sam.propagator import SamPropagator
from cleanplate_server.models.networks.sam.segmenter import SamSegmenter
from cleanplate_server.models.networks.sam.views import ViewingNetwork
from cleanplate_server.models.protocols import Candidate, EngineInfo, Frames, Key, Point, Prompt
from davis_metrics import region
from sam_networks import build_sam, make_lively, write_folder
from segment_anything import sam_model_registry

_LOOKS, _CLICKS, _STEPS = 5, 10, 20
_WARM_UP = 2


@dataclass(frozen=True)
class Sees:
    """A network that answers clicks.

    Args:
        name: as in the weights manifest.
        published: its authors' figure.
        follows: whether it follows objects too.
    """

    name: str
    published: str
    follows: bool = False


@dataclass(frozen=True)
class Measured:
    """Seconds of a look and of a click, frames followed a second (0 for none), and the answers to some clicks."""

    look_seconds: float
    click_seconds: float
    fps: float
    answers: tuple[Candidate, ...]


SEES = (
    Sees("sam-vit-b", "76.7 pictures a second, A100"),
    Sees("sam-vit-h", "21.7 pictures a second, A100"),
    Sees("sam2.1-tiny", "91.2 fps along a shot, A100", follows=True),
)


def compare(sees: Sees, frames: Frames, keys: list[Key], device: torch.device) -> tuple[Measured, Measured, float]:
    """Measures both precisions with the same weights, which mean nothing; small ones on a CPU.

    Returns:
        In float32, in half precision, and the least J of the answers' masks between them.
    """
    small = device.type == "cpu"
    with tempfile.TemporaryDirectory() as folder:
        place = _write(sees, Path(folder), small=small)
        full, half = (_measure(sees, place, frames, keys, device, halves=halves) for halves in (False, True))
    pairs = zip(half.answers, full.answers, strict=True)
    return full, half, min(region(one.mask, other.mask) for one, other in pairs)


def _write(sees: Sees, folder: Path, *, small: bool) -> Path:
    if not sees.follows:
        network = build_sam() if small else sam_model_registry[sees.name.removeprefix("sam-").replace("-", "_")]()
        torch.save(network.state_dict(), folder / "sam.pth")
        return folder / "sam.pth"
    if small:
        return write_folder(sees.name, folder)
    import transformers

    network = transformers.Sam2VideoModel(transformers.Sam2VideoConfig())
    make_lively(network, torch.Generator().manual_seed(11))
    network.save_pretrained(folder)
    return folder


def _build(sees: Sees, place: Path, device: torch.device, *, halves: bool) -> ViewingNetwork:
    if sees.follows:
        return LibraryNetwork(load_images(sees.name, place, device=str(device)), halves=halves)
    kind = sees.name.removeprefix("sam-").replace("-", "_")
    sam = build_sam() if device.type == "cpu" else sam_model_registry[kind]()
    sam.load_state_dict(torch.load(place, weights_only=True))
    return OriginalNetwork(sam.eval().to(device), halves=halves)


def _measure(
    sees: Sees, place: Path, frames: Frames, keys: list[Key], device: torch.device, *, halves: bool
) -> Measured:
    engine = SamSegmenter(_build(sees, place, device, halves=halves), EngineInfo(sees.name))
    picture = frames.rgb(0)
    height, width = frames.size
    look = _seconds(lambda: engine.prepare(picture), _LOOKS, device)
    prepared = engine.prepare(picture)
    clicks = [Prompt(0, points=(Point(width * 0.4, height / 2), Point(3 + k, 3, inside=False))) for k in range(3)]
    click = _seconds(lambda: prepared.segment(clicks[0]), _CLICKS, device)
    answers = tuple(prepared.segment(each)[0] for each in clicks)
    fps = 0.0
    if sees.follows:
        tracks = load_tracks(sees.name, place, device=str(device))
        tracker = SamPropagator(tracks, EngineInfo(sees.name), halves=halves).follow(frames, keys, keys)
        walk = iter(frames.frames[1:])
        fps = 1 / _seconds(lambda: tracker.step(next(walk)), min(_STEPS, len(frames.frames) - 1 - _WARM_UP), device)
    return Measured(look, click, fps, answers)


def _seconds(work: Callable[[], object], count: int, device: torch.device) -> float:
    """Mean time of a piece of work, with all that it left to the device."""
    for _ in range(_WARM_UP):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    for _ in range(count):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - began) / count


def describe(sees: Sees, label: str, found: tuple[Measured, Measured, float]) -> str:
    """One line of the table."""
    full, half, alike = found
    looks, clicks = (
        f"{1000 * one:8.1f} {1000 * other:8.1f}"
        for one, other in ((full.look_seconds, half.look_seconds), (full.click_seconds, half.click_seconds))
    )
    fps = f"{full.fps:7.2f} {half.fps:7.2f}" if sees.follows else f"{'-':>7} {'-':>7}"
    return f"{sees.name:14} {label:>10} {looks} {clicks} {fps} {alike:7.4f}   {sees.published}"


HEADER = (
    f"{'sees':14} {'pictures':>10} {'look ms':>8} {'half':>8} {'click ms':>8} {'half':>8} {'fps':>7} {'half':>7}"
    f" {'J':>7}   published"
)
