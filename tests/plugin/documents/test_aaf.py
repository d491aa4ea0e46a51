from __future__ import annotations

from pathlib import Path

import aaf2  # type: ignore[import-untyped]
import pytest
from cleanplate_plugin.documents.aaf import open_aaf
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import Refusal, SourceMedia, Span, Take, Use

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "timelines"


def _write(path: Path, *, drop: bool, rate: str = "30000/1001", fps: int = 30) -> None:
    """An AAF of one clip: frames 20 to 69 of a file of 200, at the head of a timeline."""
    with aaf2.open(str(path), "w") as file:
        source, master = file.create.SourceMob("A.mov"), file.create.MasterMob("A.mov")
        source.descriptor = file.create.CDCIDescriptor()
        source.descriptor["Length"].value = 200
        source.descriptor["SampleRate"].value = rate
        sizes = {"StoredWidth": 64, "StoredHeight": 36, "ComponentWidth": 8, "HorizontalSubsampling": 2}
        for tag, value in sizes.items():
            source.descriptor[tag].value = value
        source.descriptor["FrameLayout"].value = "FullFrame"
        source.descriptor["VideoLineMap"].value = [0, 0]
        source.descriptor["ImageAspectRatio"].value = "16/9"
        source.descriptor["Locator"].append(file.create.NetworkLocator())
        source.descriptor["Locator"][0]["URLString"].value = "file:///media/A.mov"
        composition = file.create.CompositionMob("cut")
        composition.usage = "Usage_TopLevel"
        for mob in (source, master, composition):
            file.content.mobs.append(mob)
        held = source.create_timeline_slot(rate)
        held.segment = file.create.SourceClip(media_kind="picture")
        held.segment.length = 200
        kept = master.create_picture_slot(rate)
        kept.segment.components.append(source.create_source_clip(held.slot_id, 0, 200, "picture"))
        kept.segment.length = 200
        timecode = composition.create_timeline_slot(rate)
        timecode["PhysicalTrackNumber"].value = 1
        timecode.segment = file.create.Timecode(fps, drop=drop)
        timecode.segment["Start"].value = 107892 if drop else 108000
        timecode.segment.length = 50
        track = composition.create_picture_slot(rate)
        track.segment.components.append(master.create_source_clip(kept.slot_id, 20, 50, "picture"))
        track.segment.length = 50


def _uses(document: OtioDocument) -> list[Use]:
    return [item for item in document.items() if isinstance(item, Use)]


@pytest.mark.parametrize("drop", [False, True])
def test_open_clip_counts_from_the_files_first_frame(tmp_path: Path, *, drop: bool) -> None:
    _write(tmp_path / "cut.aaf", drop=drop)

    document = open_aaf(tmp_path / "cut.aaf")

    (use,) = _uses(document)
    assert (use.name, use.media.path) == ("A.mov", Path("/media/A.mov"))
    assert (use.record_span, use.source_span()) == (Span(0, 50), Span(20, 50))
    assert (document.start_frame, document.drop_frame) == (107892 if drop else 108000, drop)


def test_replace_is_saved_as_otio_and_not_as_aaf(tmp_path: Path) -> None:
    _write(tmp_path / "cut.aaf", drop=False)
    document = open_aaf(tmp_path / "cut.aaf")
    (use,) = _uses(document)
    media = SourceMedia(Path("/takes/A_cp001.mov"), use.media.rate, use.media.start_frame + 10, 80)

    document.replace(use, Take(media, 10, "A_cp001", {}))
    document.save(tmp_path / "cut.otio")

    (shown,) = _uses(OtioDocument.open(tmp_path / "cut.otio"))
    assert (shown.media.path, shown.source_span()) == (media.path, Span(10, 50))
    with pytest.raises(TimelineError, match=r"use \.otio"):
        document.save(tmp_path / "new.aaf")


@pytest.mark.parametrize("data", [b"", b"no AAF at all", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)])
def test_damaged_file_is_refused_in_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "cut.aaf").write_bytes(data)

    with pytest.raises(TimelineError, match=r"cut\.aaf is no AAF that can be read") as caught:
        open_aaf(tmp_path / "cut.aaf")
    assert "\n" not in caught.value.sentence


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_file_is_refused_in_one_sentence(tmp_path: Path, share: float) -> None:
    _write(tmp_path / "whole.aaf", drop=False)
    data = (tmp_path / "whole.aaf").read_bytes()
    (tmp_path / "cut.aaf").write_bytes(data[: int(len(data) * share)])

    with pytest.raises(TimelineError, match=r"cut\.aaf is no AAF that can be read"):
        open_aaf(tmp_path / "cut.aaf")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared timelines are not here")
@pytest.mark.parametrize(
    ("name", "clips", "refused"),
    [
        ("2997fps-DFTC.aaf", 1, 0),
        ("linear_speed_effects.aaf", 20, 0),
        ("nested_stack.aaf", 3, 1),
        ("simple.aaf", 5, 0),
        ("transitions.aaf", 4, 0),
    ],
)
def test_shared_aafs_are_read_and_conform(tmp_path: Path, name: str, clips: int, refused: int) -> None:
    document = open_aaf(SHARED / name)
    refusals = [item for item in document.items() if isinstance(item, Refusal)]
    assert (len(_uses(document)), len(refusals)) == (clips, refused)
    assert all(refusal.reason.startswith(f"clip '{refusal.name}'") for refusal in refusals)
    for use in _uses(document):
        span = use.source_span()
        media = SourceMedia(
            Path("/t/A_cp001.mov"), use.media.rate, use.media.start_frame + span.start_frame, span.frame_count
        )
        document.replace(use, Take(media, span.start_frame, "A_cp001", {}))
    document.save(tmp_path / "cut.otio")
    document = OtioDocument.open(tmp_path / "cut.otio")

    assert [use.media.path for use in _uses(document)] == [Path("/t/A_cp001.mov")] * clips
    assert document.restore() == clips
    assert _uses(document) == _uses(open_aaf(SHARED / name))
