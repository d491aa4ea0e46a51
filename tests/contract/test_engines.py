"""What every engine of a kind promises, run over all of them, fakes too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import MaskError
from cleanplate_server.models.protocols import (
    CleanRegion,
    Inpainter,
    JoinableTracker,
    Key,
    Matter,
    NameFinder,
    Point,
    Prompt,
    Propagator,
    Segmenter,
    SharedPropagator,
)
from cleanplate_server.models.registry import Registry
from cleanplate_server.pipeline.tracking import ShotTracking
from fakes import ArrayFrames, BrightFinder, BrightPropagator, BrightSegmenter, FlatInpainter, MemoryLedger
from name_networks import grounding_finder, mask_rcnn_finder
from propagator_networks import RECIPE_PROPAGATORS, recipe_propagator
from sam_networks import LIBRARY_NAMES, seeded_propagator, seeded_segmenter
from window_networks import untrained_inpainter

REGISTRY = Registry()


def named(kind: str) -> list[str]:
    return [status.info.name for status in REGISTRY.engines() if status.kind == kind and status.available]


def segmenters() -> dict[str, Callable[[], Segmenter]]:
    seeded = {f"{n}-seeded": lambda n=n: seeded_segmenter(n) for n in ("sam", *LIBRARY_NAMES)}
    return {"fake": BrightSegmenter} | {n: lambda n=n: REGISTRY.segmenter(n) for n in named("segmenter")} | seeded


def propagators() -> dict[str, Callable[[], Propagator]]:
    seeded = {f"{n}-recipe": lambda n=n: recipe_propagator(n) for n in RECIPE_PROPAGATORS}
    seeded |= {f"{n}-seeded": lambda n=n: seeded_propagator(n) for n in LIBRARY_NAMES}
    found = {n: lambda n=n: REGISTRY.propagator(n, "fast") for n in named("propagator")}
    return {"fake": BrightPropagator} | found | seeded


def knows_things(engine: Segmenter | Propagator) -> bool:
    """Whether its masks may be judged: with weights of no meaning, and on pictures made of noise, no network's may."""
    return engine.info.name in ("embedded", "bright")


def inpainters() -> dict[str, Callable[[], Inpainter]]:
    # the quickest of all: windows, regions and blending are the same code for every network
    untrained = {"sttn-untrained": lambda: untrained_inpainter("sttn")}
    found = {n: lambda n=n: REGISTRY.inpainter(n, "fast") for n in named("inpainter")}
    return {"fake": FlatInpainter} | found | untrained


def judged_inpainters() -> dict[str, Callable[[], Inpainter]]:
    """Those whose colours may be judged: no network's, with weights of no meaning or on pictures made of noise."""
    return {"fake": FlatInpainter, "embedded": lambda: REGISTRY.inpainter("embedded", "fast")}


def same(one: np.ndarray, other: np.ndarray, engine: Inpainter) -> bool:
    """Whether results are the same: to the bit, or to the last one of a float where a network's library computed."""
    off = 1e-6 if engine.info.name.endswith("-untrained") else 0.0
    return bool(np.abs(one - other).max() <= off)


def matters() -> dict[str, Callable[[], Matter]]:
    return {n: lambda n=n: REGISTRY.matter(n) for n in named("matter")}


def finders() -> dict[str, tuple[Callable[[], NameFinder], str]]:
    """Each with a name that it finds on every picture with something bright."""
    fakes = {"fake": (BrightFinder, "blob"), "fake-boxes": (lambda: BrightFinder(with_masks=False), "blob")}
    seeded = {"maskrcnn": (mask_rcnn_finder, "dog"), "grounding-dino": (grounding_finder, "dog")}
    return fakes | seeded | {n: (lambda n=n: REGISTRY.name_finder(n), "dog") for n in named("name-finder")}


def each(engines: dict[str, Callable[[], object]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("build", [pytest.param(engines[n], id=n, marks=marks_of(n)) for n in engines])


def each_finder() -> pytest.MarkDecorator:
    found = finders()
    return pytest.mark.parametrize(
        ("build", "words"), [pytest.param(*found[n], id=n, marks=marks_of(n)) for n in found]
    )


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    """What neither needs nothing nor is a fake is a network, which takes its time."""
    return [] if name == "embedded" or name.startswith("fake") else [pytest.mark.networks]


def a_scene(count: int, size: tuple[int, int] = (72, 96), disc_px: int = 12) -> tuple[ArrayFrames, np.ndarray]:
    """A bright disc that crosses a dark texture which pans slowly; frames with holes, and the disc's masks."""
    height, width = size
    random = np.random.default_rng(5)
    wide = cv2.GaussianBlur(random.uniform(0, 1, (height, width + 2 * count + 2, 3)).astype(np.float32), (0, 0), 1.5)
    wide = 0.1 + 0.3 * (wide - wide.min()) / np.ptp(wide)
    y, x = np.mgrid[0:height, 0:width]
    pictures, discs = [], []
    for t in range(count):
        picture = wide[:, 2 * t : 2 * t + width].copy()
        disc = (x - width * 0.25 - 3 * t) ** 2 + (y - height / 2) ** 2 <= disc_px**2
        picture[disc] = (0.95, 0.85, 0.8)
        pictures.append(picture)
        discs.append(disc)
    masks = np.stack(discs)
    holes = np.stack([cv2.dilate(m.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0 for m in masks])
    return ArrayFrames(np.stack(pictures), holes, first=20), masks


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


@each(segmenters())
def test_segmenter_finds_a_plain_disc_from_one_click_and_again_the_same(build: Callable[[], Segmenter]) -> None:
    frames, masks = a_scene(1)
    engine = build()
    prepared = engine.prepare(frames.rgb(20))
    prompt = Prompt(20, points=(Point(24, 36),))
    first, second = prepared.segment(prompt), prepared.segment(prompt)
    assert first[0].mask.dtype == np.bool_
    assert prepared.byte_count > 0
    if knows_things(engine):
        assert overlap(first[0].mask, masks[0]) > 0.8
    assert all(0 <= candidate.score <= 1 for candidate in first)
    assert np.array_equal(first[0].mask, second[0].mask)


@each(segmenters())
@pytest.mark.parametrize("size", [(16, 16), (33, 47)])
def test_segmenter_answers_on_any_size(build: Callable[[], Segmenter], size: tuple[int, int]) -> None:
    prepared = build().prepare(np.zeros((*size, 3), np.float32))
    candidates = prepared.segment(Prompt(0, points=(Point(8, 8),)))
    assert candidates[0].mask.shape == size


@each(segmenters())
def test_segmenter_takes_values_beyond_white_and_black_and_never_writes_to_the_picture(
    build: Callable[[], Segmenter],
) -> None:
    picture = np.full((40, 60, 3), -0.5, np.float32)
    picture[10:30, 20:40] = (4, 3, 2)
    picture.setflags(write=False)
    candidates = build().prepare(picture).segment(Prompt(0, points=(Point(30, 20),)))
    assert candidates[0].mask.shape == (40, 60)


@each(segmenters())
def test_segmenter_corrects_a_mask_that_comes_with_clicks(build: Callable[[], Segmenter]) -> None:
    frames, masks = a_scene(1)
    prepared = build().prepare(frames.rgb(20))
    clicks = (Point(24, 36), Point(60, 10, inside=False))
    (first, *others) = prepared.segment(Prompt(20, points=clicks, mask=masks[0]))
    assert first.mask.shape == masks[0].shape
    assert len(others) <= 2


@each(propagators())
@pytest.mark.parametrize("step", [1, -1])
def test_propagator_follows_both_ways_and_goes_on_from_saved_state(build: Callable[[], Propagator], step: int) -> None:
    frames, masks = a_scene(6)
    walk = list(frames.frames)[::step]
    key = Key(walk[0], 1, masks[walk[0] - 20])
    tracker = build().follow(frames, [key], [key])
    found = [tracker.step(walk[1]), tracker.step(walk[2])]
    saved = tracker.save()
    found += [tracker.step(frame) for frame in walk[3:]]
    again = build().follow(frames, [key], [key], saved)
    assert all(np.array_equal(again.step(frame), before) for frame, before in zip(walk[3:], found[2:], strict=True))
    for frame, alpha in zip(walk[1:], found, strict=True):
        assert alpha.shape == (1, 72, 96)
        assert alpha.dtype == np.float32
        assert 0 <= alpha.min() <= alpha.max() <= 1
        if knows_things(build()):
            assert overlap(alpha[0] >= 0.5, masks[frame - 20]) > 0.8


@each(propagators())
def test_propagator_follows_two_objects_at_once_in_the_order_of_their_keys(build: Callable[[], Propagator]) -> None:
    frames, masks = a_scene(3)
    corner = np.zeros((72, 96), bool)
    corner[60:, :10] = True
    keys = [Key(20, 7, masks[0]), Key(20, 3, corner)]
    assert build().follow(frames, keys, keys).step(21).shape == (2, 72, 96)


@each(propagators())
@pytest.mark.parametrize("size", [(16, 16), (31, 45)])
def test_propagator_on_black_frames_of_any_size_ends_sensibly(
    build: Callable[[], Propagator], size: tuple[int, int]
) -> None:
    frames = ArrayFrames(np.zeros((3, *size, 3), np.float32))
    mask = np.zeros(size, bool)
    mask[4:9, 0:7] = True
    key = Key(0, 1, mask)
    tracker = build().follow(frames, [key], [key])
    assert all(np.isfinite(tracker.step(frame)).all() for frame in (1, 2))


@each(propagators())
@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((72, 96), bool), "key on frame 20 is empty; mark object 1"),
        (np.ones((9, 9), bool), "the frames' size"),
    ],
)
def test_propagator_refuses_a_key_that_it_cannot_start_from(
    build: Callable[[], Propagator], mask: np.ndarray, words: str
) -> None:
    key = Key(20, 1, mask)
    with pytest.raises(MaskError, match=words):
        build().follow(a_scene(2)[0], [key], [key])


@each(propagators())
def test_propagator_follows_objects_whose_keys_lie_on_different_frames(
    build: Callable[[], Propagator], tmp_path: Path
) -> None:
    frames, masks = a_scene(6)
    corner = np.zeros((72, 96), bool)
    corner[52:, :30] = True
    keys = [Key(20, 4, masks[0]), Key(23, 2, corner), Key(24, 4, masks[4])]
    engine = build()
    tracking = ShotTracking(frames, keys, MemoryLedger(tmp_path), together=isinstance(engine, SharedPropagator))
    tracking.follow(engine, 0, tracking.step_count)
    found = tracking.masks()
    assert sorted(found) == [2, 4]
    for key in keys:
        assert np.array_equal(found[key.object_id].mask(key.frame), key.mask)
    if knows_things(engine):
        assert all(overlap(found[4].mask(frame), masks[frame - 20]) > 0.7 for frame in frames.frames)


@each({name: build for name, build in propagators().items() if isinstance(build(), SharedPropagator)})
def test_propagator_that_shares_a_memory_takes_in_keys_on_the_way(build: Callable[[], Propagator]) -> None:
    frames, masks = a_scene(4)
    corner = np.zeros((72, 96), bool)
    corner[52:, :30] = True
    first, second = Key(20, 4, masks[0]), Key(21, 2, corner)
    tracker = build().follow(frames, [first, second], [first])
    assert isinstance(tracker, JoinableTracker)
    assert len(tracker.step(21)) == 1
    tracker.join([second])
    saved = tracker.save()
    found = tracker.step(22)
    assert found.shape == (2, 72, 96)
    again = build().follow(frames, [first, second], [first], saved)
    assert np.array_equal(again.step(22), found)


def fill_all(engine: Inpainter, frames: ArrayFrames, folder: Path, windows: list[range]) -> dict[int, CleanRegion]:
    folder.mkdir(exist_ok=True)
    filler = engine.survey(frames, folder, lambda frame: None)
    return {region.frame: region for window in windows for region in filler.fill(window)}


@each(inpainters())
def test_inpainter_fills_every_hole_whatever_the_windows(build: Callable[[], Inpainter], tmp_path: Path) -> None:
    frames, _ = a_scene(6)
    engine = build()
    whole = fill_all(engine, frames, tmp_path / "a", [frames.frames])
    parts = fill_all(build(), frames, tmp_path / "b", [range(24, 26), range(20, 22), range(22, 24)])
    assert whole.keys() == parts.keys() == set(frames.frames)
    for frame, region in whole.items():
        hole = frames.mask(frame)
        inside = np.zeros_like(hole)
        inside[region.box.slices] = True
        assert not (hole & ~inside).any()
        used = hole[region.box.slices]
        assert region.rgb.shape == (*region.box.size, 3)
        assert region.rgb.dtype == np.float32
        assert np.isfinite(region.rgb[used]).all()
        assert not (region.unseen & ~used).any()
        assert same(region.rgb[used], parts[frame].rgb[used], engine)


@each(inpainters())
def test_inpainter_surveys_an_interrupted_shot_to_the_same_result(
    build: Callable[[], Inpainter], tmp_path: Path
) -> None:
    frames, _ = a_scene(6)
    whole = fill_all(build(), frames, tmp_path / "a", [range(22, 24)])
    (tmp_path / "b").mkdir()

    class StopError(Exception):
        pass

    def stop(frame: int) -> None:
        if frame >= 24:
            raise StopError

    with pytest.raises(StopError):
        build().survey(frames, tmp_path / "b", stop)
    engine = build()
    again = fill_all(engine, frames, tmp_path / "b", [range(22, 24)])
    for frame, region in whole.items():
        assert same(region.rgb, again[frame].rgb, engine)


@each(judged_inpainters())
@pytest.mark.parametrize(
    ("count", "size", "hole"),
    [
        (1, (48, 64), np.s_[10:30, 10:40]),
        (2, (48, 64), np.s_[:, :]),
        (3, (16, 16), np.s_[4:9, 0:16]),
        (3, (33, 47), np.s_[0:1, 0:1]),
    ],
)
@pytest.mark.parametrize("level", [0.0, 0.6])
def test_inpainter_on_flat_frames_gives_the_flat_colour(
    build: Callable[[], Inpainter], tmp_path: Path, count: int, size: tuple[int, int], hole: object, level: float
) -> None:
    holes = np.zeros((count, *size), bool)
    holes[(slice(None), *hole)] = True
    frames = ArrayFrames(np.full((count, *size, 3), level, np.float32), holes)
    regions = fill_all(build(), frames, tmp_path / "s", [frames.frames])
    assert regions.keys() == set(range(count))
    if build is not FlatInpainter and not holes.all():
        for frame, region in regions.items():
            assert np.allclose(region.rgb[holes[frame][region.box.slices]], level, atol=0.02)


def test_embedded_inpainter_never_copies_the_object(tmp_path: Path) -> None:
    frames, _ = a_scene(10)
    regions = fill_all(REGISTRY.inpainter("embedded"), frames, tmp_path, [frames.frames])
    for frame, region in regions.items():
        assert region.rgb[frames.mask(frame)[region.box.slices]].max() < 0.7


@each(matters())
def test_matter_is_certain_inside_and_outside_and_goes_on_from_saved_state(build: Callable[[], Matter]) -> None:
    frames, masks = a_scene(4)
    shot = ArrayFrames(np.stack([frames.rgb(f) for f in frames.frames]), masks, first=20)
    walk = build().start(shot)
    first = walk.step(20)
    saved = walk.save()
    second = walk.step(21)
    assert np.array_equal(build().start(shot, saved).step(21), second)
    assert first.shape == (72, 96)
    assert 0 <= first.min() <= first.max() <= 1
    core = cv2.erode(masks[0].astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    far = cv2.dilate(masks[0].astype(np.uint8), np.ones((21, 21), np.uint8)) == 0
    assert (first[core] > 0.95).all()
    assert (first[far] < 0.05).all()


@each_finder()
@pytest.mark.parametrize("size", [(72, 96), (33, 47), (120, 40)])
def test_name_finder_gives_hits_within_the_picture_best_first_and_the_same_again(
    build: Callable[[], NameFinder], words: str, size: tuple[int, int]
) -> None:
    picture = a_scene(1, size, disc_px=min(size) // 5)[0].rgb(20)
    finder = build()
    answer, again = finder.find(picture, words), finder.find(picture, words)
    scores = [hit.score for hit in answer.hits]
    assert scores
    assert scores == sorted(scores, reverse=True)
    assert [(hit.box, hit.score, hit.label) for hit in again.hits] == [
        (hit.box, hit.score, hit.label) for hit in answer.hits
    ]
    for hit in answer.hits:
        box = hit.box
        assert 0 <= box.x0 < box.x1 <= size[1]
        assert 0 <= box.y0 < box.y1 <= size[0]
        assert all(isinstance(edge, int) for edge in (box.x0, box.y0, box.x1, box.y1))
        assert 0 <= hit.score <= 1
        assert hit.label
        if hit.mask is not None:
            assert (hit.mask.shape, hit.mask.dtype) == (size, np.bool_)
            assert hit.mask.any()


@each_finder()
def test_name_finder_takes_values_beyond_white_and_black_and_never_writes_to_the_picture(
    build: Callable[[], NameFinder], words: str
) -> None:
    picture = a_scene(1)[0].rgb(20) * 3 - 1
    picture.setflags(write=False)
    assert all(np.isfinite(hit.score) for hit in build().find(picture, words).hits)
