"""Masks that grow to the cast shadow, through whole jobs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import JobCancelledError
from cleanplate_server.models.protocols import Mask, Point, Prompt
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.remove import remove
from cleanplate_server.pipeline.spec import JobSpec, Output, RemoveOperation, Take
from fakes import FakeEngines, MemoryLedger

SIZE = (96, 160)
COUNT = 20
CLICK = (Prompt(5, points=(Point(45, 40),)),)


def body(frame: int) -> Mask:
    mask = np.zeros(SIZE, np.bool_)
    mask[24:64, 10 + 6 * frame : 26 + 6 * frame] = True
    return mask


def shade(frame: int) -> Mask:
    mask = np.zeros(SIZE, np.bool_)
    mask[62:74, 18 + 6 * frame : 44 + 6 * frame] = True
    return mask & ~body(frame)


def make_clip(folder: Path, light: float) -> Path:
    """A bright figure that walks over darker ground; what it shades has ``light`` times the ground's values."""
    ground = cv2.GaussianBlur(np.random.default_rng(2).uniform(40, 150, (*SIZE, 3)), (0, 0), 2)
    folder.mkdir()
    for t in range(COUNT):
        picture = ground.copy()
        picture[shade(t)] *= light
        picture[body(t)] = 240
        cv2.imwrite(str(folder / f"{t:05d}.png"), np.rint(picture).astype(np.uint8))
    return folder


def run(
    folder: Path, clip: Path, *, name: str = "out", with_shadow: bool = True, stop_after: int | None = None
) -> Take:
    operation = RemoveOperation(CLICK, grow_px=1, feather_px=0, with_shadow=with_shadow)
    ledger = MemoryLedger(folder / f"job-{name}", stop_after=stop_after)
    ledger.folder.mkdir(exist_ok=True)
    job = Job(JobSpec(clip, operation, Output(folder / name, "png")), ledger, FakeEngines())
    if stop_after is None:
        return remove(job, operation)
    with pytest.raises(JobCancelledError):
        remove(job, operation)
    ledger.stop_after = None
    return remove(Job(job.spec, ledger, FakeEngines()), operation)


def masks(take: Take) -> list[Mask]:
    assert take.masks_path is not None
    return [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) > 0 for file in sorted(take.masks_path.glob("*.png"))]


def test_masks_grow_to_the_shadow_on_request_alone(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip", 0.6)
    grown, plain = run(tmp_path, clip), run(tmp_path, clip, name="plain", with_shadow=False)
    for t, (with_shadow, without) in enumerate(zip(masks(grown), masks(plain), strict=True)):
        assert with_shadow[shade(t)].mean() > 0.85
        assert (without & shade(t)).sum() < 0.2 * shade(t).sum()
        far = ~cv2.dilate((body(t) | shade(t)).astype(np.uint8), np.ones((13, 13), np.uint8)).astype(bool)
        assert not (with_shadow & far).any()
    assert any("grow to the cast shadow by" in note and "on 20 of 20 frames" in note for note in grown.notes)
    assert not any("shadow" in note for note in plain.notes)


def test_no_shadow_is_told(tmp_path: Path) -> None:
    take = run(tmp_path, make_clip(tmp_path / "clip", 1.0))
    assert any("no cast shadow was found" in note for note in take.notes)


def test_stopped_and_resumed_gives_the_same_masks(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip", 0.6)
    expected = masks(run(tmp_path, clip))
    for stop_after in (45, 70, 80):
        again = masks(run(tmp_path, clip, name=f"out-{stop_after}", stop_after=stop_after))
        assert all(np.array_equal(a, b) for a, b in zip(again, expected, strict=True))
