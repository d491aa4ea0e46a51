"""Painted frames: read, registered, met at the rim, refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.clip import Media
from cleanplate_server.errors import InputError, NotFoundError
from cleanplate_server.models.protocols import RGB, Box, CleanedFrames, CleanRegion, Mask
from cleanplate_server.stages.clean_plates import FittedPlate, fit_clean_plate, read_clean_plate
from cleanplate_server.stages.decode import Decoder, probe
from cleanplate_server.stages.plates import CleanedShot
from cleanplate_server.stages.windows import bounding_box
from media import random_frame, write_image, write_images

SIZE = (120, 160)


def wall(seed: int = 3) -> RGB:
    """float32 [120, 160, 3]: blots, no edge like another."""
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.uniform(0, 1, (12, 16, 3)).astype(np.float32), SIZE[::-1])
    fine = cv2.GaussianBlur(random.uniform(0, 1, (*SIZE, 3)).astype(np.float32), (0, 0), 1.2)
    return (0.2 + 0.3 * coarse + 0.4 * (fine - 0.35)).astype(np.float32)


@pytest.fixture
def hole() -> Mask:
    mask = np.zeros(SIZE, np.bool_)
    mask[40:80, 60:100] = True
    return mask


def covered(plate: RGB, hole: Mask) -> RGB:
    return np.where(hole[..., None], np.float32([0.9, 0.1, 0.9]), plate).astype(np.float32)


def fit(picture: RGB, hole: Mask, *, opaque: Mask | None = None, plate: RGB | None = None) -> FittedPlate:
    for array in (picture, hole):
        array.setflags(write=False)
    whole = np.ones(SIZE, np.bool_) if opaque is None else opaque
    frame = covered(wall(), hole) if plate is None else plate
    return fit_clean_plate(picture, whole, frame=7, plate=frame, hole=hole, name="painted.png")


def error(fitted: FittedPlate, hole: Mask) -> float:
    truth = wall()[fitted.box.slices]
    return float(np.abs(fitted.rgb - truth)[hole[fitted.box.slices]].mean())


def test_painting_on_the_frame_is_taken_as_it_is(hole: Mask) -> None:
    painted = covered(wall(), hole)
    painted[hole] = 0.37
    fitted = fit(painted, hole)
    assert fitted.box == Box(60, 40, 100, 80)
    assert fitted.given.all()
    assert (fitted.rgb == np.float32(0.37)).all()


@pytest.mark.parametrize(
    "motion",
    [[[1, 0, 6.4], [0, 1, -3.7], [0, 0, 1]], [[1.02, 0.02, -4], [-0.01, 0.99, 3], [5e-5, -4e-5, 1]]],
)
def test_moved_picture_is_registered(hole: Mask, motion: list[list[float]]) -> None:
    moved = cv2.warpPerspective(wall(), np.float64(motion), SIZE[::-1], borderMode=cv2.BORDER_REFLECT)
    assert error(FittedPlate(7, Box(60, 40, 100, 80), moved[40:80, 60:100], hole[40:80, 60:100]), hole) > 0.025
    assert error(fit(moved, hole), hole) < 0.01


def test_picture_of_another_exposure_meets_the_rim(hole: Mask) -> None:
    assert error(fit((wall() * 0.8 + 0.05).astype(np.float32), hole), hole) < 0.005


def test_flat_picture_that_is_alike_is_taken(hole: Mask) -> None:
    flat = np.full((*SIZE, 3), 0.5, np.float32)
    assert np.allclose(fit(flat, hole, plate=covered(flat, hole)).rgb, 0.5)


@pytest.mark.parametrize("seed", [11, 12])
def test_picture_of_something_else_is_refused_with_the_figures(hole: Mask, seed: int) -> None:
    with pytest.raises(InputError, match=r"painted\.png .* frame 7 .* 0\.\d\d of 1 and 0\.5 is needed") as caught:
        fit(wall(seed), hole)
    assert caught.value.reason == "INVALID_CLEAN_PLATE"


def test_transparent_part_of_the_hole_is_left_to_the_engine(hole: Mask) -> None:
    opaque = np.ones(SIZE, np.bool_)
    opaque[60:] = False
    fitted = fit(wall(), hole, opaque=opaque)
    assert fitted.given[:20].all()
    assert not fitted.given[20:].any()
    assert np.array_equal(np.flatnonzero(fitted.rest(hole).any(axis=1)), np.arange(60, 80))
    engine = CleanRegion(
        7, Box(60, 60, 100, 80), np.full((20, 40, 3), 0.7, np.float32), np.ones((20, 40), np.bool_)
    )  # fmt: skip
    region = fitted.over(engine)
    assert (region.rgb[20:] == np.float32(0.7)).all()
    assert np.allclose(region.rgb[:20], wall()[40:60, 60:100])
    assert np.array_equal(region.unseen, ~fitted.given)


@pytest.fixture
def media(tmp_path: Path) -> Media:
    frames = [random_frame("rgb24", SIZE, seed=number) for number in range(3)]
    return probe(write_images(tmp_path / "clip", "shot.%04d.png", "png", frames))


@pytest.mark.parametrize(
    ("name", "encoder", "format", "white"),
    [("a.png", "png", "rgb24", 255), ("a.png", "png", "rgb48be", 65535), ("a.tif", "tiff", "rgb48le", 65535),
     ("a.exr", "exr", "gbrpf32le", 1)],
)  # fmt: skip
def test_picture_is_read_as_the_medias_own_values(
    tmp_path: Path, media: Media, name: str, encoder: str, format: str, white: int
) -> None:
    frame = random_frame(format, SIZE)
    path = write_image(tmp_path / name, encoder, frame)
    rgb, opaque = read_clean_plate(path, 1, media)
    assert rgb.shape == (*SIZE, 3)
    assert opaque.all()
    plane = np.frombuffer(
        bytes(frame.planes[0]), {"rgb24": "u1", "rgb48be": ">u2", "rgb48le": "<u2"}.get(format, "<f4")
    )
    width = SIZE[1] * (1 if "f32" in format else 3)
    lines = plane.reshape(SIZE[0], -1)[:, :width].astype(np.float64) / white
    theirs = rgb[..., 1] if "f32" in format else rgb.reshape(SIZE[0], -1)
    assert np.allclose(theirs, lines, atol=1e-3)


def test_another_size_and_a_missing_file_are_refused(tmp_path: Path, media: Media) -> None:
    small = write_image(tmp_path / "small.png", "png", random_frame("rgb24", (60, 80)))
    with pytest.raises(InputError, match=r"small\.png for frame 1 is 80x60 and the picture is 160x120"):
        read_clean_plate(small, 1, media)
    with pytest.raises(NotFoundError, match=r"no\.png for frame 1 is not there"):
        read_clean_plate(tmp_path / "no.png", 1, media)
    (tmp_path / "a.txt").write_text("no picture")
    with pytest.raises(InputError, match=r"a\.txt is no image"):
        read_clean_plate(tmp_path / "a.txt", 1, media)


class Holes:
    """The same hole on every frame."""

    def __init__(self, hole: Mask) -> None:
        self._hole = hole

    def mask(self, frame: int) -> Mask:
        return self._hole

    def box(self, frame: int) -> Box | None:
        return bounding_box(self._hole)


def test_shot_shows_what_was_given_and_has_no_hole_there(media: Media, hole: Mask) -> None:
    given = FittedPlate(1, Box(60, 40, 100, 80), np.full((40, 40, 3), 0.25, np.float32), np.ones((40, 40), np.bool_))
    with Decoder(media) as decoder:
        shot = CleanedShot(decoder, media, range(3), Holes(hole), given={1: given})
        plain = CleanedShot(decoder, media, range(3), Holes(hole), given={})
        assert isinstance(shot, CleanedFrames)
        assert (shot.clean_frames, plain.clean_frames) == ((1,), ())
        assert (shot.hole_box(1), shot.hole_box(0)) == (None, Box(60, 40, 100, 80))
        assert not shot.mask(1).any()
        for whole, other in ((shot.rgb(1), plain.rgb(1)), (shot.luma(1), plain.luma(1))):
            assert np.allclose(whole[hole], 0.25, atol=1e-6)
            assert np.array_equal(whole[~hole], other[~hole])
        part = Box(50, 30, 70, 50)
        assert np.array_equal(shot.rgb(1, part), shot.rgb(1)[part.slices])
        assert np.array_equal(shot.rgb(0), plain.rgb(0))
