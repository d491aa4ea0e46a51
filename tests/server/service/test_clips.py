from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import NotFoundError
from cleanplate_server.models.protocols import Point, Prompt
from cleanplate_server.models.registry import Registry
from cleanplate_server.service.clips import OpenClips, Segmenters


@pytest.fixture
def clips() -> Iterator[OpenClips]:
    opened = OpenClips(Segmenters(Registry()))
    yield opened
    opened.close_all()


def _media(folder: Path, *, level: int = 200) -> Path:
    folder.mkdir(exist_ok=True)
    picture = np.full((24, 32, 3), 30, np.uint8)
    picture[8:16, 8:20] = (20, 40, level)
    for frame in range(2):
        cv2.imwrite(str(folder / f"a.{frame:03d}.png"), picture)
    return folder


def test_open_of_many_clips_closes_the_least_used(clips: OpenClips, tmp_path: Path) -> None:
    names = [clips.open(_media(tmp_path / str(number)), stream_index=0)[0] for number in range(8)]
    with clips.use(names[0]):
        pass  # used last, so the second is now the least used
    clips.open(_media(tmp_path / "9"), stream_index=0)
    with pytest.raises(NotFoundError, match="open its media again"), clips.use(names[1]):
        pass
    with clips.use(names[0]) as session:
        assert session.media.frame_count == 2


def test_clip_closed_in_use_answers_to_the_end(clips: OpenClips, tmp_path: Path) -> None:
    name, _ = clips.open(_media(tmp_path / "a"), stream_index=0)
    with clips.use(name) as session:
        clips.close(name)
        assert session.segment(Prompt(0, points=(Point(12.0, 12.0),)))[0].mask[12, 12]


def test_media_that_has_changed_is_opened_anew(clips: OpenClips, tmp_path: Path) -> None:
    first, _ = clips.open(_media(tmp_path / "a"), stream_index=0)
    cv2.imwrite(str(tmp_path / "a" / "a.002.png"), np.zeros((24, 32, 3), np.uint8))
    second, media = clips.open(tmp_path / "a", stream_index=0)
    assert (second != first, media.frame_count) == (True, 3)
