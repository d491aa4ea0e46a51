"""Masks and soft alphas as pictures to deliver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cleanplate_server.clip import ColorTags, PixelFormat
from cleanplate_server.models.protocols import Alpha, Matter
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.stages.composite import PlatePatch, matte, soft_edge
from cleanplate_server.stages.plates import MaskedShot
from cleanplate_server.stages.windows import (
    MaskFiles,
    bounding_box,
    cut_windows,
    pack_patches,
    read_arrays,
    window_name,
    write_arrays,
)


def hole_mattes(
    shots: Sequence[tuple[range, MaskFiles]], format: PixelFormat, tags: ColorTags, *, feather_px: int
) -> Iterator[PlatePatch]:
    """The holes of every frame that has one, with their soft edge."""
    for shot, holes in shots:
        for frame in shot:
            box = holes.box(frame)
            if box is not None:
                yield matte(soft_edge(holes.mask(frame), feather_px), frame, box, format, tags)


def solve_mattes(
    frames: MaskedShot, matter: Matter, ledger: Ledger, *, format: PixelFormat, tags: ColorTags
) -> list[Path]:
    """Soft alpha along a shot, in window files; goes on after the last one that is there."""
    walk, files = None, list[Path]()
    for window in cut_windows(frames.frames):
        file = ledger.finished("matte", window_name(window))
        if file is None:
            if walk is None:
                walk = matter.start(frames, read_arrays(files[-1])["state"].tobytes() if files else None)
            patches = []
            for frame in window:
                patches += _patch(walk.step(frame), frame, format, tags)
                ledger.progress("matte", frame - frames.frames.start + 1, len(frames.frames))
            file = ledger.folder / "matte" / f"{window_name(window)}.npz"
            write_arrays(file, pack_patches(patches) | {"state": np.frombuffer(walk.save(), np.uint8)})
            ledger.finish("matte", window_name(window), file)
        files.append(file)
    return files


def _patch(alpha: Alpha, frame: int, format: PixelFormat, tags: ColorTags) -> list[PlatePatch]:
    box = bounding_box(alpha > 0)
    return [matte(alpha, frame, box, format, tags)] if box else []
