"""Every record frame shows the same source frame before and after a write and a read in each host's dialect."""

from __future__ import annotations

import json
import math
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from cleanplate_plugin.dialects.base import Played, Written
from cleanplate_plugin.dialects.known import OURS, dialect_named, dialect_of, host_dialects
from cleanplate_plugin.documents.opening import open_document
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timecodes import smpte_rate
from cleanplate_plugin.timeline import Refusal, SourceMedia, Span, Use
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentimelineio.schema import Clip, ExternalReference, ImageSequenceReference, LinearTimeWarp, Timeline, Track
from otio_made import (
    RATES,
    SPEEDS,
    Shot,
    media_of,
    plain_shot,
    shown,
    span,
    take_for,
    timeline_of,
    timelines,
    uses_of,
)

FORWARD = tuple(speed for speed in SPEEDS if speed > 0)
AS_SHOT = (Fraction(1),)
# What each host can be told: speeds, and whether dissolves.
ABLE = {"resolve": (SPEEDS, True), "premiere": (FORWARD, True), "kdenlive": (AS_SHOT, False)}
HOSTS = list(ABLE)
Made = tuple[list[Shot], Fraction, int]

modest = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def documents(name: str) -> st.SearchStrategy[Made]:
    speeds, dissolves = ABLE[name]
    return timelines(speeds, dissolves=dissolves)


def open_exported(document: OtioDocument, name: str) -> tuple[OtioDocument, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edit.otio"
        document.export(path, name)
        return OtioDocument.open(path), json.loads(path.read_text())


def made(drawn: Made) -> OtioDocument:
    return OtioDocument.from_timeline(timeline_of(*drawn), OURS)


@given(timelines())
@modest
def test_timeline_of_ours_shows_the_frames_that_were_meant(drawn: Made) -> None:
    drawn_shots, rate, start = drawn
    document = made(drawn)
    assert (document.rate, document.start_frame) == (rate, start)
    at = 0
    for shot, use in zip(drawn_shots, uses_of(document.items()), strict=True):
        at += shot.gap
        assert (use.record_start, use.frame_count) == (at, shot.frame_count)
        step = shot.speed * shot.media_rate / rate
        to_frame = math.ceil if step < 0 else math.floor
        for k in range(shot.frame_count):
            assert use.source_frame(k) == to_frame(shot.first + k * step)
        at += shot.frame_count


@given(timelines())
@modest
def test_timeline_of_ours_written_and_read_shows_the_same(drawn: Made) -> None:
    document = made(drawn)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edit.otio"
        document.save(path)
        after = OtioDocument.open(path)
    assert after.items() == document.items()
    assert after.timeline.is_equivalent_to(document.timeline)


@pytest.mark.parametrize("name", HOSTS)
@given(data=st.data())
@modest
def test_export_for_a_host_shows_the_same(name: str, data: st.DataObject) -> None:
    drawn = data.draw(documents(name))
    document = made(drawn)
    before = uses_of(document.items())
    after, text = open_exported(document, name)
    kept = uses_of(after.items())
    assert [shown(use) for use in kept] == [shown(use) for use in before]
    assert [(use.record_start, use.frame_count) for use in kept] == [(u.record_start, u.frame_count) for u in before]
    assert (after.rate, after.start_frame) == (document.rate, document.start_frame)
    assert host_frames(text, name) == [
        [shown(use)[use.record_start + k][1] for k in range(use.frame_count)] for use in before
    ]


@given(timelines())
@modest
def test_export_as_fcp7_xml_shows_the_same(drawn: Made) -> None:
    document = made(drawn)
    with tempfile.TemporaryDirectory() as folder:
        document.export(Path(folder) / "edit.xml", "fcp7")
        after = open_document(Path(folder) / "edit.xml")
    kept, before = uses_of(after.items()), uses_of(document.items())
    assert [shown(use) for use in kept] == [shown(use) for use in before]
    assert (after.rate, after.start_frame) == (document.rate, document.start_frame)


@pytest.mark.parametrize("name", HOSTS)
@given(data=st.data())
@modest
def test_export_after_a_part_was_cleaned_shows_the_take_there_and_the_original_elsewhere(
    name: str, data: st.DataObject
) -> None:
    document = made(data.draw(documents(name)))
    use = data.draw(st.sampled_from(uses_of(document.items())))
    start = data.draw(st.integers(0, use.frame_count - 1))
    stop = data.draw(st.integers(start + 1, use.frame_count))
    cleaned = Span(start, stop - start)
    part = use.whole_part(cleaned)
    take = take_for(use, "/takes/cp001.mov", part=part)
    expected = {k: v for each in uses_of(document.items()) for k, v in cut_to_cut(each).items()}
    for k in range(part.start_frame, part.stop_frame):
        expected[use.record_start + k] = (take.media.path, use.source_frame(k) - take.source_start)
    before = document.timeline.deepcopy()

    document.replace(use, take, cleaned)
    after, _ = open_exported(document, name)
    seen = {k: v for each in uses_of(after.items()) for k, v in cut_to_cut(each).items()}
    assert seen == expected
    assert document.restore() == 1
    assert document.timeline.is_equivalent_to(before)
    assert document.timeline.to_json_string() == before.to_json_string()


def cut_to_cut(use: Use) -> dict[int, tuple[Path | None, int]]:
    return {use.record_start + k: (use.media.path, use.source_frame(k)) for k in range(use.frame_count)}


def host_frames(text: Any, name: str) -> list[list[int]]:
    """Reads frames of each file as a host is reported to: by its own rule, from the bare text."""
    frames = []
    clips = [c for t in text["tracks"]["children"] for c in t["children"] if c["OTIO_SCHEMA"] == "Clip.2"]
    for clip in clips:
        if not clip["enabled"]:
            continue
        (reference,) = clip["media_references"].values()
        shown_range, file_range = clip["source_range"], reference["available_range"]
        warps = [e["time_scalar"] for e in clip["effects"] if "time_scalar" in e]
        speed = warps[0] if warps and name != "kdenlive" else 1.0
        rate = float(smpte_rate(text["global_start_time"]["rate"]))
        duration = shown_range["duration"]["value"] * rate / shown_range["duration"]["rate"]
        count = round(duration / speed if name == "premiere" else duration)
        media_rate = file_range["start_time"]["rate"]
        step = speed * media_rate / rate
        first = shown_range["start_time"]["value"] - file_range["start_time"]["value"]
        if step < 0:
            first += count * -step - 1
        positions = [first + k * step for k in range(count)]
        frames.append([math.ceil(p - 1e-6) if step < 0 else math.floor(p + 1e-6) for p in positions])
    return frames


@pytest.mark.parametrize("dialect", [OURS, *host_dialects()], ids=lambda d: d.name)
@given(
    first=st.integers(0, 10**7),
    count=st.integers(1, 10**5),
    speed=st.sampled_from(SPEEDS),
    pace=st.builds(lambda a, b: a / b, st.sampled_from(RATES), st.sampled_from(RATES)),
)
@modest
def test_numbers_written_are_read_as_meant(
    dialect: Any, first: int, count: int, speed: Fraction, pace: Fraction
) -> None:
    meant = Played(Fraction(first), Fraction(count), Fraction(1) if dialect.name == "kdenlive" else speed)
    if dialect.name == "premiere" and speed <= 0:
        return
    assert dialect.played(dialect.written(meant, pace), pace) == meant


def test_resolve_gets_what_its_import_asks_for() -> None:
    _, text = open_exported(made(([plain_shot(), plain_shot(Fraction(2))], Fraction(25), 90000)), "resolve")
    assert text["metadata"]["Resolve_OTIO"] == {"Resolve OTIO Meta Version": "1.0"}
    assert text["global_start_time"]["value"] == 90000
    (track,) = text["tracks"]["children"]
    assert track["name"] == "Video 1"
    clip = track["children"][0]
    assert clip["OTIO_SCHEMA"] == "Clip.2"
    assert (clip["enabled"], clip["metadata"], clip["active_media_reference_key"]) == (True, {}, "DEFAULT_MEDIA")
    assert clip["media_references"]["DEFAULT_MEDIA"]["target_url"] == "/media/shot 0.mov"
    assert clip["source_range"]["start_time"]["value"] == 90500
    assert track["children"][1]["source_range"]["duration"]["value"] == 40


def test_premiere_gets_source_spans_urls_and_no_warp_of_one() -> None:
    timeline = timeline_of([plain_shot(), plain_shot(Fraction(2))], Fraction(25))
    timeline.tracks[0][0].effects.append(LinearTimeWarp(time_scalar=1.0))
    _, text = open_exported(OtioDocument.from_timeline(timeline, OURS), "premiere")
    as_shot, fast = text["tracks"]["children"][0]["children"]
    assert as_shot["effects"] == []
    assert fast["source_range"]["duration"]["value"] == 80
    assert fast["media_references"]["DEFAULT_MEDIA"]["target_url"] == "file:///media/shot 1.mov"
    assert text["metadata"]["PremierePro_OTIO"] == {"MetadataVersion": "1.0"}


def test_kdenlive_gets_bare_paths() -> None:
    _, text = open_exported(made(([plain_shot()], Fraction(25), 0)), "kdenlive")
    (clip,) = text["tracks"]["children"][0]["children"]
    assert clip["media_references"]["DEFAULT_MEDIA"]["target_url"] == "/media/shot 0.mov"


@pytest.mark.parametrize(
    ("name", "shot", "reason"),
    [
        ("premiere", plain_shot(Fraction(-1)), "'shot 0' on video track 1 plays backwards"),
        ("premiere", plain_shot(Fraction(0)), "'shot 0' on video track 1 is a freeze"),
        ("kdenlive", plain_shot(Fraction(2)), "'shot 0' on video track 1 is retimed"),
        ("kdenlive", Shot(Fraction(25), 0, 1000, 500, Fraction(1), 40, 0, (3, 3)), "'shot 0'.*has a dissolve"),
    ],
)
def test_export_that_a_host_would_show_otherwise_is_refused_and_writes_nothing(
    name: str, shot: Shot, reason: str, tmp_path: Path
) -> None:
    document = made(([shot, plain_shot()], Fraction(25), 0))
    with pytest.raises(TimelineError, match=reason):
        document.export(tmp_path / "edit.otio", name)
    assert list(tmp_path.iterdir()) == []


def test_export_of_media_whose_start_is_not_known_needs_the_file(tmp_path: Path) -> None:
    timeline = timeline_of([plain_shot()], Fraction(25))
    timeline.tracks[0][0].media_reference.available_range = None
    document = OtioDocument.from_timeline(timeline, OURS)
    path = tmp_path / "edit.otio"
    with pytest.raises(TimelineError, match="'shot 0' on video track 1 does not say where its file begins"):
        document.export(path, "resolve")
    document.export(path, "resolve", files={media_of(0): SourceMedia(media_of(0), Fraction(25), 90000, 1000)})
    (use,) = uses_of(OtioDocument.open(path).items())
    assert use.source_start == 500
    assert use.media.frame_count == 1000


def test_export_of_files_counted_from_zero_goes_by_their_timecode(tmp_path: Path) -> None:
    shot = plain_shot()
    from_zero = Shot(shot.media_rate, 0, shot.file_frames, shot.first, shot.speed, shot.frame_count)
    document = made(([from_zero], Fraction(25), 0))
    known = {media_of(0): SourceMedia(media_of(0), Fraction(25), 90000, 1000)}
    document.export(tmp_path / "edit.otio", "kdenlive", files=known)
    text = json.loads((tmp_path / "edit.otio").read_text())
    assert text["tracks"]["children"][0]["children"][0]["source_range"]["start_time"]["value"] == 90500


def test_export_keeps_nothing_of_ours(tmp_path: Path) -> None:
    document = made(([plain_shot()], Fraction(25), 0))
    (use,) = uses_of(document.items())
    document.replace(use, take_for(use, "/takes/cp001.mov"), Span(10, 10))
    document.export(tmp_path / "edit.otio", "resolve")
    assert "cleanplate" not in (tmp_path / "edit.otio").read_text()


def with_sound(*effects: LinearTimeWarp) -> OtioDocument:
    timeline = timeline_of([plain_shot()], Fraction(25))
    sound = Clip("boom", ExternalReference("file:///media/boom.wav", span(0, 500, Fraction(25))))
    sound.source_range = span(20, 40, Fraction(25))
    sound.effects.extend(effects)
    timeline.tracks.append(Track("A", kind="Audio", children=[sound]))
    return OtioDocument.from_timeline(timeline, OURS)


def test_sound_goes_along_with_its_range_and_the_hosts_paths() -> None:
    _, text = open_exported(with_sound(), "resolve")
    sound = text["tracks"]["children"][1]["children"][0]
    assert sound["media_references"]["DEFAULT_MEDIA"]["target_url"] == "/media/boom.wav"
    assert sound["source_range"]["start_time"]["value"] == 20
    assert text["tracks"]["children"][1]["name"] == "Audio 1"


def test_sound_that_is_retimed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="sound 'boom' is retimed"):
        with_sound(LinearTimeWarp(time_scalar=2)).export(tmp_path / "edit.otio", "premiere")


def test_export_of_images_is_refused(tmp_path: Path) -> None:
    timeline = timeline_of([plain_shot()], Fraction(25))
    images = ImageSequenceReference(
        "file:///p/", "a.", ".exr", rate=25.0, available_range=span(90000, 1000, Fraction(25))
    )
    timeline.tracks[0][0].media_reference = images
    with pytest.raises(TimelineError, match="'shot 0' on video track 1 shows numbered images"):
        OtioDocument.from_timeline(timeline, OURS).export(tmp_path / "edit.otio", "resolve")


@pytest.mark.parametrize(("key", "name"), [("Resolve_OTIO", "resolve"), ("PremierePro_OTIO", "premiere")])
def test_dialect_is_told_by_the_vendors_metadata(key: str, name: str) -> None:
    assert dialect_of(Timeline("t", metadata={key: {}})).name == name


def test_dialect_of_nobodys_is_ours() -> None:
    assert dialect_of(Timeline("t")).name == "ours"


def test_dialect_unknown_is_refused() -> None:
    with pytest.raises(TimelineError, match=r"'avid'.*ours, resolve, premiere, kdenlive"):
        dialect_named("avid")


def test_clip_played_backwards_in_a_file_of_premiere_is_refused() -> None:
    timeline = timeline_of([plain_shot(Fraction(-1))], Fraction(25))
    timeline.metadata["PremierePro_OTIO"] = {"MetadataVersion": "1.0"}
    (item,) = OtioDocument.from_timeline(timeline, dialect_of(timeline)).items()
    assert isinstance(item, Refusal)
    assert "'shot 0' on video track 1 plays backwards" in item.reason


def test_clip_of_premiere_with_a_rounded_span_lasts_whole_frames() -> None:
    timeline = timeline_of([plain_shot(Fraction("0.9753"))], Fraction(25))
    clip: Clip = timeline.tracks[0][0]
    clip.source_range = span(90500, 39, Fraction(25))
    (use,) = uses_of(OtioDocument.from_timeline(timeline, dialect_named("premiere")).items())
    assert use.frame_count == 40


def test_numbers_of_premiere_are_spans_of_source() -> None:
    played = dialect_named("premiere").played(Written(Fraction(100), Fraction(80), Fraction(2)), Fraction(1))
    assert played == Played(Fraction(100), Fraction(40), Fraction(2))
