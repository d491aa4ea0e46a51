"""Takes go into a timeline and out again, and nothing else in it moves."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from cleanplate_plugin.dialects.known import OURS
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.errors import StaleClipError, TimelineError
from cleanplate_plugin.timeline import SourceMedia, Span, Take, Use, settle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentimelineio.schema import Clip, Effect, Timeline, Track
from otio_made import (
    SPEEDS,
    Shot,
    marked,
    media_of,
    plain_shot,
    shown,
    span,
    take_for,
    timeline_of,
    timelines,
    uses_of,
)

PAL = Fraction(25)
modest = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def three_clips(speed: Fraction = Fraction(1), dissolve: tuple[int, int] | None = None) -> OtioDocument:
    middle = Shot(PAL, 90000, 1000, 500, speed, 40, 0, dissolve)
    timeline = timeline_of([plain_shot(), middle, plain_shot()], PAL, 90000)
    for clip in timeline.find_clips():
        marked(clip, 2, 15, 30)
        clip.effects.append(Effect("glow", "Glow", {"amount": 0.5}))
    timeline.metadata["project"] = "x"
    title = Track("titles", kind="Video")
    title.append(Clip("title", source_range=span(0, 120, PAL)))
    timeline.tracks.append(title)
    return OtioDocument.from_timeline(timeline, OURS)


def middle_of(document: OtioDocument) -> Use:
    return next(item for item in document.items() if isinstance(item, Use) and item.record_start == 40)


def track_text(document: OtioDocument, number: int = 0) -> list[Any]:
    text = json.loads(document.timeline.to_json_string())
    children: list[Any] = text["tracks"]["children"][number]["children"]
    return children


def is_as(document: OtioDocument, before: Timeline) -> bool:
    same: bool = document.timeline.is_equivalent_to(before)
    return same and document.timeline.to_json_string() == before.to_json_string()


def clips_of(document: OtioDocument, number: int = 0) -> list[Use]:
    return [item for item in document.items() if isinstance(item, Use) and item.track == number + 1]


def test_replace_keeps_the_original_beside_the_take_and_all_else() -> None:
    document = three_clips()
    before = track_text(document)
    document.replace(middle_of(document), take_for(middle_of(document), "/takes/cp001.mov"))
    after = track_text(document)
    assert (after[0], after[2]) == (before[0], before[2])
    clip, old = after[1], before[1]
    assert clip["active_media_reference_key"] == "cleanplate-1"
    assert clip["media_references"]["DEFAULT_MEDIA"] == old["media_references"]["DEFAULT_MEDIA"]
    take = clip["media_references"]["cleanplate-1"]
    assert take["target_url"] == "file:///takes/cp001.mov"
    assert take["available_range"]["start_time"]["value"] == 90000 + 500 - 3
    assert take["metadata"]["cleanplate"]["about"] == {"engines": ["fill"], "seed": 7}
    untouched = ("source_range", "effects", "markers", "enabled", "name", "color")
    assert {key: clip[key] for key in untouched} == {key: old[key] for key in untouched}
    assert clip["metadata"]["grader"] == old["metadata"]["grader"]


def test_replace_again_adds_a_take() -> None:
    document = three_clips()
    for number in (1, 2, 3):
        use = middle_of(document)
        document.replace(use, take_for(document.original(use), f"/takes/cp00{number}.mov", spare=number))
    clip = track_text(document)[1]
    assert sorted(clip["media_references"]) == ["DEFAULT_MEDIA", "cleanplate-1", "cleanplate-2", "cleanplate-3"]
    assert clip["active_media_reference_key"] == "cleanplate-3"
    assert middle_of(document).media.path == Path("/takes/cp003.mov")


def test_original_of_a_cleaned_clip_is_what_it_was() -> None:
    document = three_clips()
    before = middle_of(document)
    document.replace(before, take_for(before, "/takes/cp001.mov"))
    assert document.original(middle_of(document)) == before


@given(timelines(), st.data())
@modest
def test_replace_whole_shows_the_clean_form_of_the_same_frames(
    drawn: tuple[list[Shot], Fraction, int], data: st.DataObject
) -> None:
    document = OtioDocument.from_timeline(timeline_of(*drawn), OURS)
    before, uses = document.timeline.deepcopy(), uses_of(document.items())
    use = data.draw(st.sampled_from(uses))
    take = take_for(use, "/takes/cp001.mov")
    document.replace(use, take)
    for was, now in zip(uses, uses_of(document.items()), strict=True):
        if was == use:
            assert shown(now) == {k: (take.media.path, f - take.source_start) for k, (_, f) in shown(was).items()}
        else:
            assert now == was
    assert document.restore() == 1
    assert is_as(document, before)


@pytest.mark.parametrize("speed", SPEEDS)
def test_replace_part_cuts_in_place_and_restore_leaves_no_trace(speed: Fraction) -> None:
    document = three_clips(speed)
    before, use = document.timeline.deepcopy(), middle_of(document)
    take = take_for(use, "/takes/cp001.mov", part=Span(10, 12))
    document.replace(use, take, Span(10, 12))
    pieces = clips_of(document)[1:4]
    assert [(p.record_start, p.frame_count) for p in pieces] == [(40, 10), (50, 12), (62, 18)]
    assert [p.media.path for p in pieces] == [media_of(1), take.media.path, media_of(1)]
    for k in range(use.frame_count):
        piece = next(p for p in pieces if p.record_start <= 40 + k < p.record_start + p.frame_count)
        frame = piece.source_frame(40 + k - piece.record_start)
        assert frame + (take.source_start if piece is pieces[1] else 0) == use.source_frame(k)
    assert document.restore() == 1
    assert is_as(document, before)


def test_replace_part_leaves_each_marker_on_its_piece_and_effects_on_all() -> None:
    document = three_clips()
    use = middle_of(document)
    document.replace(use, take_for(use, "/takes/cp001.mov"), Span(10, 12))
    pieces = track_text(document)[1:4]
    assert [[m["name"] for m in piece["markers"]] for piece in pieces] == [["m2"], ["m15"], ["m30"]]
    assert [[e["effect_name"] for e in piece["effects"]] for piece in pieces] == [["Glow"]] * 3
    assert all(piece["metadata"]["grader"]["look"] == "warm" for piece in pieces)


@pytest.mark.parametrize("speed", SPEEDS)
def test_two_parts_of_a_clip_cleaned_one_after_the_other_are_restored(speed: Fraction) -> None:
    document = three_clips(speed)
    before, use = document.timeline.deepcopy(), middle_of(document)
    document.replace(use, take_for(use, "/takes/cp001.mov"), Span(5, 10))
    tail = clips_of(document)[3]
    document.replace(tail, take_for(document.original(tail), "/takes/cp002.mov"), Span(5, 10))
    assert [p.frame_count for p in clips_of(document)[1:6]] == [5, 10, 5, 10, 10]
    assert document.restore() == 2
    assert is_as(document, before)


def test_restore_of_one_part_joins_what_lies_around_it_and_leaves_the_other() -> None:
    document = three_clips()
    before, use = document.timeline.deepcopy(), middle_of(document)
    document.replace(use, take_for(use, "/takes/cp001.mov"), Span(5, 10))
    once = document.timeline.deepcopy()
    tail = clips_of(document)[3]
    document.replace(tail, take_for(document.original(tail), "/takes/cp002.mov"), Span(5, 10))
    assert document.restore(clips_of(document)[4]) == 1
    assert is_as(document, once)
    assert document.restore(clips_of(document)[2]) == 1
    assert is_as(document, before)


def test_part_of_a_cleaned_part_keeps_the_first_take_around_it() -> None:
    document = three_clips()
    before, use = document.timeline.deepcopy(), middle_of(document)
    document.replace(use, take_for(use, "/takes/cp001.mov"), Span(5, 20))
    clean = clips_of(document)[2]
    document.replace(clean, take_for(document.original(clean), "/takes/cp002.mov"), Span(5, 5))
    paths = [p.media.path for p in clips_of(document)[1:6]]
    first, second = Path("/takes/cp001.mov"), Path("/takes/cp002.mov")
    assert paths == [media_of(1), first, second, first, media_of(1)]
    assert document.restore() == 3
    assert is_as(document, before)


def test_part_of_a_clip_that_was_cleaned_whole_is_restored_to_the_original() -> None:
    document = three_clips()
    before, use = document.timeline.deepcopy(), middle_of(document)
    document.replace(use, take_for(use, "/takes/cp001.mov"))
    again = middle_of(document)
    document.replace(again, take_for(use, "/takes/cp002.mov"), Span(5, 10))
    assert document.restore() == 3
    assert is_as(document, before)


def test_part_that_reaches_into_a_dissolve_goes_on_to_the_end() -> None:
    document = three_clips(dissolve=(6, 4))
    before, use = document.timeline.deepcopy(), middle_of(document)
    assert use.whole_part(Span(20, 16)) == Span(20, 20)
    take = take_for(use, "/takes/cp001.mov")
    document.replace(use, take, Span(20, 16))
    head, clean = clips_of(document)[1:3]
    assert (head.frame_count, head.tail_frames) == (20, 0)
    assert (clean.frame_count, clean.tail_frames, clean.fade_out_frames) == (20, 4, 6)
    assert document.restore() == 1
    assert is_as(document, before)


def test_part_cleaned_after_an_edit_of_another_piece_is_not_joined_with_it() -> None:
    document = three_clips()
    use = middle_of(document)
    document.replace(use, take_for(use, "/takes/cp001.mov"), Span(10, 10))
    document.timeline.tracks[0][1].metadata["grader"]["look"] = "cold"
    assert document.restore() == 1
    assert [c.name for c in document.timeline.tracks[0]] == ["shot 0", "shot 1", "shot 1", "shot 2"]
    assert document.timeline.tracks[0][1].metadata["grader"]["look"] == "cold"


@pytest.mark.parametrize(("spare", "part"), [(-2, None), (-2, Span(10, 10))])
def test_take_that_is_too_short_is_refused_and_nothing_changes(spare: int, part: Span | None) -> None:
    document = three_clips()
    before, use = document.timeline.deepcopy(), middle_of(document)
    with pytest.raises(TimelineError, match=r"cp001 holds frames \d+ to \d+, clip 'shot 1' shows \d+ to \d+"):
        document.replace(use, take_for(use, "/takes/cp001.mov", part=part, spare=spare), part)
    assert is_as(document, before)


def test_clip_that_lost_its_original_is_refused_and_nothing_changes() -> None:
    document = three_clips()
    for use in clips_of(document)[:2]:
        document.replace(use, take_for(use, "/takes/cp001.mov"))
    clip = document.timeline.tracks[0][1]
    clip.set_media_references({"cleanplate-1": clip.media_reference}, "cleanplate-1")
    before = document.timeline.deepcopy()
    with pytest.raises(TimelineError, match="clip 'shot 1' has lost its original, 'DEFAULT_MEDIA'"):
        document.restore()
    assert is_as(document, before)


def test_clip_that_is_gone_is_stale() -> None:
    document = three_clips()
    use = middle_of(document)
    del document.timeline.tracks[0][0]
    with pytest.raises(StaleClipError, match="'shot 1' is no longer on video track 1 at frame 40"):
        document.replace(use, take_for(use, "/takes/cp001.mov"))


def test_uses_listed_before_edits_still_find_their_clips() -> None:
    document = three_clips()
    first, middle, last = clips_of(document)
    document.replace(first, take_for(first, "/takes/a.mov"), Span(10, 10))
    document.lay_above(last, take_for(last, "/takes/p.mov"))
    document.replace(middle, take_for(middle, "/takes/b.mov"), Span(10, 10))
    document.replace(last, take_for(last, "/takes/c.mov"))
    assert clips_of(document)[-1].media.path == Path("/takes/c.mov")


def test_lay_above_puts_a_track_right_above_and_below_the_titles() -> None:
    document = three_clips()
    before, use = document.timeline.deepcopy(), middle_of(document)
    take = take_for(use, "/takes/patch.mov", part=Span(10, 12))
    document.lay_above(use, take, Span(10, 12))
    assert [track.name for track in document.timeline.tracks] == ["V", "Cleanplate", "titles"]
    gap, clip = document.timeline.tracks[1]
    assert gap.source_range.duration.value == 50
    assert (clip.source_range.start_time.value, clip.source_range.duration.value) == (90510, 12)
    assert clip.media_reference.available_range.start_time.value == 90507
    assert [item.track for item in document.items()] == [1, 1, 1, 2]
    assert track_text(document) == json.loads(before.to_json_string())["tracks"]["children"][0]["children"]
    assert document.restore() == 1
    assert is_as(document, before)


def test_lay_above_again_adds_a_take_and_elsewhere_a_clip() -> None:
    document = three_clips()
    before, use = document.timeline.deepcopy(), middle_of(document)
    for number in (1, 2):
        document.lay_above(use, take_for(use, f"/takes/patch{number}.mov"), Span(10, 12))
    document.lay_above(use, take_for(use, "/takes/patch3.mov"), Span(30, 10))
    document.lay_above(use, take_for(use, "/takes/patch4.mov"), Span(20, 15))
    tracks = document.timeline.tracks
    assert [track.name for track in tracks] == ["V", "Cleanplate", "Cleanplate", "titles"]
    clips = [item for item in tracks[1] if isinstance(item, Clip)]
    assert [(len(clip.media_references()), clip.active_media_reference_key) for clip in clips] == [
        (2, "cleanplate-2"),
        (1, "cleanplate-1"),
    ]
    assert document.restore(use) == 3
    assert is_as(document, before)


def test_lay_above_of_a_matte_is_not_seen_and_lies_apart() -> None:
    document = three_clips(dissolve=(6, 4))
    before, use = document.timeline.deepcopy(), middle_of(document)
    document.lay_above(use, take_for(use, "/takes/matte.mov"), enabled=False)
    document.lay_above(use, take_for(use, "/takes/patch.mov"), Span(0, 10))
    names = [track.name for track in document.timeline.tracks]
    assert names == ["V", "Cleanplate mattes", "Cleanplate", "titles"]
    assert [clip.enabled for clip in document.timeline.tracks[1].find_clips()] == [False]
    assert document.restore() == 2
    assert is_as(document, before)


def test_lay_above_a_dissolve_is_refused() -> None:
    document = three_clips(dissolve=(6, 4))
    before, use = document.timeline.deepcopy(), middle_of(document)
    with pytest.raises(TimelineError, match="patch over the dissolve of clip 'shot 1'"):
        document.lay_above(use, take_for(use, "/takes/patch.mov"))
    assert is_as(document, before)


@pytest.mark.parametrize("speed", SPEEDS)
def test_lay_above_plays_the_patch_as_the_clip_is_played(speed: Fraction, tmp_path: Path) -> None:
    document = three_clips(speed)
    use = middle_of(document)
    take = take_for(use, "/takes/patch.mov")
    document.lay_above(use, take)
    overlay = Timeline("o", global_start_time=document.timeline.global_start_time)
    overlay.tracks.append(document.timeline.tracks[1].deepcopy())
    del overlay.tracks[0].metadata["cleanplate"]
    (laid,) = uses_of(OtioDocument.from_timeline(overlay, OURS).items())
    expected = {k: (take.media.path, f - take.source_start) for k, (_, f) in shown(use).items()}
    assert shown(laid) == expected


def test_media_that_count_from_zero_keep_counting_so() -> None:
    timeline = timeline_of([Shot(PAL, 0, 1000, 500, Fraction(1), 40)], PAL)
    document = OtioDocument.from_timeline(timeline, OURS)
    (use,) = uses_of(document.items())
    take = take_for(use, "/takes/cp001.mov")
    media = SourceMedia(take.media.path, PAL, 90000 + take.source_start, take.media.frame_count)
    document.replace(use, Take(media, take.source_start, take.label, take.about))
    (now,) = uses_of(document.items())
    assert now.source_start == 3
    assert now.media.start_frame == 90497


def test_media_of_unknown_start_must_be_settled_and_then_stay_so() -> None:
    timeline = timeline_of([plain_shot()], PAL)
    timeline.tracks[0][0].media_reference.available_range = None
    document = OtioDocument.from_timeline(timeline, OURS)
    before = timeline.deepcopy()
    (use,) = uses_of(document.items())
    assert not use.media.start_known
    settled = settled_by_file(use)
    with pytest.raises(TimelineError, match="does not say where the file of clip 'shot 0' begins"):
        document.replace(use, take_for(settled, "/takes/cp001.mov"))
    document.replace(settled, take_for(settled, "/takes/cp001.mov"))
    (now,) = uses_of(document.items())
    original = document.original(now)
    assert original.source_start == 500
    assert original.media.start_frame == 90000
    document.replace(now, take_for(original, "/takes/cp002.mov"))
    assert document.restore() == 1
    assert is_as(document, before)


def test_settled_clip_whose_path_is_written_otherwise_is_taken_at_its_word() -> None:
    timeline = timeline_of([plain_shot()], PAL)
    timeline.tracks[0][0].media_reference.available_range = None
    document = OtioDocument.from_timeline(timeline, OURS)
    (use,) = uses_of(document.items())
    settled = settled_by_file(use)
    elsewhere = replace(settled, media=replace(settled.media, path=Path("/mnt/media/shot 0.mov")))
    document.replace(elsewhere, take_for(settled, "/takes/cp001.mov"))
    (now,) = uses_of(document.items())
    same = replace(now, media=replace(now.media, path=Path("/mnt/takes/cp001.mov")))
    document.replace(same, take_for(settled, "/takes/cp002.mov"))
    (now,) = uses_of(document.items())
    assert now.source_start == 3
    assert document.restore() == 1


def settled_by_file(use: Use) -> Use:
    return settle(use, 90000, file_frame_count=1000, file_rate=PAL, file_drop_frame=False)
