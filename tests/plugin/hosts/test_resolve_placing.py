"""Clean media goes into a Resolve timeline, over the ways in which versions differ, or nothing is changed at all."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.errors import HostError, StaleClipError
from cleanplate_plugin.hosts.protocol import Host, HostShot
from cleanplate_plugin.hosts.resolve import ResolveHost, check_edition, connect
from cleanplate_plugin.timeline import SourceMedia, Span, Take
from plugin.hosts.fake_resolve import CHANGES, NEVER, FakeItem, Program, Quirks, start_resolve
from plugin.hosts.fake_resolve_otio import read_timeline, write_timeline

HANDLES = 12
CLEAN = "/media/Cleanplate/a_cp001.mov"
WAYS = [
    Quirks(
        append_end_included=append, take_end_included=take, source_start_low=low, offsets_played=played,
        times_absolute=absolute, take_trims=trims, newer=newer,
    )
    for append, take, low, played, absolute, trims, newer in itertools.product((False, True), repeat=7)
]  # fmt: skip


@dataclass
class Scene:
    """A timeline ``before | clip | after`` on track 1 with the playhead on the clip, and a host that drives it."""

    program: Program
    item: FakeItem
    host: ResolveHost
    messages: list[str]

    def shot(self, offset: int = 4) -> HostShot:
        self.program.timeline.playhead = self.item.start + offset
        return self.host.current_shot()

    def take(self, shot: HostShot, **about: object) -> Take:
        """Clean media for what the shot needs, as a job would make it, where Resolve finds it."""
        media = shot.use.media
        first = max(0, shot.needed.start_frame - HANDLES)
        span = Span(first, shot.needed.stop_frame + HANDLES - first)
        clean = SourceMedia(Path(CLEAN), media.rate, media.start_frame + first, span.frame_count, media.drop_frame)
        self.program.pool.files[CLEAN] = {
            "FPS": self.item.media.properties["FPS"] if self.item.media else 0, "Frames": str(span.frame_count),
            "Start TC": _timecode(clean), "Input Color Space": "Rec.709 (Scene)",
        }  # fmt: skip
        return Take(clean, span.start_frame, "a_cp001", {"job": "jobs/j7", **about})

    def pictures(self) -> list[tuple[str, int] | None]:
        return [self.program.timeline.picture(frame) for frame in range(200)]

    def state(self) -> list[Any]:
        pool = self.program.pool
        clips = [clip.identity for clip in pool.all_clips()]
        names = [timeline.name for timeline in self.program.project.timelines]
        current = self.program.project.current
        return [self.program.timeline.state(), clips, len(pool.root.folders), pool.current.name, names, current]


def _timecode(media: SourceMedia) -> str:
    seconds, frames = divmod(media.start_frame, round(media.rate))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}"


def make_scene(
    tmp_path: Path, quirks: Quirks | None = None, *, speed: Fraction = Fraction(1), fps: float = 24.0, rate: str = "24"
) -> Scene:  # fmt: skip
    program = start_resolve(quirks, rate=rate)
    program.world.export_timeline, program.world.import_timeline = write_timeline, read_timeline
    other = program.add_media("/media/b.mov")
    # A name that is part of the clean media's, and the same name once more.
    program.add_media("/other/a_cp001.mov")
    media = program.add_media("/media/a.mov", FPS=fps, Start_TC="09:00:00:00", IDT="Rec.709", Frames="600")
    program.timeline.lay(other, 0, 50)
    item = program.timeline.lay(media, 50, 40, source=100, speed=speed)
    program.timeline.lay(other, 90, 60, source=20)
    program.timeline.audio[0].items.append(FakeItem(program.timeline, other, item.start, 40))
    messages: list[str] = []
    host = ResolveHost(program.resolve, say=messages.append, work_folder=tmp_path, open_document=OtioDocument.open)
    return Scene(program, item, host, messages)


def cleaned(before: list[tuple[str, int] | None], take: Take, part: Span) -> list[tuple[str, int] | None]:
    """What is seen when the take's media stands for the same frames."""
    return [
        (CLEAN, shown[1] - take.source_start) if shown and part.start_frame <= frame < part.stop_frame else shown
        for frame, shown in enumerate(before)
    ]


@pytest.mark.parametrize("quirks", WAYS)
def test_place_of_whole_clip_is_a_take_that_shows_the_same_frames(tmp_path: Path, quirks: Quirks) -> None:
    scene = make_scene(tmp_path, quirks)
    shot, before = scene.shot(), scene.pictures()
    take = scene.take(shot)

    told = scene.host.place(shot, take)

    assert "as a take" in told
    assert scene.pictures() == cleaned(before, take, Span(50, 40))
    assert (scene.item.start, scene.item.duration, scene.item.selected) == (
        scene.program.timeline.start_frame + 50,
        40,
        2,
    )
    assert not NEVER & set(scene.program.world.calls)


@pytest.mark.parametrize("quirks", WAYS[::2] + WAYS[1:8:2])
def test_place_of_part_is_a_clip_above_that_shows_the_same_frames(tmp_path: Path, quirks: Quirks) -> None:
    scene = make_scene(tmp_path, quirks)
    scene.program.timeline.marks = {"in": 54, "out": 63}
    shot, before = scene.shot(), scene.pictures()
    take = scene.take(shot)

    told = scene.host.place(shot, take)

    assert "video track 2" in told
    assert scene.pictures() == cleaned(before, take, Span(54, 10))
    assert scene.program.timeline.video[1].name == "Cleanplate"


@pytest.mark.parametrize("quirks", [q for q in WAYS if q.newer and q.offsets_played != q.times_absolute])
@pytest.mark.parametrize("speed", [Fraction(1, 2), Fraction(-1), Fraction(2)])
def test_place_of_retimed_clip_keeps_its_frames(tmp_path: Path, quirks: Quirks, speed: Fraction) -> None:
    scene = make_scene(tmp_path, quirks, speed=speed)
    shot, before = scene.shot(), scene.pictures()
    take = scene.take(shot)

    scene.host.place(shot, take)

    assert scene.pictures() == cleaned(before, take, Span(50, 40))


@pytest.mark.parametrize("quirks", WAYS[::3])
def test_place_of_mixed_rates_keeps_its_frames(tmp_path: Path, quirks: Quirks) -> None:
    scene = make_scene(tmp_path, quirks, fps=50.0, rate="25")
    shot, before = scene.shot(), scene.pictures()
    take = scene.take(shot)

    scene.host.place(shot, take)

    assert scene.pictures() == cleaned(before, take, Span(50, 40))


@pytest.mark.parametrize("imports_clips", [False, True])
@pytest.mark.parametrize("speed", [Fraction(1), Fraction(1, 2)])
def test_place_where_takes_and_tracks_fail_is_a_new_timeline(
    tmp_path: Path, imports_clips: bool, speed: Fraction
) -> None:
    scene = make_scene(tmp_path, Quirks(newer=True, imports_clips=imports_clips), speed=speed)
    scene.program.world.refuse |= {"AddTake", "AddTrack"}
    shot, before, state = scene.shot(), scene.pictures(), scene.program.timeline.state()
    take = scene.take(shot)

    told = scene.host.place(shot, take)

    assert "new timeline 'Cut 1 Cleanplate 1'" in told
    made = scene.program.project.timelines[1]
    assert [made.picture(frame) for frame in range(150)] == cleaned(before, take, Span(50, 40))[:150]
    assert scene.program.project.current is scene.program.timeline
    assert scene.program.timeline.state()[:2] == state[:2]
    assert list(tmp_path.iterdir()) == []


def test_place_of_part_where_tracks_fail_is_a_new_timeline(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    scene.program.world.refuse |= {"AppendToTimeline"}
    scene.program.timeline.marks = {"in": 54, "out": 63}
    shot, before = scene.shot(), scene.pictures()
    take = scene.take(shot)

    scene.host.place(shot, take)

    made = scene.program.project.timelines[1]
    assert [made.picture(frame) for frame in range(150)] == cleaned(before, take, Span(54, 10))[:150]


def test_place_where_a_take_forgets_the_speed_falls_back_and_leaves_the_clip(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, Quirks(newer=True, take_forgets_speed=True), speed=Fraction(1, 2))
    shot, before = scene.shot(), scene.pictures()

    told = scene.host.place(shot, scene.take(shot))

    assert "new timeline" in told
    assert scene.pictures() == before


@pytest.mark.parametrize("name", sorted(CHANGES - NEVER - {"SetClipEnabled"}))
@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("part", [False, True])
def test_place_with_any_call_failing_places_or_changes_nothing(
    tmp_path: Path, name: str, after: int, part: bool
) -> None:
    scene = make_scene(tmp_path, Quirks(take_end_included=True, append_end_included=True))
    scene.program.timeline.marks = {"in": 54, "out": 63} if part else {}
    shot, before, state = scene.shot(), scene.pictures(), scene.state()
    take = scene.take(shot)
    scene.program.world.refuse_after[name] = after

    try:
        told = scene.host.place(shot, take)
    except HostError as error:
        failed = error.sentence
        assert "Resolve" in failed
        # Only a refusal of the very calls that undo may leave something, and it is said.
        if "could not be undone" not in failed:
            assert scene.state() == state
            assert scene.pictures() == before
    else:
        wanted = cleaned(before, take, Span(54, 10) if part else Span(50, 40))
        shown = scene.pictures() if "new timeline" not in told else _made_pictures(scene)
        assert shown[:150] == wanted[:150]


def _made_pictures(scene: Scene) -> list[tuple[str, int] | None]:
    return [scene.program.project.timelines[1].picture(frame) for frame in range(200)]


def test_place_in_read_only_project_changes_nothing(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    shot, state = scene.shot(), scene.state()
    take = scene.take(shot)
    scene.program.world.read_only = True

    with pytest.raises(HostError, match=r"nothing was changed .*read-only"):
        scene.host.place(shot, take)

    assert scene.state() == state


def test_place_after_the_program_was_closed_is_one_sentence(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    shot = scene.shot()
    take = scene.take(shot)
    scene.program.world.closed = True

    with pytest.raises(HostError, match="was closed"):
        scene.host.place(shot, take)


@pytest.mark.parametrize(
    "edit",
    [
        lambda scene: setattr(scene.item, "start", scene.item.start + 3),
        lambda scene: setattr(scene.item, "source", 101),
        lambda scene: setattr(scene.item, "duration", 30),
        lambda scene: scene.program.timeline.video[0].items.remove(scene.item),
        lambda scene: setattr(scene.program.project, "current", None),
    ],
)
def test_place_on_an_edited_timeline_changes_nothing(tmp_path: Path, edit: Any) -> None:
    scene = make_scene(tmp_path)
    shot = scene.shot()
    take = scene.take(shot)
    edit(scene)
    state = scene.state()

    with pytest.raises((StaleClipError, HostError), match=r"edited after|not on the current timeline|open a timeline"):
        scene.host.place(shot, take)

    assert scene.state() == state


def test_place_with_the_playhead_elsewhere_finds_the_clip(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    shot, before = scene.shot(), scene.pictures()
    take = scene.take(shot)
    scene.program.timeline.playhead = scene.program.timeline.start_frame + 120

    scene.host.place(shot, take)

    assert scene.pictures() == cleaned(before, take, Span(50, 40))


def test_place_among_clips_of_one_name_and_media_changes_the_meant_one(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    twin = scene.program.timeline.lay(scene.item.media, 150, 40, source=100, name=scene.item.name)
    shot, before = scene.shot(), scene.pictures()
    take = scene.take(shot)

    scene.host.place(shot, take)

    assert scene.pictures() == cleaned(before, take, Span(50, 40))
    assert twin.takes == []


def test_place_gives_the_clean_media_the_original_colours(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    shot = scene.shot()

    scene.host.place(shot, scene.take(shot))

    clean = scene.item.media
    assert clean is not None
    assert clean.properties["File Path"] == CLEAN
    assert (clean.properties["Input Color Space"], clean.properties["IDT"]) == ("Rec.709 Gamma 2.4", "Rec.709")
    assert scene.program.pool.root.folders[0].clips == [clean]
    assert scene.program.pool.current is scene.program.pool.root


def test_place_of_media_that_the_pool_has_does_not_import_it_again(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    shot = scene.shot()
    take = scene.take(shot)
    scene.program.add_media(CLEAN, **scene.program.pool.files[CLEAN])

    scene.host.place(shot, take)

    assert "ImportMedia" not in scene.program.world.calls


def test_place_sets_a_marker_on_a_free_frame(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    scene.program.timeline.markers[50] = {"name": "mine"}
    shot = scene.shot()

    scene.host.place(shot, scene.take(shot))

    assert scene.program.timeline.markers[50] == {"name": "mine"}
    assert scene.program.timeline.markers[51]["customData"] == "cleanplate:j7"


def test_place_of_patch_lies_above_with_straight_alpha(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    shot = scene.shot()

    told = scene.host.place(shot, scene.take(shot, delivery="patch"))

    above = scene.program.timeline.video[1].items[0]
    assert "track 2" in told
    assert above.media is not None
    assert above.media.properties["Alpha mode"] == "Straight"


def test_place_of_matte_lies_above_unseen(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    shot, before = scene.shot(), scene.pictures()

    scene.host.place(shot, scene.take(shot, delivery="matte"))

    assert scene.program.timeline.video[1].items[0].enabled is False
    assert scene.pictures() == before


@pytest.mark.parametrize("state", ["locked", "taken", "free"])
def test_place_above_uses_its_own_track_when_it_is_free_and_open(tmp_path: Path, state: str) -> None:
    scene = make_scene(tmp_path)
    scene.program.timeline.lay(scene.program.add_media("/media/c.mov"), 60 if state == "taken" else 100, 5, track=2)
    own = scene.program.timeline.video[1]
    own.name, own.locked = "Cleanplate", state == "locked"
    shot, before = scene.shot(), [scene.program.timeline.picture(frame, track=1) for frame in range(200)]
    take = scene.take(shot, delivery="patch")

    scene.host.place(shot, take)

    assert len(scene.program.timeline.video) == (2 if state == "free" else 3)
    assert scene.pictures()[50:90] == cleaned(before, take, Span(50, 40))[50:90]


@pytest.mark.parametrize("page", ["edit", "color"])
@pytest.mark.parametrize("dead", [False, True])
def test_place_above_deletes_what_had_the_wrong_length_on_any_page(tmp_path: Path, page: str, dead: bool) -> None:
    scene = make_scene(tmp_path, Quirks(append_end_included=True, needs_edit_page=True, appends_dead=dead))
    scene.program.timeline.marks = {"in": 54, "out": 63}
    scene.program.world.page = page
    shot, before = scene.shot(), scene.pictures()
    take = scene.take(shot)

    scene.host.place(shot, take)

    assert scene.pictures() == cleaned(before, take, Span(54, 10))
    assert scene.program.world.page == page


def test_restore_after_a_take_shows_the_original(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    shot, before = scene.shot(), scene.pictures()
    scene.host.place(shot, scene.take(shot))

    told = scene.host.restore()

    assert "original again" in told
    assert scene.pictures() == before
    assert scene.item.GetTakesCount() == 2


def test_place_of_the_same_media_again_adds_a_take_of_its_own(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    first = scene.shot()
    take = scene.take(first)
    scene.host.place(first, take)
    scene.host.restore()
    shot, before = scene.shot(), scene.pictures()

    scene.host.place(shot, take)

    assert (scene.item.GetTakesCount(), scene.item.selected) == (3, 3)
    assert scene.pictures() == cleaned(before, take, Span(50, 40))


def test_restore_after_a_clip_above_takes_it_off(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    shot, before = scene.shot(), scene.pictures()
    scene.host.place(shot, scene.take(shot, delivery="patch"))

    scene.host.restore()

    assert scene.pictures() == before


def test_restore_without_a_take_of_ours_is_refused(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    scene.shot()

    with pytest.raises(HostError, match=r"'a.mov' shows no take of Cleanplate"):
        scene.host.restore()


def test_host_has_the_shape_that_others_drive(tmp_path: Path) -> None:
    host: Host = make_scene(tmp_path).host

    assert host.name == "resolve"


@pytest.mark.parametrize("newer", [False, True])
def test_check_edition_of_free_resolve_refuses_without_touching_what_opens_dialogs(newer: bool) -> None:
    program = start_resolve(Quirks(studio=False, newer=newer))

    with pytest.raises(HostError, match=r"free edition.*install resolve"):
        check_edition(program.resolve)

    assert not program.world.modal


def test_connect_without_resolve_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="RESOLVE_SCRIPT_API"):
        connect({"RESOLVE_SCRIPT_API": str(tmp_path)})


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("def scriptapp(name):\n    return None\n", "External scripting using to Local"),
        ("raise ImportError('Could not locate module dependencies')\n", "set RESOLVE_SCRIPT_LIB"),
    ],
)
def test_connect_that_fails_says_what_to_do(tmp_path: Path, module: str, words: str) -> None:
    (tmp_path / "Modules").mkdir()
    (tmp_path / "Modules" / "DaVinciResolveScript.py").write_text(module)

    with pytest.raises(HostError, match=words):
        connect({"RESOLVE_SCRIPT_API": str(tmp_path)})
