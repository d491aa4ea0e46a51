"""How FFmpeg's pixel formats lie in memory: decoded frames to planes, and planes to frames for an encoder.

A decoded frame's planes are views into the decoder's own buffer wherever that holds native code values; only what is
big-endian, half float, shifted to the high bits or packed below a byte is copied.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.clip import PixelFormat, Plane
from cleanplate_server.errors import MediaError

Samples = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float16] | NDArray[np.float32]


@dataclass(frozen=True)
class Component:
    """Where the samples of one plane lie: FFmpeg's plane, first item, items from sample to sample."""

    plane: int
    offset: int = 0
    step: int = 1


@dataclass(frozen=True)
class Layout:
    """A pixel format with its place in memory.

    Args:
        format: what the rest of the program knows.
        components: in the order of ``PixelFormat``'s planes.
        item: numpy dtype of one item in memory, e.g. ``<u2`` or ``>u2``.
        low_bits: unused bits below the code value (6 in p010).
    """

    format: PixelFormat
    components: tuple[Component, ...]
    item: str
    low_bits: int = 0


_SUBSAMPLING = {"444": (0, 0), "422": (1, 0), "420": (1, 1), "440": (0, 1), "411": (2, 0), "410": (2, 2)}
_YUV_PLANAR = re.compile(r"yuv([aj]?)(4\d\d)p(\d*)(le|be|)")
_RGB_PLANAR = re.compile(r"gbr(a?)p(\d*|f16|f32)(le|be|)")
_GRAY = re.compile(r"(gray|ya)(\d*|f16|f32)(le|be|)")
_SEMI_PLANAR = re.compile(r"(nv|p)(\d)(\d+)(le|be|)")
_RGB_PACKED = re.compile(r"([argbx0]{3,4})(24|48|64|96|128|f16|f32|)(le|be|)")
_NV_SUBSAMPLING = {"nv12": "420", "nv21": "420", "nv16": "422", "nv20": "422", "nv24": "444", "nv42": "444"}
_PACKED_422 = {"yuyv422": (0, 1, 3), "uyvy422": (1, 0, 2), "yvyu422": (0, 3, 1)}
_MONO = {"monob": 0, "monow": 1}


def pixel_format(name: str) -> PixelFormat:
    """The pixel format of FFmpeg's name.

    Raises:
        MediaError: a format that is not supported.
    """
    return layout(name).format


@functools.cache
def layout(name: str) -> Layout:
    """The layout of FFmpeg's pixel format name.

    Raises:
        MediaError: a format that is not supported.
    """
    for pattern, build in (
        (_YUV_PLANAR, _yuv_planar),
        (_RGB_PLANAR, _rgb_planar),
        (_GRAY, _gray),
        (_SEMI_PLANAR, _semi_planar),
        (_RGB_PACKED, _rgb_packed),
    ):
        found = pattern.fullmatch(name)
        if found:
            return build(name, found)
    if name in _PACKED_422:
        luma, blue, red = _PACKED_422[name]
        components = (Component(0, luma, 2), Component(0, blue, 4), Component(0, red, 4))
        return Layout(PixelFormat("yuv", 8, (1, 0), False, name), components, "u1")
    if name in _MONO:
        return Layout(PixelFormat("gray", 8, (0, 0), False, name), (Component(0),), "u1")
    if name == "pal8":
        return Layout(PixelFormat("rgb", 8, (0, 0), True, name), (Component(0),), "u1")
    raise MediaError(
        f"pixel format {name} is not supported; convert the media to planar Y'CbCr, RGB or gray of 8 to 16 bit or float"
    )


def _yuv_planar(name: str, found: re.Match[str]) -> Layout:
    kind, subsampling, depth, order = found.groups()
    if subsampling not in _SUBSAMPLING:
        raise MediaError(f"pixel format {name} is not supported; convert the media to 4:2:0, 4:2:2 or 4:4:4")
    bits = int(depth or 8)
    planes = tuple(Component(i) for i in range(4 if kind == "a" else 3))
    return Layout(PixelFormat("yuv", bits, _SUBSAMPLING[subsampling], kind == "a", name), planes, _item(bits, order))


def _rgb_planar(name: str, found: re.Match[str]) -> Layout:
    alpha, kind, order = found.groups()
    bits, item = _depth_and_item(kind, order)
    planes = (Component(2), Component(0), Component(1)) + ((Component(3),) if alpha else ())
    return Layout(PixelFormat("rgb", bits, (0, 0), bool(alpha), name), planes, item)


def _gray(name: str, found: re.Match[str]) -> Layout:
    family, kind, order = found.groups()
    bits, item = _depth_and_item(kind, order)
    planes = (Component(0),) if family == "gray" else (Component(0, 0, 2), Component(0, 1, 2))
    return Layout(PixelFormat("gray", bits, (0, 0), family == "ya", name), planes, item)


def _semi_planar(name: str, found: re.Match[str]) -> Layout:
    family, digit, rest, order = found.groups()
    if family == "nv":
        bits = 10 if name.startswith("nv20") else 8
        subsampling = _NV_SUBSAMPLING.get(f"nv{digit}{rest}", "")
        low_bits = 0
    else:
        bits = int(rest)
        subsampling = {"0": "420", "2": "422", "4": "444"}.get(digit, "")
        low_bits = 16 - bits
    if not subsampling:
        raise MediaError(f"pixel format {name} is not supported; convert the media to planar Y'CbCr")
    first, second = (1, 0) if name in ("nv21", "nv42") else (0, 1)
    planes = (Component(0), Component(1, first, 2), Component(1, second, 2))
    return Layout(
        PixelFormat("yuv", bits, _SUBSAMPLING[subsampling], False, name), planes, _item(bits, order), low_bits
    )


def _rgb_packed(name: str, found: re.Match[str]) -> Layout:
    letters, kind, order = found.groups()
    if sorted(letters.translate(str.maketrans("x0", "aa"))) not in (list("bgr"), list("abgr")):
        raise MediaError(f"pixel format {name} is not supported; convert the media to RGB of 8 or 16 bit")
    step = len(letters)
    per_channel = {"": 8, "24": 8, "48": 16, "64": 16, "96": 32, "128": 32}.get(kind)
    if per_channel == 32:
        raise MediaError(f"pixel format {name} is not supported; convert the media to RGB of 8 or 16 bit, or float")
    bits, item = _depth_and_item(kind if per_channel is None else str(per_channel), order)
    wanted = "rgba" if "a" in letters else "rgb"
    planes = tuple(Component(0, letters.index(letter), step) for letter in wanted)
    return Layout(PixelFormat("rgb", bits, (0, 0), "a" in letters, name), planes, item)


def _depth_and_item(kind: str, order: str) -> tuple[int, str]:
    sign = ">" if order == "be" else "<"
    if kind in ("f16", "f32"):
        return 32, f"{sign}f{int(kind[1:]) // 8}"
    bits = int(kind or 8)
    if bits > 16:
        raise MediaError(f"integer samples of {bits} bit are not supported; convert the media to 16 bit or float")
    return bits, _item(bits, order)


def _item(bits: int, order: str) -> str:
    return "u1" if bits <= 8 else ">u2" if order == "be" else "<u2"


def plane_shape(format: PixelFormat, size: tuple[int, int], plane: int) -> tuple[int, int]:
    """(rows, columns) of plane number ``plane`` in a picture of ``size``; odd sizes round up."""
    shift_x, shift_y = format.chroma_shift if format.model == "yuv" and plane in (1, 2) else (0, 0)
    return -(-size[0] >> shift_y), -(-size[1] >> shift_x)


def to_planes(frame: av.VideoFrame) -> tuple[Plane, ...]:
    """Reads a decoded frame's planes as native code values, read-only and without a copy where possible.

    Returns:
        uint8 | uint16 | float32, each [H, W] (chroma smaller), in the order of ``PixelFormat``.

    Raises:
        MediaError: a pixel format that is not supported.
    """
    name = frame.format.name
    form = layout(name)
    if name == "pal8":
        planes = _from_palette(frame)
    elif name in _MONO:
        planes = (_from_bits(frame, invert=bool(_MONO[name])),)
    else:
        planes = tuple(_native(view, form) for view in _views(frame, form))
    for plane in planes:
        plane.setflags(write=False)
    return planes


def to_frame(planes: Sequence[Plane], format: PixelFormat) -> av.VideoFrame:
    """Makes a frame for an encoder from planes in the order and code values of ``format``."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, format.name)
    form = layout(format.name)
    _clear_unused_channel(frame, form)
    for view, plane in zip(_views(frame, form), planes, strict=True):
        view[...] = np.left_shift(plane, form.low_bits) if form.low_bits else plane
    return frame


def _views(frame: av.VideoFrame, form: Layout) -> tuple[Samples, ...]:
    size = (frame.height, frame.width)
    views = []
    for number, component in enumerate(form.components):
        rows, columns = plane_shape(form.format, size, number)
        lines = _lines(frame, component.plane, form.item, rows)
        stop = component.offset + component.step * columns
        views.append(lines[:, component.offset : stop : component.step][:, :columns])
    return tuple(views)


def _lines(frame: av.VideoFrame, plane: int, item: str, rows: int) -> Samples:
    """All items of an FFmpeg plane, padding at the line ends included."""
    lines = _line_bytes(frame, plane, rows)
    dtype = np.dtype(item)
    items: Samples = lines[:, : lines.shape[1] // dtype.itemsize * dtype.itemsize].view(dtype)
    return items


def _line_bytes(frame: av.VideoFrame, plane: int, rows: int) -> NDArray[np.uint8]:
    held = frame.planes[plane]
    if held.line_size < 0:
        raise MediaError("pictures that are stored bottom-up are not supported; rewrap the media as .mov or .mkv")
    return np.frombuffer(memoryview(held), np.uint8)[: rows * held.line_size].reshape(rows, held.line_size)


def _native(view: Samples, form: Layout) -> Plane:
    if form.format.is_float:
        return np.asarray(view, np.float32)
    if form.format.bit_depth <= 8:
        return np.asarray(view, np.uint8)
    native = np.asarray(view, np.uint16)
    return np.right_shift(native, np.uint16(form.low_bits)) if form.low_bits else native


def _clear_unused_channel(frame: av.VideoFrame, form: Layout) -> None:
    """Zeroes the byte that bgr0 and its like never use, so that equal pictures make equal files."""
    first = form.components[0]
    if form.format.model == "rgb" and first.step > len(form.components):
        _line_bytes(frame, first.plane, frame.height)[:] = 0


def _from_palette(frame: av.VideoFrame) -> tuple[Plane, ...]:
    indices = _line_bytes(frame, 0, frame.height)[:, : frame.width]
    palette = np.frombuffer(memoryview(frame.planes[1]), np.uint32)[:256]
    colours = palette[indices]
    return tuple(((colours >> shift) & 255).astype(np.uint8) for shift in (16, 8, 0, 24))


def _from_bits(frame: av.VideoFrame, *, invert: bool) -> Plane:
    rows = np.unpackbits(_line_bytes(frame, 0, frame.height), axis=1)[:, : frame.width]
    return np.asarray((1 - rows if invert else rows) * np.uint8(255), np.uint8)
