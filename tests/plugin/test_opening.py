"""Any timeline file opens as the kind that it is, or is refused in a sentence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate_plugin.documents.edl import EdlDocument
from cleanplate_plugin.documents.opening import open_document
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.documents.xmeml import XmemlDocument
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import Document, Refusal
from otio_made import plain_shot, timeline_of

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "timelines"
SAMPLES = sorted(SHARED.glob("*.*")) if SHARED.is_dir() else []


def test_otio_opens_by_its_ending_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "edit.OTIO").write_text(timeline_of([plain_shot()], Fraction(25)).to_json_string())
    assert isinstance(open_document(tmp_path / "edit.OTIO"), OtioDocument)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("edit.txt", b"", r"edit\.txt is no timeline that can be opened"),
        ("edit.xml", b"<svg/>", r"edit\.xml is no timeline that can be opened"),
        ("edit.xml", b"", r"edit\.xml is no timeline that can be opened"),
        ("edit.otio", b"\xff\xfe", "cannot be read"),
        ("edit.fcpxml", b"<fcpxml", r"edit\.fcpxml"),
    ],
)
def test_file_that_is_no_timeline_is_refused(name: str, data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TimelineError, match=reason):
        open_document(tmp_path / name)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="is not there"):
        open_document(tmp_path / "edit.otio")


@pytest.mark.parametrize("path", [p for p in SAMPLES if p.suffix != ".md"], ids=lambda p: p.name)
def test_sample_opens_as_its_kind_and_every_clip_is_listed_or_refused_by_name(path: Path) -> None:
    document: Document = open_document(path, Fraction(24) if path.suffix == ".edl" else None)
    kinds = {".edl": EdlDocument, ".xml": XmemlDocument, ".otio": OtioDocument, ".aaf": OtioDocument}
    assert isinstance(document, kinds[path.suffix])
    items = document.items()
    assert items
    assert all(f"'{item.name}'" in item.reason for item in items if isinstance(item, Refusal))
