"""Cuts: found near a shot's ends too, and not taken for what comes and goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.stages.cuts import cut_shots, find_cuts
from cleanplate_server.stages.decode import Decoder, probe
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
COUNT = 40


def scene(seed: int) -> Picture:
    """Coarse noise, BGR: another scene for every seed."""
    noise = np.random.default_rng(seed).integers(40, 160, (9, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (128, 72), interpolation=cv2.INTER_CUBIC), np.uint8)


def cuts_of(folder: Path, picture: Callable[[int], Picture]) -> list[int]:
    folder.mkdir(exist_ok=True)
    for number in range(COUNT):
        cv2.imwrite(str(folder / f"{number:03d}.png"), picture(number))
    media = probe(folder)
    with Decoder(media) as decoder:
        told = list(find_cuts(decoder.plates(range(COUNT)), media))
    assert [frame for frame, is_cut in told if not is_cut] == list(range(COUNT))
    return [frame for frame, is_cut in told if is_cut]


@pytest.mark.parametrize("cut", [3, 8, 20, 36])
def test_cut_is_found_wherever_it_lies(tmp_path: Path, cut: int) -> None:
    assert cuts_of(tmp_path / "a", lambda number: scene(1 if number < cut else 2)) == [cut]


def test_short_shots_are_told_apart(tmp_path: Path) -> None:
    assert cuts_of(tmp_path / "a", lambda number: scene(number // 8)) == [8, 16, 24, 32]


@pytest.mark.parametrize("length", [1, 2, 4])
def test_flash_that_the_scene_survives_is_no_cut(tmp_path: Path, length: int) -> None:
    def lit(number: int) -> Picture:
        return cv2.add(scene(1), np.full((72, 128, 3), 90, np.uint8)) if 15 <= number < 15 + length else scene(1)

    assert cuts_of(tmp_path / "a", lit) == []


def test_still_scene_has_no_cut(tmp_path: Path) -> None:
    assert cuts_of(tmp_path / "a", lambda number: scene(1)) == []


def test_range_is_divided_at_cuts_inside_it() -> None:
    assert cut_shots(range(10, 30), [5, 10, 18, 18, 30]) == [range(10, 18), range(18, 30)]
