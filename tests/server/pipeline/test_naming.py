"""Names in whole operations on tiny real media, with a finder whose answers are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import PromptError, RangeError
from cleanplate_server.models.protocols import Point, Prompt
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.matte import matte
from cleanplate_server.pipeline.naming import Named, resolve_names
from cleanplate_server.pipeline.remove import remove
from cleanplate_server.pipeline.spec import JobSpec, MatteOperation, Operation, Output, RemoveOperation, TrackOperation
from cleanplate_server.pipeline.track import track
from fakes import BrightFinder, FakeEngines, MemoryLedger

SIZE = (48, 96)
COUNT, CUT = 36, 18


def blobs(frame: int) -> list[tuple[int, int, int, int]]:
    """Left, top, width and height of what is bright on a frame; the second shot begins with nothing."""
    if frame < CUT:
        return [(10 + frame, 10, 16, 20), (70, 8, 10, 12)]
    return [(40, 20, 12, 12)] if frame >= CUT + 3 else []


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two shots of eighteen frames of noise with bright rectangles."""
    folder = tmp_path / "shot"
    folder.mkdir()
    random = np.random.default_rng(1)
    grounds = [random.integers(low, low + 40, (*SIZE, 3), dtype=np.uint8) for low in (10, 70)]
    for frame in range(COUNT):
        picture = grounds[frame >= CUT].copy()
        for x, y, width, height in blobs(frame):
            picture[y : y + height, x : x + width] = 230
        cv2.imwrite(str(folder / f"{frame:04d}.png"), picture)
    return folder


def a_job(
    tmp_path: Path, clip: Path, *prompts: Prompt,
    ledger: MemoryLedger | None = None, finder: BrightFinder | None = None, operation: Operation | None = None,
) -> Job:  # fmt: skip
    folder = tmp_path / "job"
    folder.mkdir(exist_ok=True)
    spec = JobSpec(clip, operation or TrackOperation(prompts), Output(tmp_path / "out" / "%05d.png", overwrite=True))
    return Job(spec, ledger or MemoryLedger(folder), FakeEngines(find=finder or BrightFinder()))


def resolve(
    tmp_path: Path, clip: Path, *prompts: Prompt, finder: BrightFinder | None = None
) -> tuple[Named, list[str]]:
    job = a_job(tmp_path, clip, *prompts, finder=finder)
    return resolve_names(job, job.open_clip(), prompts), job.notes


def places(named: Named) -> list[tuple[int, int, tuple[int, int, int, int]]]:
    found = []
    for prompt in named.prompts:
        assert prompt.box is not None
        height, width = prompt.box.size
        found.append((prompt.frame, prompt.object_id, (prompt.box.x0, prompt.box.y0, width, height)))
    return found


def test_every_hit_becomes_an_object_with_its_box_and_mask(tmp_path: Path, clip: Path) -> None:
    named, notes = resolve(tmp_path, clip, Prompt(0, name="blob"))
    first, second = blobs(0)
    assert places(named) == [(0, 1, first), (0, 2, second)]
    for prompt in named.prompts:
        assert prompt.box is not None
        assert prompt.mask is not None
        assert prompt.mask[prompt.box.slices].all()
        assert prompt.mask.sum() == np.prod(prompt.box.size)
    assert [(kind, info.name) for kind, info in named.engines] == [("name-finder", "bright")]
    assert notes == [
        "'blob' was found on frame 0: 1. blob 0.32 at 10,10,25,29; 2. blob 0.12 at 70,8,79,19; of these 1 is object 1,"
        " 2 is object 2"
    ]


def test_hit_that_is_asked_for_is_the_only_object(tmp_path: Path, clip: Path) -> None:
    named, notes = resolve(tmp_path, clip, Prompt(0, 5, name="blob", name_hit=2))
    assert places(named) == [(0, 5, blobs(0)[1])]
    assert notes[0].endswith("of these 2 is object 5")


def test_finder_without_masks_gives_boxes(tmp_path: Path, clip: Path) -> None:
    named, _ = resolve(tmp_path, clip, Prompt(3, name="blob"), finder=BrightFinder(with_masks=False))
    assert places(named) == [(3, 1, blobs(3)[0]), (3, 2, blobs(3)[1])]
    assert all(prompt.mask is None for prompt in named.prompts)


def test_further_hits_take_numbers_that_nobody_speaks_of(tmp_path: Path, clip: Path) -> None:
    click = Prompt(4, 2, points=(Point(75, 12),))
    named, _ = resolve(tmp_path, clip, Prompt(0, 1, name="blob"), click, Prompt(6, 1, name="blob", name_hit=1))
    assert [(prompt.frame, prompt.object_id) for prompt in named.prompts] == [(4, 2), (0, 1), (0, 3), (6, 4)]


def test_every_shot_is_looked_at_when_asked_and_a_later_frame_when_the_first_shows_nothing(
    tmp_path: Path, clip: Path
) -> None:
    named, notes = resolve(tmp_path, clip, Prompt(0, name="blob", every_shot=True))
    (frame, number, box) = places(named)[2]
    assert [place[:2] for place in places(named)[:2]] == [(0, 1), (0, 2)]
    assert (number, box) == (1, blobs(30)[0])
    assert frame >= CUT + 3
    assert len(notes) == 2


def test_frame_without_the_name_leads_to_one_that_shows_it_and_says_so(tmp_path: Path, clip: Path) -> None:
    named, notes = resolve(tmp_path, clip, Prompt(CUT, name="blob"))
    ((frame, _, box),) = places(named)
    assert box == blobs(30)[0]
    assert f"was found on frame {frame} and not on frame {CUT}" in notes[0]


def test_click_with_a_name_takes_the_hit_under_it(tmp_path: Path, clip: Path) -> None:
    named, _ = resolve(tmp_path, clip, Prompt(0, points=(Point(75, 12),), name="blob", every_shot=True))
    assert places(named) == [(0, 1, blobs(0)[1])]
    assert named.prompts[0].points == (Point(75, 12),)


def test_name_that_is_nowhere_is_refused_with_the_frames_that_were_looked_at(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(PromptError, match=f"no 'blob' was found on frame {CUT} of %04d.png"):
        resolve(tmp_path, clip, Prompt(CUT, points=(Point(5, 5),), name="blob"))


def test_hit_beyond_those_that_are_there_is_refused(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(PromptError, match="hit 3 of 'blob' is asked for and there are 2"):
        resolve(tmp_path, clip, Prompt(0, name="blob", name_hit=3))


def test_remark_of_the_finder_is_noted_once(tmp_path: Path, clip: Path) -> None:
    _, notes = resolve(tmp_path, clip, Prompt(0, name="odd blob", every_shot=True))
    assert notes[-1] == "no word for 'odd'"
    assert len(notes) == 3


def test_prompts_without_names_are_left_as_they_are_and_need_no_finder(tmp_path: Path, clip: Path) -> None:
    click = Prompt(4, 2, points=(Point(75, 12),))
    finder = BrightFinder()
    assert resolve(tmp_path, clip, click, finder=finder) == (Named((click,)), [])
    assert finder.looked_count == 0


@pytest.mark.parametrize("kind", ["remove", "track", "matte"])
def test_operation_with_a_name_does_its_work_and_says_who_looked(tmp_path: Path, clip: Path, kind: str) -> None:
    name = (Prompt(0, name="blob", every_shot=True),)
    if kind == "remove":
        operation = RemoveOperation(name, grow_px=1, feather_px=0)
        take = remove(a_job(tmp_path, clip, operation=operation), operation)
    elif kind == "track":
        take = track(a_job(tmp_path, clip, *name), TrackOperation(name))
    else:
        take = matte(a_job(tmp_path, clip, operation=MatteOperation(name)), MatteOperation(name))
    assert [use.kind for use in take.engines][:2] == ["name-finder", "segmenter"]
    manifest = json.loads(take.manifest_path.read_text())
    assert manifest["operation"]["prompts"][0]["name"] == "blob"
    assert "'blob' was found on frame 0" in manifest["notes"][1 if kind == "remove" else 0]
    assert take.masks_path is not None
    for frame in (0, 11, 30):
        mask = cv2.imread(str(take.masks_path / f"{frame:05d}.png"), cv2.IMREAD_GRAYSCALE) > 0
        assert all(mask[y : y + height, x : x + width].all() for x, y, width, height in blobs(frame))


def test_matte_that_is_told_nothing_is_of_the_people_in_every_shot(tmp_path: Path, clip: Path) -> None:
    take = matte(a_job(tmp_path, clip, operation=MatteOperation()), MatteOperation())
    assert "'person' was found on frame 0" in take.notes[0]
    assert take.masks_path is not None
    for frame in (0, 30):
        assert cv2.imread(str(take.masks_path / f"{frame:05d}.png"), cv2.IMREAD_GRAYSCALE).any()


def test_job_that_goes_on_looks_no_second_time(tmp_path: Path, clip: Path) -> None:
    prompts = (Prompt(0, name="blob", every_shot=True),)
    first = a_job(tmp_path, clip, *prompts)
    made = resolve_names(first, first.open_clip(), prompts)
    finder = BrightFinder()
    assert isinstance(first.ledger, MemoryLedger)
    again = a_job(tmp_path, clip, *prompts, ledger=first.ledger, finder=finder)
    kept = resolve_names(again, again.open_clip(), prompts)
    assert finder.looked_count == 0
    assert again.notes == first.notes
    assert kept.prompts == made.prompts
    masks = [(a.mask, b.mask) for a, b in zip(kept.prompts, made.prompts, strict=True)]
    assert all(a is not None and b is not None and np.array_equal(a, b) for a, b in masks)


def test_name_outside_the_range_is_refused(tmp_path: Path, clip: Path) -> None:
    prompts = (Prompt(20, name="blob"),)
    job = a_job(tmp_path, clip, *prompts)
    job = Job(replace(job.spec, start_frame=0, frame_count=10), job.ledger, job.engines)
    with pytest.raises(RangeError, match="the prompt on frame 20 is outside the range"):
        track(job, TrackOperation(prompts))
