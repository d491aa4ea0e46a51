"""The embedded inpainter reaches a frame that was given clean from everywhere in its shot."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.models.embedded.inpainter import PlateInpainter
from fakes import ArrayFrames

SIZE = (64, 96)


class Given(ArrayFrames):
    """Frames of which the ninth was cleaned."""

    clean_frames = (8,)


@pytest.mark.parametrize(("pan", "frame"), [(0, 0), (0, 30), (0, 59), (1, 2), (1, 27)])
def test_given_frame_fills_every_other_however_far(tmp_path: Path, pan: int, frame: int) -> None:
    """The hole is bound to the background, so nothing but the given frame shows what is behind."""
    random = np.random.default_rng(4)
    wide = cv2.GaussianBlur(random.uniform(0, 1, (64, 96 + 60 * pan, 3)).astype(np.float32), (0, 0), 1.5)
    pictures = np.stack([wide[:, pan * t : pan * t + 96] for t in range(60)])
    truth = pictures[frame].copy()
    holes = np.zeros((60, *SIZE), np.bool_)
    for t in range(60):
        left = 60 - pan * t
        holes[t, 20:44, max(0, left) : max(0, left + 24)] = t != 8
    pictures[holes] = 1
    shot = Given(pictures, holes)
    (region,) = PlateInpainter("fast").survey(shot, tmp_path, lambda _: None).fill(range(frame, frame + 1))
    assert not region.unseen.any()
    assert np.abs(region.rgb - truth[region.box.slices])[holes[frame][region.box.slices]].mean() < 0.01
