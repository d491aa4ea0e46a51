"""Files of OpenTimelineIO: read, listed, refused in a sentence, written whole or not at all."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate_plugin.dialects.known import OURS
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import Refusal, Span, Use
from opentimelineio.schema import (
    Clip,
    ExternalReference,
    Gap,
    GeneratorReference,
    ImageSequenceReference,
    LinearTimeWarp,
    MissingReference,
    Stack,
    TimeEffect,
    Timeline,
    Track,
    Transition,
)
from otio_made import marked, plain_shot, span, take_for, time, timeline_of, uses_of

PAL = Fraction(25)
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "timelines"
SAMPLES = ["effects", "multitrack", "nested_example", "premiere_example", "transition_test"]


def document_of(timeline: Timeline, folder: Path | None = None) -> OtioDocument:
    return OtioDocument.from_timeline(timeline, OURS, folder=folder)


def one_clip() -> Timeline:
    return timeline_of([plain_shot()], PAL)


def only_item(timeline: Timeline) -> Use | Refusal:
    (item,) = document_of(timeline).items()
    return item


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_conforms_or_is_refused_by_name_and_is_restored(name: str, tmp_path: Path) -> None:
    source = SHARED / f"{name}.otio"
    if not source.exists():
        pytest.skip("the samples are not here")
    document = OtioDocument.open(source)
    before, items = document.timeline.deepcopy(), document.items()
    assert items
    for item in items:
        if isinstance(item, Refusal):
            assert f"clip '{item.name}' on video track {item.track}" in item.reason
            assert ";" in item.reason
    uses = [item for item in items if isinstance(item, Use)]
    for number, use in enumerate(uses):
        document.replace(use, take_for(use, f"/takes/{number}.mov", spare=0))
    document.save(tmp_path / "clean.otio")
    again = OtioDocument.open(tmp_path / "clean.otio")
    shown_again = [item.media.path for item in again.items() if isinstance(item, Use)]
    assert shown_again == [Path(f"/takes/{number}.mov") for number in range(len(uses))]
    assert again.restore() == len(uses)
    assert again.timeline.is_equivalent_to(before)
    again.save(tmp_path / "back.otio")
    OtioDocument.open(source).save(tmp_path / "as_read.otio")
    assert (tmp_path / "back.otio").read_bytes() == (tmp_path / "as_read.otio").read_bytes()


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_parts_are_cut_out_and_restored(name: str) -> None:
    source = SHARED / f"{name}.otio"
    if not source.exists():
        pytest.skip("the samples are not here")
    document = OtioDocument.open(source)
    before = document.timeline.deepcopy()
    uses = [item for item in document.items() if isinstance(item, Use)]
    for number, use in enumerate(uses):
        part = Span(use.frame_count // 3, use.frame_count // 3)
        whole = use.whole_part(part)
        document.replace(use, take_for(use, f"/takes/{number}.mov", part=whole, spare=0), part)
    assert document.restore() == len(uses)
    assert document.timeline.is_equivalent_to(before)


def test_sample_of_premiere_lists_the_clips_that_it_has() -> None:
    source = SHARED / "premiere_example.otio"
    if not source.exists():
        pytest.skip("the samples are not here")
    items = OtioDocument.open(source).items()
    found = [(i.track, i.record_start, i.frame_count, isinstance(i, Use)) for i in items]
    assert found == [
        (1, 536, 100, True),
        (2, 13, 100, True),
        (2, 165, 157, True),
        (2, 322, 235, True),
        (2, 636, 320, False),
        (3, 15, 941, False),
        (4, 956, 208, True),
        (4, 1164, 82, True),
    ]
    mixed = items[6]
    assert isinstance(mixed, Use)
    assert mixed.source_start == 34
    assert (mixed.media.start_frame, mixed.tail_frames, mixed.fade_out_frames) == (99, 13, 12)


def newer_marker(timeline: Timeline) -> str:
    marked(timeline.tracks[0][0], 5)
    text = json.loads(timeline.to_json_string())
    marker = text["tracks"]["children"][0]["children"][0]["markers"][0]
    marker["OTIO_SCHEMA"] = "Marker.3"
    marker["color"] = {"OTIO_SCHEMA": "Color.1", "r": 1.0, "g": 0.5, "b": 0.0, "a": 1.0, "name": "ORANGE"}
    return json.dumps(text)


def test_newer_markers_are_read_and_written_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "new.otio").write_text(newer_marker(one_clip()))
    document = OtioDocument.open(tmp_path / "new.otio")
    assert document.timeline.tracks[0][0].markers[0].color == "ORANGE"
    document.save(tmp_path / "out.otio")
    assert json.loads((tmp_path / "out.otio").read_text()) == json.loads((tmp_path / "new.otio").read_text())


@pytest.mark.parametrize("color", ["null", '"RED"'])
def test_newer_markers_without_a_colour_of_numbers_are_kept(color: str, tmp_path: Path) -> None:
    text = json.loads(newer_marker(one_clip()))
    text["tracks"]["children"][0]["children"][0]["markers"][0]["color"] = json.loads(color)
    (tmp_path / "new.otio").write_text(json.dumps(text))
    OtioDocument.open(tmp_path / "new.otio").save(tmp_path / "out.otio")
    assert json.loads((tmp_path / "out.otio").read_text()) == text


def test_export_of_newer_markers_is_in_the_published_form(tmp_path: Path) -> None:
    (tmp_path / "new.otio").write_text(newer_marker(one_clip()))
    OtioDocument.open(tmp_path / "new.otio").export(tmp_path / "out.otio", "resolve")
    assert '"Marker.2"' in (tmp_path / "out.otio").read_text()


def test_other_newer_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new.otio").write_text(one_clip().to_json_string().replace('"Clip.2"', '"Clip.9"'))
    with pytest.raises(TimelineError, match=r"holds a Clip of version 9, and 2 is the newest"):
        OtioDocument.open(tmp_path / "new.otio")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no timeline", "is not an OpenTimelineIO file"),
        ("[" * 100_000, "is not an OpenTimelineIO file"),
        ("[1, 2]", "is not an OpenTimelineIO file|holds a"),
        ('{"OTIO_SCHEMA": "Gap.1"}', "holds a Gap where a timeline belongs"),
        ('{"OTIO_SCHEMA": "Timeline.1", "tracks": 5}', "is not an OpenTimelineIO file"),
    ],
)
def test_file_that_is_no_timeline_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "bad.otio").write_text(text)
    with pytest.raises(TimelineError, match=reason):
        OtioDocument.open(tmp_path / "bad.otio")


def test_file_that_is_not_there_or_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="cannot be read"):
        OtioDocument.open(tmp_path / "none.otio")
    (tmp_path / "bad.otioz").write_text("no zip")
    with pytest.raises(TimelineError, match=r"is not an \.otioz bundle"):
        OtioDocument.open(tmp_path / "bad.otioz")


def test_timeline_without_anything_has_no_rate() -> None:
    with pytest.raises(TimelineError, match="its rate is not known"):
        document_of(Timeline("empty"))


def test_numbers_that_are_none_are_refused() -> None:
    timeline = one_clip()
    timeline.tracks[0][0].source_range = span(Fraction(0), 5, PAL)
    timeline.tracks[0][0].effects.append(LinearTimeWarp(time_scalar=float("nan")))
    with pytest.raises(TimelineError, match="holds nan where a time or a speed belongs"):
        document_of(timeline).items()


def with_reference(reference: object) -> Callable[[Timeline], None]:
    def change(timeline: Timeline) -> None:
        timeline.tracks[0][0].media_reference = reference

    return change


def with_effects(*effects: object) -> Callable[[Timeline], None]:
    return lambda timeline: timeline.tracks[0][0].effects.extend(effects)


def nested(timeline: Timeline) -> None:
    clip = timeline.tracks[0][0].deepcopy()
    timeline.tracks[0][0] = Stack("group", children=[clip])


def without_any_range(timeline: Timeline) -> None:
    timeline.global_start_time = time(0, PAL)
    clip = timeline.tracks[0][0]
    clip.source_range = None
    clip.media_reference.available_range = None


def beyond_file(timeline: Timeline) -> None:
    timeline.tracks[0][0].source_range = span(90990, 40, PAL)


def between_frames(timeline: Timeline) -> None:
    timeline.tracks[0].insert(0, Gap(source_range=span(0, Fraction(1, 2), PAL)))


def trimmed_track(timeline: Timeline) -> None:
    timeline.tracks[0].source_range = span(5, 10, PAL)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_reference(MissingReference()), "has no media; relink it"),
        (with_reference(GeneratorReference("bars", "SMPTEBars")), "is made by a generator, 'SMPTEBars'"),
        (with_effects(TimeEffect(effect_name="ramp")), "has a speed ramp"),
        (with_effects(LinearTimeWarp(time_scalar=2), LinearTimeWarp(time_scalar=3)), "has 2 time effects"),
        (without_any_range, "says neither which frames it shows"),
        (beyond_file, "shows frames 990 to 1029 of a file that has 1000"),
        (between_frames, "begins or ends between two frames"),
        (trimmed_track, "lies on a track that is trimmed"),
    ],
)
def test_clip_that_cannot_be_cleaned_is_refused_by_name(change: Callable[[Timeline], None], reason: str) -> None:
    timeline = one_clip()
    change(timeline)
    item = only_item(timeline)
    assert isinstance(item, Refusal)
    assert item.reason.startswith("clip 'shot 0' on video track 1 ")
    assert reason in item.reason


def test_nested_stack_is_refused_and_keeps_its_time() -> None:
    timeline = timeline_of([plain_shot(), plain_shot()], PAL)
    nested(timeline)
    refused, use = document_of(timeline).items()
    assert isinstance(refused, Refusal)
    assert "clip 'group' on video track 1 is a nested stack" in refused.reason
    assert use.record_start == 40


def test_nested_stack_of_unknown_length_is_refused() -> None:
    timeline = timeline_of([plain_shot(), plain_shot()], PAL)
    timeline.tracks[0][0] = Stack("group", children=[Clip("inside")])
    with pytest.raises(TimelineError, match="nobody can tell how long 'group' is"):
        document_of(timeline).items()


def test_time_effect_that_is_switched_off_is_not_heeded() -> None:
    timeline = one_clip()
    ramp = TimeEffect(effect_name="ramp")
    ramp.enabled = False
    timeline.tracks[0][0].effects.append(ramp)
    assert isinstance(only_item(timeline), Use)


def test_fade_in_at_the_start_shows_nothing_before_it() -> None:
    timeline = one_clip()
    fade = Transition("fade", in_offset=time(5, PAL), out_offset=time(8, PAL))
    timeline.tracks[0].insert(0, fade)
    (use,) = uses_of(document_of(timeline).items())
    assert (use.head_frames, use.fade_in_frames) == (0, 8)


def test_dissolve_between_two_frames_is_refused() -> None:
    timeline = one_clip()
    timeline.tracks[0].append(Transition("mix", in_offset=time(Fraction(5, 2), PAL), out_offset=time(0, PAL)))
    item = only_item(timeline)
    assert isinstance(item, Refusal)
    assert "has a dissolve that begins or ends between two frames" in item.reason


def test_sound_is_not_listed() -> None:
    timeline = one_clip()
    sound = Track("A1", kind="Audio")
    sound.append(Clip("boom", source_range=span(0, 40, PAL)))
    timeline.tracks.append(sound)
    assert isinstance(only_item(timeline), Use)


def test_clip_or_track_that_is_switched_off_is_not_enabled() -> None:
    timeline = one_clip()
    timeline.tracks[0].enabled = False
    (use,) = uses_of(document_of(timeline).items())
    assert not use.enabled


def test_picture_that_stands_longer_than_its_one_frame_is_held() -> None:
    timeline = one_clip()
    clip = timeline.tracks[0][0]
    clip.media_reference = ExternalReference("file:///media/card.png", span(0, 1, PAL))
    clip.source_range = span(0, 40, PAL)
    (use,) = uses_of(document_of(timeline).items())
    assert use.speed == 0
    assert use.source_span() == Span(0, 1)


def test_image_sequence_is_a_pattern_of_its_names() -> None:
    timeline = one_clip()
    clip = timeline.tracks[0][0]
    clip.media_reference = ImageSequenceReference(
        "file:///plates/sh010/", "plate.", ".exr", start_frame=1001, rate=25.0, frame_zero_padding=4,
        available_range=span(1001, 100, PAL),
    )  # fmt: skip
    clip.source_range = span(1011, 40, PAL)
    (use,) = uses_of(document_of(timeline).items())
    assert use.media.path == Path("/plates/sh010/plate.%04d.exr")
    assert use.source_start == 10
    assert use.media.frame_count == 100


def test_relative_media_lie_beside_the_timeline(tmp_path: Path) -> None:
    timeline = one_clip()
    timeline.tracks[0][0].media_reference.target_url = "media/a%20b.mov"
    (tmp_path / "edit.otio").write_text(timeline.to_json_string())
    (use,) = uses_of(OtioDocument.open(tmp_path / "edit.otio").items())
    assert use.media.path == tmp_path / "media" / "a b.mov"


def test_rates_written_rounded_are_exact_and_stay_as_written() -> None:
    ntsc = Fraction(24000, 1001)
    timeline = timeline_of([plain_shot(rate=ntsc)], ntsc, 86400)
    rounded = Timeline.from_json_string(timeline.to_json_string().replace("23.976023976023978", "23.976"))
    document = document_of(rounded)
    (use,) = uses_of(document.items())
    assert (document.rate, document.start_frame, use.media.rate) == (ntsc, 86400, ntsc)
    assert use.source_start == 500
    document.replace(use, take_for(use, "/takes/cp001.mov"), Span(10, 10))
    assert [clip.source_range.start_time.rate for clip in rounded.tracks[0]] == [23.976] * 3


def test_media_of_another_rate_play_as_long_as_they_last() -> None:
    timeline = one_clip()
    clip = timeline.tracks[0][0]
    clip.media_reference.available_range = span(0, 1000, Fraction(50))
    clip.source_range = span(100, 40, PAL)
    (use,) = uses_of(document_of(timeline).items())
    assert use.source_start == 200
    assert use.step == 2
    assert use.frame_count == 40


def test_save_as_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match=r"edit\.mov does not end as this timeline can be written"):
        document_of(one_clip()).save(tmp_path / "edit.mov")


def test_save_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="cannot be written"):
        document_of(one_clip()).save(tmp_path / "none" / "edit.otio")


def test_bundle_takes_the_shown_media_in_and_is_restored(tmp_path: Path) -> None:
    for name in ("plate.mov", "cp001.mov"):
        (tmp_path / name).write_bytes(name.encode())
    timeline = one_clip()
    timeline.tracks[0][0].media_reference.target_url = "plate.mov"
    document = document_of(timeline, tmp_path)
    (use,) = uses_of(document.items())
    document.replace(use, take_for(use, str(tmp_path / "cp001.mov")))
    document.save(tmp_path / "edit.otioz")
    with zipfile.ZipFile(tmp_path / "edit.otioz") as bundle:
        assert bundle.read("media/cp001.mov") == b"cp001.mov"
    again = OtioDocument.open(tmp_path / "edit.otioz")
    (item,) = again.items()
    assert isinstance(item, Refusal)
    assert "has its media, media/cp001.mov, within the bundle; unpack the bundle" in item.reason
    assert again.restore() == 1
    (restored,) = uses_of(again.items())
    assert restored.media.path == tmp_path / "plate.mov"


def test_bundle_of_media_that_are_not_there_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="a bundle takes its media in"):
        document_of(one_clip()).save(tmp_path / "edit.otioz")
    assert list(tmp_path.iterdir()) == []


def test_document_without_a_name_or_a_start_is_called_so() -> None:
    timeline = one_clip()
    timeline.name, timeline.global_start_time = "", None
    document = document_of(timeline)
    assert (document.name, document.start_frame, document.rate) == ("without a name", 0, PAL)
