"""What is said of frames on which a followed object has no mask."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from cleanplate_server.models.protocols import Point, Prompt
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.spec import JobSpec, Output, TrackOperation
from cleanplate_server.pipeline.track import track
from fakes import FakeEngines, MemoryLedger

COUNT = 24
SIZE = (48, 64)


def notes_of(folder: Path, seen: set[int]) -> list[str]:
    """What a track says of a bright square that is there on some frames alone."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    for number in range(COUNT):
        picture = np.full((*SIZE, 3), 60, np.uint8)
        if number in seen:
            picture[20:28, 20:28] = 220
        cv2.imwrite(str(pictures / f"{number:03d}.png"), picture)
    operation = TrackOperation((Prompt(0, points=(Point(24, 24),)),))
    ledger = MemoryLedger(folder / "job")
    ledger.folder.mkdir()
    spec = JobSpec(pictures, operation, Output(folder / "masks", delivery="matte"))
    take = track(Job(spec, ledger, FakeEngines()), operation)
    return [note for note in take.notes if "not seen" in note]


def test_object_seen_throughout_gives_no_note(tmp_path: Path) -> None:
    assert notes_of(tmp_path, set(range(COUNT))) == []


def test_object_that_leaves_and_comes_back_is_told_with_its_frames(tmp_path: Path) -> None:
    hidden = {5, 10, 11, 12}
    assert notes_of(tmp_path, set(range(COUNT)) - hidden) == [
        "object 1 is not seen on 4 frames (5, 10 to 12); where it is in the picture, prompt on it there too"
    ]


def test_many_absences_are_summed_up(tmp_path: Path) -> None:
    assert notes_of(tmp_path, set(range(0, COUNT, 2))) == [
        "object 1 is not seen on 12 frames (1, 3, 5, 7 and 8 more stretches); where it is in the picture, prompt on it"
        " there too"
    ]
