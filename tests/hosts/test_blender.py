"""Timelines with takes in Blender's sequence editor, from the neutral clips that the written file is read as."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from cleanplate_plugin.documents.opening import open_document
from cleanplate_plugin.timeline import Document, Refusal, Span, Use
from hosts.barcode import SIZE
from hosts.edits import NTSC, PAL, Cut, Dissolve, Edit, Footage, Gap, Track, write_footage, write_take
from hosts.oracle import BLACK, Picture, assert_shows, clean, dissolve, run

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(shutil.which("blender") is None, reason="Blender is not installed; run make test-hosts"),
]

_TIMEOUT_SECONDS = 120
HANDLES = 12
PICTURES: list[Picture] = [
    *run(1, 12, 17),
    *dissolve(run(1, 29, 6), run(2, 17, 6)),
    *run(2, 23, 17),
    *[BLACK] * 5,
    *run(2, 40, 8),
]


@pytest.fixture(scope="module", params=[PAL, NTSC], ids=lambda rate: f"{float(rate):.2f}fps")
def footage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Footage]:
    folder = tmp_path_factory.mktemp("footage")
    return [write_footage(folder, clip, request.param) for clip in (1, 2)]


def _strips(items: Sequence[Use | Refusal]) -> list[Use]:
    uses = [item for item in items if isinstance(item, Use)]
    assert len(uses) == len(items)
    assert all(use.speed == 1 and use.source_start.denominator == 1 and use.track == 1 for use in uses)
    return uses


def _render(timeline: Path) -> Path:
    """Has Blender render a timeline file as it is read."""
    document = open_document(timeline)
    uses = _strips(document.items())
    dissolves = [
        (index, use.record_start - use.head_frames, use.record_start + before.tail_frames)
        for index, (before, use) in enumerate(itertools.pairwise(uses))
        if before.tail_frames or use.head_frames
    ]
    strips = [
        {
            "name": use.name,
            "path": str(use.media.path),
            "track": use.track,
            "record_start": use.record_start - use.head_frames,
            "frame_count": use.head_frames + use.frame_count + use.tail_frames,
            "source_start": int(use.source_start) - use.head_frames,
        }
        for use in uses
    ]
    edit = {
        "size": SIZE,
        "rate": float(document.rate),
        "frame_count": max(use.record_start + use.frame_count for use in uses),
        "strips": strips,
        "dissolves": dissolves,
    }
    job, render = timeline.with_suffix(".json"), timeline.with_suffix(".mkv")
    job.write_text(json.dumps(edit))
    script = Path(__file__).with_name("blender_vse.py")
    command = ["blender", "-b", "--factory-startup", "-noaudio", "--python-exit-code", "1", "--python", script, "--"]
    result = subprocess.run(
        [*map(str, command), str(job), str(render)], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return render


def _use(document: Document, record_start: int) -> Use:
    (use,) = [item for item in document.items() if isinstance(item, Use) and item.record_start == record_start]
    return use


@pytest.mark.parametrize("part", [None, Span(6, 7)], ids=["whole", "part"])
def test_a_clip_or_a_range_shows_its_take_and_the_original_after_restore(
    tmp_path: Path, footage: list[Footage], part: Span | None
) -> None:
    one, two = footage
    track: Track = [Cut(one, 12, 20), Dissolve(3, 3), Cut(two, 20, 20), Gap(5), Cut(two, 40, 8)]
    edit = Edit(one.rate, [track]).write(tmp_path / "edit.otio")
    assert_shows(_render(edit), PICTURES, tmp_path)
    document = open_document(edit)
    use = _use(document, 20)
    needed = use.source_span(part)
    document.replace(
        use, write_take(tmp_path, two, needed.start_frame - HANDLES, needed.frame_count + 2 * HANDLES), part
    )
    document.save(tmp_path / "clean.otio")
    expected = clean(PICTURES, 2, range(26, 33) if part else range(40))
    assert_shows(_render(tmp_path / "clean.otio"), expected, tmp_path)
    document.restore()
    document.save(tmp_path / "restored.otio")
    assert_shows(_render(tmp_path / "restored.otio"), PICTURES, tmp_path)
