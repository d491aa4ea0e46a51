"""Colour and composite: what must not change does not, what must change is right."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cleanplate_server.clip import ColorTags, Media, PixelFormat, Plate
from cleanplate_server.models.protocols import Box, CleanRegion
from cleanplate_server.stages.color import from_rgb, to_luma, to_rgb, to_small_rgb
from cleanplate_server.stages.composite import (
    composite,
    empty_plate,
    grow,
    matte,
    paste,
    patch,
    sample_dtype,
    soft_edge,
)

SHIFTS = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}
FORMATS = [
    PixelFormat("yuv", depth, shift, False, f"yuv{name}p{depth}")
    for name, shift in SHIFTS.items()
    for depth in (8, 10, 12)
] + [
    PixelFormat("yuv", 10, (0, 0), True, "yuva444p10le"),
    PixelFormat("rgb", 8, (0, 0), False, "gbrp"),
    PixelFormat("rgb", 16, (0, 0), True, "rgba64le"),
    PixelFormat("rgb", 32, (0, 0), False, "gbrpf32le"),
    PixelFormat("gray", 16, (0, 0), False, "gray16le"),
]
TAGS = [
    ColorTags(1, 1, 1, False, 1),
    ColorTags(9, 16, 9, False, 3),
    ColorTags(2, 2, 5, True, 2),
    ColorTags(),
]


def a_media(format: PixelFormat, tags: ColorTags, size: tuple[int, int]) -> Media:
    return Media(Path("plate.mkv"), 0, size, format, tags, Fraction(24), Fraction(1, 24), 1)


def a_plate(format: PixelFormat, size: tuple[int, int], seed: int = 0) -> Plate:
    """Noise over all code values, super-white and super-black included; read-only."""
    random = np.random.default_rng(seed)
    like = empty_plate(Plate((np.zeros(size, np.uint8),), 0, 0), format, ColorTags())
    planes = []
    for plane in like.planes:
        if format.is_float:
            noise = random.uniform(-0.5, 4, plane.shape).astype(np.float32)
        else:
            noise = random.integers(0, format.max_code + 1, plane.shape).astype(plane.dtype)
        noise.flags.writeable = False
        planes.append(noise)
    return Plate(tuple(planes), 0, 0)


def a_hole(size: tuple[int, int]) -> np.ndarray:
    hole = np.zeros(size, bool)
    hole[5:12, 3:11] = True
    hole[0, 0] = True
    return hole


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
@pytest.mark.parametrize("size", [(16, 18), (17, 15)])
@pytest.mark.parametrize("feather", [0, 2])
def test_composite_outside_the_mask_is_the_source_bit_for_bit(
    format: PixelFormat, size: tuple[int, int], feather: int
) -> None:
    media, plate, hole = a_media(format, TAGS[0], size), a_plate(format, size), a_hole(size)
    box = Box(0, 0, 12, 13)
    clean = CleanRegion(0, box, np.full((*box.size, 3), 0.4, np.float32), np.zeros(box.size, bool))
    result = paste(plate, composite(plate, clean, soft_edge(hole, feather), media), format)
    for i, (before, after) in enumerate(zip(plate.planes, result.planes, strict=True)):
        touched = hole
        if before.shape != size:
            rows, columns = (
                -(-n // m) * m
                for n, m in zip(size, (1 << format.chroma_shift[1], 1 << format.chroma_shift[0]), strict=True)
            )
            padded = np.zeros((rows, columns), bool)
            padded[: size[0], : size[1]] = hole
            touched = padded.reshape(
                before.shape[0], rows // before.shape[0], before.shape[1], columns // before.shape[1]
            ).any((1, 3))
        assert np.array_equal(before[~touched], after[~touched])
        if i == 0:
            assert not np.array_equal(before[touched], after[touched])
        assert after.dtype == before.dtype


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
@pytest.mark.parametrize("tags", TAGS)
def test_composite_of_the_plates_own_colour_gives_its_luma_back(format: PixelFormat, tags: ColorTags) -> None:
    size = (16, 18)
    media, plate, hole = a_media(format, tags, size), a_plate(format, size), a_hole(size)
    whole = Box(0, 0, size[1], size[0])
    clean = CleanRegion(0, whole, to_rgb(plate.planes, format, tags), np.zeros(size, bool))
    result = paste(plate, composite(plate, clean, soft_edge(hole, 0), media), format)
    if format.is_float:
        assert np.allclose(result.planes[0], plate.planes[0], atol=1e-5)
    else:
        assert np.array_equal(result.planes[0], plate.planes[0])


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("format", [f for f in FORMATS if f.model == "yuv"], ids=lambda f: f.name)
def test_smooth_chroma_survives_the_way_to_rgb_and_back(format: PixelFormat, tags: ColorTags) -> None:
    size = (32, 32)
    planes = []
    for plane in a_plate(format, size).planes[:3]:
        y, x = np.mgrid[0 : plane.shape[0], 0 : plane.shape[1]]
        ramp = (0.3 + 0.2 * x / plane.shape[1] + 0.2 * y / plane.shape[0]) * format.max_code
        planes.append(ramp.astype(sample_dtype(format)))
    back = from_rgb(to_rgb(planes, format, tags), format, tags, size[0])
    for before, after in zip(planes, back, strict=True):
        inner = slice(2, -2), slice(2, -2)
        assert np.abs(before[inner].astype(float) - after[inner]).max() < 1.0


def test_rgb_of_a_box_is_the_box_of_the_rgb() -> None:
    format = FORMATS[0]
    plate = a_plate(format, (32, 40))
    whole = to_rgb(plate.planes, format, TAGS[0])
    box = Box(7, 9, 30, 21)
    assert np.allclose(to_rgb(plate.planes, format, TAGS[0], box), whole[box.slices], atol=1e-6)


@pytest.mark.parametrize(("tags", "code", "expected"), [
    (ColorTags(1, 1, 1, False), (235, 128, 128), (1, 1, 1)),
    (ColorTags(1, 1, 1, True), (255, 128, 128), (1, 1, 1)),
    (ColorTags(1, 1, 1, False), (63, 102, 240), (1, 0, 0)),
    (ColorTags(5, 6, 6, False), (81, 90, 240), (1, 0, 0)),
])  # fmt: skip
def test_code_values_of_known_colours_become_those_colours(
    tags: ColorTags, code: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    format = PixelFormat("yuv", 8, (0, 0), False, "yuv444p")
    planes = [np.full((2, 2), c, np.uint8) for c in code]
    assert np.allclose(to_rgb(planes, format, tags)[0, 0], expected, atol=0.01)


def test_luma_is_that_of_the_rgb_picture() -> None:
    format = PixelFormat("rgb", 16, (0, 0), False, "gbrp16le")
    plate = a_plate(format, (4, 4))
    rgb = to_rgb(plate.planes, format, TAGS[0])
    assert np.allclose(to_luma(plate.planes, format, TAGS[0]), rgb @ [0.2126, 0.7152, 0.0722], atol=1e-5)


def test_ten_bit_ramp_keeps_its_levels_under_a_mask() -> None:
    format = PixelFormat("yuv", 10, (1, 0), False, "yuv422p10le")
    size = (4, 1024)
    luma = np.tile(np.arange(1024, dtype=np.uint16), (4, 1))
    chroma = np.full((4, 512), 512, np.uint16)
    plate = Plate((luma, chroma, chroma), 0, 0)
    media = a_media(format, TAGS[0], size)
    whole = Box(0, 0, 1024, 4)
    clean = CleanRegion(0, whole, to_rgb(plate.planes, format, TAGS[0]), np.zeros(size, bool))
    out = composite(plate, clean, np.ones(size, np.float32), media)
    assert len(np.unique(out.planes[0])) == 1024


def test_soft_edge_lies_inside_the_hole_and_not_at_the_pictures_border() -> None:
    hole = np.zeros((40, 40), bool)
    hole[10:, 10:30] = True
    alpha = soft_edge(hole, 4)
    assert alpha[~hole].max() == 0
    assert alpha[hole].min() > 0
    assert alpha[25, 20] == 1
    assert alpha[39, 20] == 1
    assert 0 < alpha[25, 10] < alpha[25, 12] < 1


def test_grow_reaches_the_radius_and_no_further() -> None:
    mask = np.zeros((21, 21), bool)
    mask[10, 10] = True
    grown = grow(mask, 5)
    assert grown[10, 15]
    assert not grown[10, 16]
    assert grow(mask, 0) is mask


def test_patch_holds_clean_colour_under_its_alpha_and_nothing_elsewhere() -> None:
    size = (64, 64)
    source = PixelFormat("yuv", 8, (1, 1), False, "yuv420p")
    target = PixelFormat("rgb", 16, (0, 0), True, "gbrap16le")
    media, plate = a_media(source, TAGS[0], size), a_plate(source, size)
    hole = np.zeros(size, bool)
    hole[30:40, 30:40] = True
    box = Box(30, 30, 40, 40)
    clean = CleanRegion(0, box, np.full((10, 10, 3), 0.25, np.float32), np.zeros((10, 10), bool))
    piece = patch(plate, clean, soft_edge(hole, 0), media, format=target, tags=ColorTags(full_range=True))
    whole = paste(empty_plate(plate, target, ColorTags(full_range=True)), piece, target)
    assert np.array_equal(whole.planes[3] == 65535, hole)
    assert (whole.planes[0][hole] == round(0.25 * 65535)).all()
    assert (whole.planes[3][~hole] == 0).all()


@pytest.mark.parametrize(("format", "black", "white"), [
    (PixelFormat("gray", 8, (0, 0), False, "gray"), 0, 255),
    (PixelFormat("gray", 16, (0, 0), False, "gray16le"), 0, 65535),
    (PixelFormat("yuv", 10, (1, 0), False, "yuv422p10le"), 64, 940),
])  # fmt: skip
def test_matte_is_black_and_white_in_the_formats_range(format: PixelFormat, black: int, white: int) -> None:
    size = (16, 16)
    alpha = np.zeros(size, np.float32)
    alpha[4:8, 4:8] = 1
    tags = replace(TAGS[0], full_range=None)
    base = empty_plate(Plate((np.zeros(size, np.uint8),), 0, 0), format, tags)
    whole = paste(base, matte(alpha, 0, Box(4, 4, 8, 8), format, tags), format)
    assert (whole.planes[0][alpha == 1] == white).all()
    assert (whole.planes[0][alpha == 0] == black).all()


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
@pytest.mark.parametrize("tags", TAGS)
def test_small_rgb_is_the_rgb_averaged_down(format: PixelFormat, tags: ColorTags) -> None:
    size = (64, 96)
    planes = []
    for plane in a_plate(format, size).planes:
        y, x = np.mgrid[0 : plane.shape[0], 0 : plane.shape[1]]
        ramp = (0.3 + 0.2 * x / plane.shape[1] + 0.2 * y / plane.shape[0]) * (
            format.max_code if not format.is_float else 1
        )
        planes.append(ramp.astype(sample_dtype(format)))
    small = to_small_rgb(planes, format, tags, (16, 24))
    whole = to_rgb(planes, format, tags).reshape(16, 4, 24, 4, 3).mean((1, 3))
    assert np.abs(small - whole).max() < 0.02
