"""The whole way: a timeline, a click, a private server, a take, the timeline with it, a host's render, and back."""

from __future__ import annotations

from pathlib import Path

import opentimelineio as otio
import pytest
from cleanplate_plugin.documents.opening import open_document
from cleanplate_server.cli.main import run as run_command
from cleanplate_server.stages.decode import probe
from hosts import mlt
from hosts.barcode import object_at, read_file, stamps_of
from hosts.edits import NTSC, Cut, Dissolve, Edit, Track, write_footage
from hosts.oracle import Picture, assert_shows, clean, dissolve, run

pytestmark = pytest.mark.skipif(mlt.MELT_IS_MISSING, reason=mlt.REASON)

CLICKED = 27
FIRST_NEEDED, NEEDED_COUNT, HANDLES = 23, 10, 12
"""Of the middle clip's media: 8 frames from cut to cut and 2 more in the dissolve."""
PICTURES: list[Picture] = [*run(1, 10, 10), *dissolve(run(1, 20, 4), run(2, 23, 4)), *run(2, 27, 6), *run(3, 5, 10)]


def _render(timeline: Path) -> Path:
    document = open_document(timeline)
    project = mlt.write_project(timeline.with_suffix(".mlt"), document.items(), document.rate)
    return mlt.render(project, timeline.with_suffix(".mkv"))


def test_a_click_on_the_middle_clip_cleans_it_alone_and_restore_gives_the_edit_back(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    one, two, three = (write_footage(media, clip, NTSC, hour=1) for clip in (1, 2, 3))
    track: Track = [Cut(one, 10, 12), Dissolve(2, 2), Cut(two, 25, 8), Cut(three, 5, 10)]
    edit = Edit(NTSC, [track]).write(tmp_path / "edit.otio")
    written = edit.read_bytes()
    assert_shows(_render(edit), PICTURES, tmp_path)

    x, y = object_at(CLICKED)
    options = ["--clip", "clip2", "--click", f"{CLICKED}@{x},{y}", "--handles", str(HANDLES), "--effort", "fast", "-q"]
    cleaned, restored = tmp_path / "clean.otio", tmp_path / "restored.otio"
    state = ["--state-folder", str(tmp_path / "state")]
    assert run_command([*state, "timeline", "remove", str(edit), "-o", str(cleaned), *options]) == 0

    (take,) = [path for path in (media / "Cleanplate").iterdir() if path.suffix == ".mov"]
    made, frames = probe(take), range(FIRST_NEEDED - HANDLES, FIRST_NEEDED + NEEDED_COUNT + HANDLES)
    assert (made.frame_count, str(made.start_timecode)) == (34, "01:00:00;11")
    assert read_file(take, failures=tmp_path) == stamps_of(2, frames, has_object=False)
    assert_shows(_render(cleaned), clean(PICTURES, 2), tmp_path)

    assert run_command([*state, "timeline", "restore", str(cleaned), "-o", str(restored), "-q"]) == 0
    assert_shows(_render(restored), PICTURES, tmp_path)
    assert otio.adapters.read_from_file(str(restored)).is_equivalent_to(otio.adapters.read_from_file(str(edit)))
    assert edit.read_bytes() == written
