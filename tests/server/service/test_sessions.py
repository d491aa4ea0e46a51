"""Sessions over gRPC: said, followed, corrected, found again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from cleanplate.v1 import job_pb2, media_pb2, picker_pb2, prompt_pb2
from cleanplate_server.config import Settings
from cleanplate_server.service.server import Server
from sessions_made import COUNT, INSIDE, SIZE, Picker, Refusal, click, mask_prompt, read_png, square, write_walker

OUTSIDE = prompt_pb2.Point.SIDE_OUTSIDE
RUN = picker_pb2.Run


def _refused(picker: Picker, method: str, **fields: object) -> Refusal:
    with pytest.raises(grpc.RpcError) as caught:
        picker.ask(method, **fields)
    refusal = Refusal.of(caught.value)
    assert "\n" not in refusal.message
    assert "Traceback" not in refusal.message
    return refusal


def _stroke(x: float, y: float, *, side: int = INSIDE, radius_px: float = 3) -> prompt_pb2.Stroke:
    return prompt_pb2.Stroke(points=[prompt_pb2.Point(x=x, y=y)], radius_px=radius_px, side=side)


def test_opened_session_has_its_range_its_title_and_a_place_to_save(picker: Picker, walker: Path) -> None:
    session = picker.until(lambda session: session.cuts_known)
    assert (session.title, session.range.frame_count, session.prompt_frame) == ("walker.mkv", COUNT, 0)
    assert (session.clip.name, session.clip.height, list(session.cuts)) == ("", SIZE[0], [])
    assert session.suggested_path == str(walker.with_name("walker_clean.mov"))
    assert (session.default_grow_px, session.default_feather_px) == (2, 0)


def test_same_media_and_range_gives_the_session_of_before_unless_a_fresh_one_is_wanted(
    picker: Picker, walker: Path
) -> None:
    picker.say(click(3))
    first = picker.name
    assert picker.open(walker).name == first
    assert picker.open(walker, fresh=True).name != first
    assert picker.open(walker, range=media_pb2.FrameRange(start_frame=2, frame_count=4)).name != first


def test_click_is_answered_with_the_mask_that_becomes_the_key(picker: Picker) -> None:
    answer = picker.say(click(3))
    assert np.array_equal(read_png(answer.candidates[0].mask.png) > 0, square(3))
    assert (answer.prompted.candidate_count, answer.prompted.chosen, answer.prompted.problem) == (1, 0, "")
    assert picker.states() == {3: "KEY"}
    assert np.array_equal(picker.mask(3), square(3))
    [known] = picker.session.objects
    assert (known.object_id, known.name, known.prompts[0].prompt.points[0].x) == (1, "Object 1", 29)


def test_brush_and_eraser_are_painted_onto_the_answer_exactly(picker: Picker) -> None:
    edits = [_stroke(80, 50, radius_px=4), _stroke(80, 50, side=OUTSIDE, radius_px=1)]
    mask = read_png(picker.say(click(3), edits=edits).candidates[0].mask.png) > 0
    assert mask[50, 83]
    assert not mask[50, 80]
    assert np.array_equal(mask & square(3), square(3))


def test_followed_frame_is_mended_by_the_brush_alone(picker: Picker) -> None:
    picker.say(click(3))
    picker.follow()
    current = picker_pb2.PutPromptRequest.BASE_CURRENT
    kept = picker_pb2.PutPromptRequest.BASE_KEPT
    answer = picker.say(prompt_pb2.Prompt(frame=9), edits=[_stroke(5, 5)], base=current)
    assert (answer.prompted.has_base, answer.prompted.prompt.HasField("mask"), answer.engine) == (True, False, "")
    picker.say(prompt_pb2.Prompt(frame=9), edits=[_stroke(5, 5), _stroke(5, 60)], base=kept)
    mask = picker.mask(9)
    assert mask[5, 5]
    assert mask[60, 5]
    assert np.array_equal(mask & square(9), square(9))


def test_drawn_mask_is_the_key_as_it_is(picker: Picker) -> None:
    drawn = np.zeros(SIZE, bool)
    drawn[5:9, 7:30] = True
    picker.say(mask_prompt(4, drawn))
    assert np.array_equal(picker.mask(4), drawn)


def test_following_gives_every_frame_its_mask_with_confidence(picker: Picker) -> None:
    picker.say(click(5))
    run = picker.follow()
    assert (run.state, run.done_frame_count, run.frame_count) == (RUN.DONE, COUNT - 1, COUNT - 1)
    assert picker.states() == {frame: "KEY" if frame == 5 else "FOLLOWED" for frame in range(COUNT)}
    assert all(np.array_equal(picker.mask(frame), square(frame)) for frame in range(COUNT))
    tracks = picker.ask("GetSession").tracks
    assert all(0.99 <= frame.confidence <= 1 for frame in tracks[0].frames)


def test_forward_and_backward_follow_only_what_they_say(picker: Picker) -> None:
    picker.say(click(5))
    picker.follow(direction=picker_pb2.PropagateRequest.FORWARD, from_frame=8)
    assert sorted(picker.states()) == [5, *range(6, COUNT)]
    picker.follow(direction=picker_pb2.PropagateRequest.BACKWARD, from_frame=2)
    assert sorted(picker.states()) == list(range(COUNT))


def test_between_two_keys_one_direction_gives_halves_and_the_other_completes_them(picker: Picker) -> None:
    picker.say(click(2))
    picker.say(click(8))
    picker.follow(direction=picker_pb2.PropagateRequest.FORWARD)
    assert {picker.states()[frame] for frame in range(3, 8)} == {"HALF"}
    picker.follow()
    assert set(picker.states().values()) == {"KEY", "FOLLOWED"}


def test_corrected_frame_makes_stale_only_the_span_to_the_neighbouring_keys(picker: Picker, registry: object) -> None:
    for frame in (2, 8):
        picker.say(click(frame))
    picker.follow()
    picker.say(mask_prompt(5, square(5) | square(6)))
    states = picker.states()
    assert [frame for frame, state in states.items() if state == "STALE"] == [3, 4, 6, 7]
    walked = registry.bright.walked  # type: ignore[attr-defined]
    walked.clear()
    picker.follow()
    assert sorted(walked) == [3, 3, 4, 4, 6, 6, 7, 7]
    assert set(picker.states().values()) == {"KEY", "FOLLOWED"}


def test_correction_taken_back_finds_the_former_masks_without_following_again(picker: Picker, registry: object) -> None:
    picker.say(click(2))
    picker.follow()
    before = {frame.frame: frame.revision for frame in picker.ask("GetSession").tracks[0].frames}
    picker.say(click(9))
    assert picker.states()[5] == "STALE"
    picker.ask("ClearPrompt", object_id=1, frame=9)
    assert {frame.frame: frame.revision for frame in picker.ask("GetSession").tracks[0].frames} == before
    walked = registry.bright.walked  # type: ignore[attr-defined]
    walked.clear()
    assert picker.follow().state == RUN.DONE
    assert walked == []


def test_stop_ends_within_a_second_and_following_goes_on_from_there(picker: Picker, registry: object) -> None:
    gate = threading.Event()
    tracker = registry.bright  # type: ignore[attr-defined]
    tracker.pause = lambda frame: gate.wait(20) if frame >= 8 else None
    picker.say(click(2))
    picker.ask("Propagate", direction=picker_pb2.PropagateRequest.FORWARD)
    picker.until(lambda session: session.run.done_frame_count >= 5)
    began = time.monotonic()
    stopped = picker.ask("StopRun").session
    assert time.monotonic() - began < 1
    assert stopped.run.state == RUN.STOPPED
    gate.set()
    tracker.walked.clear()
    assert picker.follow(direction=picker_pb2.PropagateRequest.FORWARD).state == RUN.DONE
    assert min(tracker.walked) >= 8
    assert set(picker.states().values()) == {"KEY", "FOLLOWED"}


def test_second_run_while_one_goes_on_is_refused(picker: Picker, registry: object) -> None:
    gate = threading.Event()
    registry.bright.pause = lambda frame: gate.wait(20)  # type: ignore[attr-defined]
    picker.say(click(2))
    picker.ask("Propagate")
    assert _refused(picker, "Propagate").reason == "RUN_IN_PROGRESS"
    picker.ask("StopRun")
    gate.set()


def test_run_that_fails_says_why_and_keeps_what_was_said(picker: Picker, registry: object) -> None:
    def fail(frame: int) -> None:
        raise ValueError("no")

    registry.bright.pause = fail  # type: ignore[attr-defined]
    picker.say(click(2))
    run = picker.follow()
    assert (run.state, "ValueError" in run.message) == (RUN.FAILED, True)
    assert picker.states() == {2: "KEY"}


def test_prompt_that_means_nothing_is_kept_with_its_reason(picker: Picker) -> None:
    picker.say(click(3))
    outside = prompt_pb2.Prompt(frame=3, points=[prompt_pb2.Point(x=1, y=1, side=OUTSIDE)])
    refusal = _refused(picker, "PutPrompt", prompt=outside)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PROMPT")
    [kept] = picker.session.objects[0].prompts
    assert (kept.problem, len(kept.prompt.points)) == (refusal.message, 1)
    assert picker.states() == {}
    picker.say(click(3))
    assert picker.session.objects[0].prompts[0].problem == ""


@pytest.mark.parametrize(
    ("method", "fields", "word"),
    [
        ("PutPrompt", {"prompt": click(99)}, "outside the range"),
        ("PutPrompt", {"prompt": prompt_pb2.Prompt(frame=1)}, "nothing is left"),
        ("PutPrompt", {"prompt": mask_prompt(1, np.ones((3, 4), bool))}, "is 4x3"),
        ("PutPrompt", {"prompt": click(1), "base": 9}, "base 9"),
        ("ChooseCandidate", {"object_id": 1, "frame": 1, "chosen": 0}, "has 0 answers"),
        ("PutObject", {"object": picker_pb2.PickedObject(object_id=7)}, "no object 7"),
        ("PutObject", {"object": picker_pb2.PickedObject(color="red")}, "give #rrggbb"),
        ("PutSettings", {"settings": picker_pb2.TakeSettings(grow_px=-1)}, "grow_px = -1"),
        ("PutSettings", {"settings": picker_pb2.TakeSettings(effort=9)}, "effort 9"),
        ("Propagate", {}, "nothing to follow"),
        ("Propagate", {"direction": 9}, "direction 9"),
        ("FindShadows", {}, "no shadow to look for"),
        ("GetMask", {"object_id": 1, "frame": 1}, "no mask on frame 1"),
        ("GetMask", {"object_id": 0, "frame": 1}, "no mask on frame 1"),
        ("GetMatte", {"frame": 1, "grow_px": -2}, "grow_px = -2"),
        ("GetMatte", {"frame": 77}, "outside the range"),
        ("GetUnseen", {"frame": 1}, "not known yet"),
        ("GetSessionFrame", {"frame": -1}, "outside the range"),
        ("GetSessionFrame", {"frame": 1, "max_height": -1}, "max_height = -1"),
        ("EstimateTake", {}, "click on the object"),
        ("SubmitPreview", {"start_frame": 1, "frame_count": 0}, "choose 1 to 16"),
        ("SubmitPreview", {"start_frame": 1, "frame_count": 2}, "follow that far first"),
        ("SubmitTake", {"path": "/nowhere/x.mov"}, "nothing to remove"),
        ("GetTakeFrame", {"job": "jobs/none", "frame": 1}, "no take jobs/none"),
        ("CancelTake", {"job": "none"}, "not a job's name"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(
    picker: Picker, method: str, fields: dict[str, object], word: str
) -> None:
    assert word in _refused(picker, method, **fields).message


def test_session_that_nobody_opened_is_not_found(picker: Picker) -> None:
    for name, code in (
        ("sessions/0123456789ab", "NOT_FOUND"),
        ("sessions/../x", "NOT_FOUND"),
        ("x", "INVALID_ARGUMENT"),
    ):
        picker.name = name
        assert _refused(picker, "GetSession").code.name == code


def test_media_that_cannot_be_used_opens_no_session(picker: Picker, walker: Path, tmp_path: Path) -> None:
    text = walker.with_name("text.mov")
    text.write_text("this is no media")
    elsewhere = write_walker(tmp_path / "elsewhere.mkv", count=2)
    for path, code in (
        (text, "FAILED_PRECONDITION"),
        (walker.with_name("no.mov"), "NOT_FOUND"),
        (elsewhere, "PERMISSION_DENIED"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            picker.open(path)
        assert Refusal.of(caught.value).code.name == code


def test_range_of_one_frame_is_worked_on(picker: Picker, walker: Path) -> None:
    picker.open(walker, range=media_pb2.FrameRange(start_frame=4, frame_count=1), prompt_frame=4)
    picker.say(click(4))
    assert picker.follow().state == RUN.DONE
    assert picker.states() == {4: "KEY"}
    assert picker.ask("EstimateTake").frame_count == 1


def test_candidates_are_stepped_through_and_the_mask_changes_with_them(picker_settings: Settings, walker: Path) -> None:
    with Server(picker_settings) as server:
        person = Picker.at(server)
        person.open(walker)
        answer = person.say(click(3))
        masks = [read_png(candidate.mask.png) > 0 for candidate in answer.candidates]
        assert len(masks) == answer.prompted.candidate_count >= 2
        for number, mask in enumerate(masks):
            assert person.ask("ChooseCandidate", object_id=1, frame=3, chosen=number).prompted.chosen == number
            assert np.array_equal(person.mask(3), mask)


def test_objects_have_names_and_colours_and_may_be_hidden_or_deleted(picker: Picker) -> None:
    picker.say(click(3))
    number = picker.ask("PutObject", object=picker_pb2.PickedObject(name=" a  dog ", color="#FF8800")).object_id
    picker.say(mask_prompt(3, np.roll(square(3), 30, axis=1), object_id=number))
    known = picker.session.objects
    assert [(each.object_id, each.name) for each in known] == [(1, "Object 1"), (2, "a dog")]
    assert (known[1].color, known[0].color.startswith("#")) == ("#ff8800", True)
    assert picker.mask(3, 0).sum() > picker.mask(3, 1).sum()
    picker.ask("PutObject", object=picker_pb2.PickedObject(object_id=2, hidden=True))
    assert np.array_equal(picker.mask(3, 0), picker.mask(3, 1))
    assert picker.session.objects[1].name == "a dog"
    picker.ask("DeleteObject", object_id=2)
    assert [each.object_id for each in picker.session.objects] == [1]
    assert picker.ask("DeleteObject", object_id=2).session.objects[0].object_id == 1


def test_deleted_object_comes_back_with_all_that_was_said(picker: Picker) -> None:
    picker.say(click(3))
    picker.follow()
    before = picker.ask("GetSession")
    picker.ask("DeleteObject", object_id=1)
    assert not picker.ask("GetSession").tracks
    assert picker.ask("PutObject", object=picker_pb2.PickedObject()).object_id == 2
    picker.ask("DeleteObject", object_id=2)
    picker.ask("PutObject", object=picker_pb2.PickedObject(object_id=1))
    after = picker.ask("GetSession")
    assert (after.session.objects, after.tracks) == (before.session.objects, before.tracks)


def test_range_may_change_and_what_lies_outside_is_kept_and_not_used(picker: Picker, walker: Path) -> None:
    picker.say(click(2))
    picker.say(click(12))
    picker.follow()
    frames = media_pb2.FrameRange(start_frame=8, frame_count=6, handle_frame_count=1)
    session = picker.ask("PutRange", range=frames).session
    assert (session.range, session.prompt_frame, len(session.objects[0].prompts)) == (frames, 7, 2)
    states = picker.states()
    assert sorted(frame for frame, state in states.items() if state != "NONE") == list(range(7, 15))
    assert states[12] == "KEY"
    assert "frames 7 to 14" in _refused(picker, "PutPrompt", prompt=click(2)).message
    job = picker.ask("SubmitTake", path=str(walker.with_name("part.mkv"))).job
    assert [prompt.frame for prompt in job.spec.remove.prompts] == [12]
    assert _finished(picker, job).state == job_pb2.Job.SUCCEEDED
    beyond = media_pb2.FrameRange(start_frame=9, frame_count=99)
    assert "are not all in" in _refused(picker, "PutRange", range=beyond).message
    picker.ask("PutRange", range=media_pb2.FrameRange())
    assert {picker.states()[frame] for frame in range(COUNT)} == {"KEY", "FOLLOWED"}


def test_answer_and_track_name_the_same_revision(picker: Picker) -> None:
    prompted = picker.say(click(3)).prompted
    [frame] = picker.ask("GetSession").tracks[0].frames
    assert prompted.revision == frame.revision > 0
    picker.follow()
    picker.say(click(9))
    revisions = {frame.frame: frame.revision for frame in picker.ask("GetSession").tracks[0].frames}
    assert revisions[9] == max(revisions.values())


def test_matte_is_grown_and_soft_as_asked_and_as_set(picker: Picker) -> None:
    picker.say(click(3))
    grown = read_png(picker.ask("GetMatte", frame=3, grow_px=4, feather_px=0).png)
    assert set(np.unique(grown)) == {0, 255}
    assert (grown > 0)[18, 19 + 11]
    soft = read_png(picker.ask("GetMatte", frame=3, grow_px=4, feather_px=3).png)
    assert np.array_equal(soft > 0, grown > 0)
    assert len(np.unique(soft)) > 3
    picker.ask("PutSettings", settings=picker_pb2.TakeSettings(grow_px=4, feather_px=3))
    assert np.array_equal(read_png(picker.ask("GetMatte", frame=3).png), soft)


def test_shadows_are_found_for_what_was_followed(picker: Picker) -> None:
    picker.say(click(3))
    picker.follow()
    picker.ask("FindShadows")
    run = picker.until(lambda session: session.run.state != RUN.RUNNING).run
    assert (run.kind, run.state, run.message) == (RUN.SHADOW, RUN.DONE, "")
    with_shadow = read_png(picker.ask("GetMatte", frame=3, grow_px=0, feather_px=0, with_shadow=True).png) > 0
    assert np.array_equal(with_shadow & square(3), square(3))


def test_two_watchers_see_the_same_and_each_change(picker: Picker, picking: Server) -> None:
    second = Picker.at(picking)
    second.name = picker.name
    watch = second.watch()
    first = next(watch)
    assert first.session.name == picker.name
    picker.say(click(3))
    seen: list[picker_pb2.WatchSessionResponse] = []
    for change in watch:
        seen.append(change)
        if change.HasField("track") and seen[0].HasField("session"):
            break
    watch.cancel()
    assert any(change.session.revision > first.session.revision for change in seen if change.HasField("session"))
    assert [(frame.frame, frame.state) for frame in seen[-1].track.frames] == [(3, picker_pb2.TrackedFrame.KEY)]
    assert np.array_equal(second.mask(3), picker.mask(3))


def test_watch_gives_masks_while_they_are_followed(picker: Picker, registry: object) -> None:
    registry.bright.pause = lambda frame: time.sleep(0.03)  # type: ignore[attr-defined]
    picker.say(click(0))
    watch = picker.watch()
    picker.ask("Propagate")
    told: list[list[int]] = []
    for change in watch:
        if change.HasField("track"):
            told.append([frame.frame for frame in change.track.frames])
            if COUNT - 1 in told[-1] and len(told) > 1:
                break
    watch.cancel()
    assert len(told) > 3


def test_last_word_on_one_place_stays(picker: Picker) -> None:
    first, second = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    first[:4, :4], second[8:12, 8:12] = True, True
    before = picker.say(mask_prompt(3, first)).revision
    assert picker.say(mask_prompt(3, second)).revision > before
    assert np.array_equal(picker.mask(3), second)


def test_restarted_server_finds_the_session_as_it_was(
    picker_settings: Settings, registry: object, walker: Path
) -> None:
    with Server(picker_settings, registry=registry) as server:
        person = Picker.at(server)
        person.open(walker, title="a walk")
        person.say(click(5))
        person.follow()
        person.ask("PutSettings", settings=picker_pb2.TakeSettings(grow_px=7))
        before = person.ask("GetSession")
    with Server(picker_settings, registry=registry) as server:
        again = Picker.at(server)
        again.name = person.name
        after = again.ask("GetSession")
        assert (after.session.title, after.session.settings.grow_px) == ("a walk", 7)
        assert after.tracks == before.tracks
        assert after.session.objects == before.session.objects
        assert np.array_equal(again.mask(9), square(9))
        assert after.session.revision >= before.session.revision
        assert again.open(walker).name == person.name


def test_media_that_changed_since_is_refused_and_nothing_is_lost(
    picker_settings: Settings, registry: object, walker: Path
) -> None:
    content = walker.read_bytes()
    with Server(picker_settings, registry=registry) as server:
        person = Picker.at(server)
        person.open(walker)
        person.say(click(3))
    write_walker(walker, count=5)
    with Server(picker_settings, registry=registry) as server:
        again = Picker.at(server)
        again.name = person.name
        assert "has changed since" in _refused(again, "GetSession").message
        walker.write_bytes(content)
        assert again.states() == {3: "KEY"}


def test_deleted_session_is_gone_and_its_watch_ends(picker: Picker, picker_settings: Settings) -> None:
    watch = picker.watch()
    next(watch)
    picker.ask("DeleteSession")
    with pytest.raises(grpc.RpcError) as caught:
        list(watch)
    assert Refusal.of(caught.value).code is grpc.StatusCode.NOT_FOUND
    assert not list((picker_settings.state_folder / "sessions").glob("*"))
    picker.ask("DeleteSession")


def test_nothing_is_written_outside_the_state_folder(picker: Picker, walker: Path) -> None:
    picker.say(click(3))
    picker.follow()
    assert [path.name for path in walker.parent.iterdir()] == ["walker.mkv"]


def _finished(picker: Picker, job: job_pb2.Job) -> picker_pb2.PickedTake:
    """The take once its job has ended."""

    def take(session: picker_pb2.Session) -> picker_pb2.PickedTake:
        return next(take for take in session.takes if take.job == job.name)

    ended = (job_pb2.Job.SUCCEEDED, job_pb2.Job.FAILED, job_pb2.Job.CANCELLED)
    return take(picker.until(lambda session: take(session).state in ended))


def test_take_uses_the_followed_masks_and_its_frames_are_shown_beside_the_source(picker: Picker, walker: Path) -> None:
    picker.say(click(3))
    picker.follow()
    preview = picker.ask("SubmitPreview", start_frame=6, frame_count=2).job
    job = picker.ask("SubmitTake", path=str(walker.with_name("clean.mkv"))).job
    assert {each.object_id for each in job.spec.remove.followed} == {1}
    assert _finished(picker, preview).state == job_pb2.Job.SUCCEEDED
    take = _finished(picker, job)
    assert (take.state, take.message, take.file_name) == (job_pb2.Job.SUCCEEDED, "", "clean.mkv")
    assert {use.kind for use in take.engines} == {"segmenter", "propagator", "inpainter"}
    png = media_pb2.GetFrameRequest.ENCODING_PNG
    source = picker.ask("GetSessionFrame", frame=6, encoding=png).picture.picture
    whole = picker.ask("GetTakeFrame", job=job.name, frame=6, encoding=png).picture.picture
    looked = picker.ask("GetTakeFrame", job=preview.name, frame=6, encoding=png).picture.picture
    assert looked == whole != source
    assert read_png(whole)[square(6)].max() < 150
    assert read_png(source)[square(6)].min() > 200
    assert read_png(picker.ask("GetUnseen", frame=6).png).shape == SIZE
    assert _refused(picker, "GetTakeFrame", job=preview.name, frame=9).reason == "NOT_IN_TAKE"
    measured = picker.ask("EstimateTake")
    assert (measured.duration_measured, measured.unfollowed_frame_count) == (True, 0)
    assert "exists" in _refused(picker, "SubmitTake", path=str(walker.with_name("clean.mkv"))).message


def test_take_outside_the_allowed_folders_is_refused(picker: Picker, tmp_path: Path) -> None:
    picker.say(click(3))
    refusal = _refused(picker, "SubmitTake", path=str(tmp_path / "elsewhere.mkv"))
    assert refusal.code is grpc.StatusCode.PERMISSION_DENIED


def test_estimate_tells_engines_memory_and_shots_without_a_key(picker: Picker) -> None:
    picker.say(click(3))
    estimate = picker.ask("EstimateTake")
    assert (estimate.frame_count, estimate.unfollowed_frame_count) == (COUNT, COUNT - 1)
    assert estimate.memory_bytes > 1 << 27
    assert {use.kind for use in estimate.engines} == {"segmenter", "propagator", "inpainter"}
    assert (estimate.duration_seconds > 0, estimate.duration_measured) == (True, False)
