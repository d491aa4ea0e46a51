"""From one pixel format to another: exact where it can be, and chroma where it belongs."""

from __future__ import annotations

import numpy as np
import pytest
from cleanplate_server.clip import ColorTags, Plane, Plate
from cleanplate_server.stages.convert import converts
from cleanplate_server.stages.formats import pixel_format, plane_shape

SIZE = (36, 50)
VIDEO = ColorTags(1, 1, 1, False, 1)
FULL = ColorTags(1, 1, 1, True, 2)


def random_plate(name: str) -> Plate:
    form = pixel_format(name)
    generator = np.random.default_rng(5)
    count = {"gray": 1}.get(form.model, 3) + form.has_alpha
    dtype = np.uint8 if form.bit_depth == 8 else np.uint16
    shapes = [plane_shape(form, SIZE, i) for i in range(count)]
    return Plate(tuple(generator.integers(0, 1 << form.bit_depth, s).astype(dtype) for s in shapes), 0, 0)


@pytest.mark.parametrize("source", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("target", ["yuv422p10le", "yuv444p10le", "yuva444p10le", "yuv422p12le"])
def test_luma_in_video_range_is_a_shift(source: str, target: str) -> None:
    plate, forms = random_plate(source), (pixel_format(source), pixel_format(target))
    out = converts(plate, *forms, VIDEO)
    shift = forms[1].bit_depth - forms[0].bit_depth
    np.testing.assert_array_equal(out.planes[0], plate.planes[0].astype(np.uint16) << shift)
    for number, plane in enumerate(out.planes):
        assert plane.shape == plane_shape(forms[1], SIZE, number)
        assert plane.dtype == np.uint16
        assert not plane.flags.writeable


def test_chroma_of_equal_subsampling_is_a_shift() -> None:
    plate = random_plate("yuv422p")
    out = converts(plate, pixel_format("yuv422p"), pixel_format("yuv422p10le"), VIDEO)
    for before, after in zip(plate.planes, out.planes, strict=True):
        np.testing.assert_array_equal(after, before.astype(np.uint16) << 2)


def test_same_format_is_given_back_as_it_is() -> None:
    plate = random_plate("yuv420p")
    assert converts(plate, pixel_format("yuv420p"), pixel_format("yuv420p"), VIDEO) is plate
    assert converts(plate, pixel_format("nv12"), pixel_format("yuv420p"), VIDEO) is plate


@pytest.mark.parametrize(("location", "offset"), [(1, 0.5), (2, 0.5), (3, 0.0)])
def test_420_chroma_rows_are_interpolated_where_they_lie(location: int, offset: float) -> None:
    """A slope stays the same slope: chroma row j of 4:2:0 lies at luma row 2 j + offset."""
    rows = np.arange(18)[:, None] * np.ones((1, 25))
    chroma = (40 + 8 * (2 * rows + offset)).clip(0, 1023)
    planes: tuple[Plane, ...] = (np.zeros(SIZE, np.uint16), chroma.astype(np.uint16), chroma.astype(np.uint16))
    tags = ColorTags(1, 1, 1, False, location)
    out = converts(Plate(planes, 0, 0), pixel_format("yuv420p10le"), pixel_format("yuv422p10le"), tags)
    inside = out.planes[1][2:-2].astype(int)
    np.testing.assert_array_equal(inside, np.broadcast_to(40 + 8 * np.arange(2, 34)[:, None], inside.shape))


def test_centred_chroma_moves_left_for_422() -> None:
    columns = np.ones((18, 1)) * np.arange(25)
    chroma = (40 + 16 * (2 * columns + 0.5)).astype(np.uint16)
    planes: tuple[Plane, ...] = (np.zeros(SIZE, np.uint16), chroma, chroma)
    forms = pixel_format("yuv420p10le"), pixel_format("yuv422p10le")
    centred, left = ColorTags(1, 1, 1, False, 2), ColorTags(1, 1, 1, False, 1)
    out = converts(Plate(planes, 0, 0), *forms, centred, left).planes[1][:, 1:-1].astype(int)
    np.testing.assert_array_equal(out, np.broadcast_to(40 + 32 * np.arange(1, 24), out.shape))


def test_interlaced_chroma_rows_stay_in_their_field() -> None:
    chroma = np.zeros((18, 25), np.uint8)
    chroma[1::2] = 200
    planes: tuple[Plane, ...] = (np.zeros(SIZE, np.uint8), chroma, chroma)
    forms = pixel_format("yuv420p"), pixel_format("yuv422p10le")
    out = converts(Plate(planes, 0, 0), *forms, VIDEO, interlaced=True).planes[1]
    assert (out[0::2] == 0).all()
    assert (out[1::2] == 800).all()


def test_full_range_is_brought_to_video_range() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    planes: tuple[Plane, ...] = (ramp, ramp, ramp)
    forms = pixel_format("yuvj444p"), pixel_format("yuv444p10le")
    out = converts(Plate(planes, 0, 0), *forms, FULL, VIDEO)
    levels = np.arange(256)
    np.testing.assert_array_equal(out.planes[0][0], np.rint(64 + levels * 876 / 255))
    np.testing.assert_array_equal(out.planes[1][0], np.rint(512 + (levels - 128) * 896 / 255))


def test_rgb_from_8_to_16_bit_is_times_257() -> None:
    plate = random_plate("rgb24")
    out = converts(plate, pixel_format("rgb24"), pixel_format("rgba64be"))
    for before, after in zip(plate.planes, out.planes[:3], strict=True):
        np.testing.assert_array_equal(after, before.astype(np.uint16) * 257)
    assert (out.planes[3] == 65535).all()


def test_ycbcr_to_rgb_and_back_is_the_same_within_one_code() -> None:
    generator = np.random.default_rng(2)
    planes = tuple(generator.integers(400, 600, SIZE).astype(np.uint16) for _ in range(3))
    forms = pixel_format("yuv444p10le"), pixel_format("rgb48be")
    rgb_tags = ColorTags(1, 1, 0, True, 0)
    rgb = converts(Plate(planes, 0, 0), *forms, VIDEO, rgb_tags)
    back = converts(rgb, forms[1], forms[0], rgb_tags, VIDEO)
    for before, after in zip(planes, back.planes, strict=True):
        assert np.abs(before.astype(int) - after.astype(int)).max() <= 1


def test_alpha_is_scaled_over_its_full_range() -> None:
    plate = random_plate("yuva444p")
    out = converts(plate, pixel_format("yuva444p"), pixel_format("yuva444p10le"), VIDEO)
    np.testing.assert_array_equal(out.planes[3], np.rint(plate.planes[3].astype(np.float64) * 1023 / 255))
