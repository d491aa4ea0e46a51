"""Timelines with takes in a real host: written, read again, rendered by melt, and every record frame looked at."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from cleanplate_plugin.documents.opening import open_document
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.timeline import Document, Span, Use
from hosts import mlt
from hosts.barcode import decode, read_patch
from hosts.edits import (
    NTSC,
    NTSC_60,
    RATES,
    Cut,
    Dissolve,
    Edit,
    Footage,
    Gap,
    Track,
    write_footage,
    write_patch_take,
    write_take,
)
from hosts.oracle import BLACK, Picture, assert_shows, clean, dissolve, run

pytestmark = pytest.mark.skipif(mlt.MELT_IS_MISSING, reason=mlt.REASON)

HANDLES = 12
RECORD_START = 20
"""Where the clip that is cleaned begins in ``_edit``."""
PICTURES: list[Picture] = [
    *run(1, 12, 17),
    *dissolve(run(1, 29, 6), run(2, 17, 6)),
    *run(2, 23, 17),
    *[BLACK] * 5,
    *run(2, 40, 8),
]
"""What ``_edit`` shows."""


@pytest.fixture(scope="module", params=RATES, ids=lambda rate: f"{float(rate):.2f}fps")
def footage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Footage]:
    folder = tmp_path_factory.mktemp("footage")
    return [write_footage(folder, clip, request.param) for clip in (1, 2)]


@pytest.fixture(scope="module")
def ntsc(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return write_footage(tmp_path_factory.mktemp("ntsc"), 1, NTSC)


def _edit(folder: Path, footage: Sequence[Footage]) -> Path:
    """A clip that dissolves to another one, a gap, and the other one's media once more."""
    one, two = footage
    track: Track = [Cut(one, 12, RECORD_START), Dissolve(3, 3), Cut(two, 20, 20), Gap(5), Cut(two, 40, 8)]
    return Edit(one.rate, [track]).write(folder / "edit.otio")


def _use(document: Document, record_start: int) -> Use:
    (use,) = [item for item in document.items() if isinstance(item, Use) and item.record_start == record_start]
    return use


def _assert_shows(timeline: Path, expected: Sequence[Picture]) -> Path:
    """Renders a timeline file as it is read, and asserts every record frame."""
    document = open_document(timeline)
    project = mlt.write_project(timeline.with_suffix(".mlt"), document.items(), document.rate)
    render = mlt.render(project, timeline.with_suffix(".mkv"))
    assert_shows(render, expected, timeline.parent)
    return render


def _assert_restores(timeline: Path, original: Path, expected: Sequence[Picture]) -> None:
    document = open_document(timeline)
    assert document.restore() == 1
    restored = timeline.with_name("restored.otio")
    document.save(restored)
    _assert_shows(restored, expected)
    before, after = (otio.adapters.read_from_file(str(path)) for path in (original, restored))
    assert after.is_equivalent_to(before)


def test_a_clip_in_a_dissolve_shows_its_take_there_too_and_the_original_after_restore(
    tmp_path: Path, footage: list[Footage]
) -> None:
    edit = _edit(tmp_path, footage)
    _assert_shows(edit, PICTURES)
    document = open_document(edit)
    take = write_take(tmp_path, footage[1], 17 - HANDLES, 23 + 2 * HANDLES)
    document.replace(_use(document, RECORD_START), take)
    document.save(tmp_path / "clean.otio")
    _assert_shows(tmp_path / "clean.otio", clean(PICTURES, 2, range(40)))
    _assert_restores(tmp_path / "clean.otio", edit, PICTURES)


def test_a_range_within_a_clip_alone_shows_its_take_and_the_original_after_restore(
    tmp_path: Path, footage: list[Footage]
) -> None:
    edit = _edit(tmp_path, footage)
    document = open_document(edit)
    take = write_take(tmp_path, footage[1], 26 - HANDLES, 7 + 2 * HANDLES)
    document.replace(_use(document, RECORD_START), take, Span(6, 7))
    document.save(tmp_path / "clean.otio")
    assert [use.frame_count for use in open_document(tmp_path / "clean.otio").items()] == [20, 6, 7, 7, 8]
    _assert_shows(tmp_path / "clean.otio", clean(PICTURES, 2, range(26, 33)))
    _assert_restores(tmp_path / "clean.otio", edit, PICTURES)


def test_a_patch_on_the_track_above_covers_the_object_frame_by_frame(tmp_path: Path, ntsc: Footage) -> None:
    edit = Edit(NTSC, [[Gap(3), Cut(ntsc, 10, 20)]]).write(tmp_path / "edit.otio")
    pictures = [*[BLACK] * 3, *run(1, 10, 20)]
    document = OtioDocument.open(edit)
    document.lay_above(_use(document, 3), write_patch_take(tmp_path, ntsc, 3, 30), Span(5, 8))
    document.save(tmp_path / "clean.otio")
    document.export(tmp_path / "flat.otio", "resolve")
    render = _assert_shows(tmp_path / "flat.otio", clean(pictures, 1, range(8, 16)))
    patched = list(decode(render))[8:16]
    assert [read_patch(luma) for luma in patched] == [(1, frame) for frame in range(15, 23)]
    _assert_restores(tmp_path / "clean.otio", edit, pictures)


@pytest.mark.parametrize("part", [None, Span(4, 6)], ids=["whole", "part"])
@pytest.mark.parametrize(
    ("first", "speed"), [(12, Fraction(2)), (12, Fraction(1, 2)), (43, Fraction(-1)), (20, Fraction(0))], ids=str
)
def test_a_retimed_clip_shows_its_take_at_the_same_speed(
    tmp_path: Path, ntsc: Footage, first: int, speed: Fraction, part: Span | None
) -> None:
    edit = Edit(NTSC, [[Cut(ntsc, 0, 5), Cut(ntsc, first, 14, speed), Cut(ntsc, 50, 5)]]).write(tmp_path / "edit.otio")
    pictures = [*run(1, 0, 5), *run(1, first, 14, speed), *run(1, 50, 5)]
    _assert_shows(edit, pictures)
    document = open_document(edit)
    use = _use(document, 5)
    needed = use.source_span(part)
    take = write_take(tmp_path, ntsc, needed.start_frame - HANDLES, needed.frame_count + 2 * HANDLES)
    document.replace(use, take, part)
    document.save(tmp_path / "clean.otio")
    _assert_shows(tmp_path / "clean.otio", clean(pictures, 1, range(9, 15) if part else range(5, 19)))
    _assert_restores(tmp_path / "clean.otio", edit, pictures)


def test_a_clip_that_fades_from_and_to_black_fades_with_its_take_too(tmp_path: Path, ntsc: Footage) -> None:
    track: Track = [Gap(6), Dissolve(0, 4), Cut(ntsc, 20, 16), Dissolve(4, 0), Gap(6)]
    edit = Edit(NTSC, [track]).write(tmp_path / "edit.otio")
    dark: list[None] = [BLACK] * 4
    pictures: list[Picture] = [
        *[BLACK] * 6,
        *dissolve(dark, run(1, 20, 4)),
        *run(1, 24, 8),
        *dissolve(run(1, 32, 4), dark),
    ]
    _assert_shows(edit, pictures)
    document = open_document(edit)
    document.replace(_use(document, 6), write_take(tmp_path, ntsc, 20 - HANDLES, 16 + 2 * HANDLES))
    document.save(tmp_path / "clean.otio")
    _assert_shows(tmp_path / "clean.otio", clean(pictures, 1))
    _assert_restores(tmp_path / "clean.otio", edit, pictures)


@pytest.mark.parametrize("part", [None, Span(6, 7)], ids=["whole", "part"])
def test_a_clip_in_fcp7_xml_shows_its_take_and_the_original_after_restore(
    tmp_path: Path, ntsc: Footage, part: Span | None
) -> None:
    edit = Edit(NTSC, [[Cut(ntsc, 30, 10), Gap(4), Cut(ntsc, 15, 20), Cut(ntsc, 40, 6)]])
    original = edit.write_xmeml(tmp_path / "edit.xml")
    pictures: list[Picture] = [*run(1, 30, 10), *[BLACK] * 4, *run(1, 15, 20), *run(1, 40, 6)]
    _assert_shows(original, pictures)
    document = open_document(original)
    document.replace(_use(document, 14), write_take(tmp_path, ntsc, 15 - HANDLES, 20 + 2 * HANDLES), part)
    document.save(tmp_path / "clean.xml")
    _assert_shows(tmp_path / "clean.xml", clean(pictures, 1, range(20, 27) if part else range(14, 34)))
    document = open_document(tmp_path / "clean.xml")
    assert document.restore() == 1
    document.save(tmp_path / "restored.xml")
    _assert_shows(tmp_path / "restored.xml", pictures)


def test_footage_of_half_the_rate_shows_its_take_at_the_timelines_rate(tmp_path: Path, ntsc: Footage) -> None:
    edit = Edit(NTSC_60, [[Cut(ntsc, 14, 20)]]).write(tmp_path / "edit.otio")
    pictures: list[Picture] = [*run(1, 14, 20, Fraction(1, 2))]
    document = open_document(edit)
    document.replace(_use(document, 0), write_take(tmp_path, ntsc, 18 - HANDLES, 4 + 2 * HANDLES), Span(8, 8))
    document.save(tmp_path / "clean.otio")
    _assert_shows(tmp_path / "clean.otio", clean(pictures, 1, range(8, 16)))
    _assert_restores(tmp_path / "clean.otio", edit, pictures)
