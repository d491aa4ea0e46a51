"""Pictures that say which frame of which clip they are, so that any host's render can be read frame by frame.

A picture is a still wall, an object that crosses it, and a band of black and white blocks along the top: clip, frame
and a checksum. The object keeps clear of the band, so that removing it leaves the band to be read, and ``read`` says
whether it is there. A patch is transparent but for the wall where the object would be, and carries its band at the
bottom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from media import BT709, Recipe, write_image, write_video
from numpy.typing import NDArray

SIZE = (108, 192)
"""Height and width of every picture."""

OBJECT_RADIUS_PX = 11
_OBJECT_ROW = 54
_REACH = 48
_BAND_ROWS = 2
_BLOCKS_A_ROW = 12
_BLOCK_HEIGHT, _BLOCK_WIDTH = 10, 16
_FRAME_BITS, _CLIP_BITS, _CHECK_BITS = 10, 6, 8
_BLACK, _WHITE = 30, 220
_DARKEST_WHITE, _LIGHTEST_BLACK = 180, 70
_OBJECT_LUMA = 38
_WALL_RANGE = (105, 150)
_MARGIN = 15

Luma = NDArray[np.uint8]


@dataclass(frozen=True)
class Stamp:
    """What a picture says of itself.

    Args:
        clip: which clip, 0 to 63.
        frame: of the original clip, 0 to 1023; a take keeps the original's numbers.
        has_object: whether the object is seen.
    """

    clip: int
    frame: int
    has_object: bool = True

    @property
    def clean(self) -> Stamp:
        """The same frame without the object."""
        return Stamp(self.clip, self.frame, False)


class UnreadableError(Exception):
    """A picture's band is no code, or its checksum is wrong, or the object is neither there nor gone."""


def object_at(frame: int) -> tuple[int, int]:
    """Where the object's middle is, x and y: it crosses the picture to and fro."""
    turn = frame % (2 * _REACH)
    return 24 + 3 * min(turn, 2 * _REACH - turn), _OBJECT_ROW


def luma_of(stamp: Stamp) -> Luma:
    """The picture's luma: uint8 [H, W], limited range."""
    luma: Luma = _wall(stamp.clip).copy()
    _draw_band(luma, stamp, top=0)
    if stamp.has_object:
        cv2.circle(luma, object_at(stamp.frame), OBJECT_RADIUS_PX, (_OBJECT_LUMA,), -1)
    return luma


def picture(stamp: Stamp) -> av.VideoFrame:
    """The picture as yuv420p, gray throughout: hosts that mix up two color matrices shift the luma of colors alone."""
    height, width = SIZE
    chroma = np.full((height // 2, width), 128, np.uint8)
    return av.VideoFrame.from_ndarray(np.vstack([luma_of(stamp), chroma]), format="yuv420p")


def patch_picture(stamp: Stamp) -> av.VideoFrame:
    """What a patch holds for a frame, as RGBA: the wall where the object is, and the band at the bottom."""
    luma: Luma = _wall(stamp.clip).copy()
    top = SIZE[0] - _BAND_ROWS * _BLOCK_HEIGHT
    _draw_band(luma, stamp, top=top)
    alpha = np.zeros(SIZE, np.uint8)
    cv2.circle(alpha, object_at(stamp.frame), OBJECT_RADIUS_PX + 3, (255,), -1)
    alpha[top:] = 255
    full_range = np.clip((luma.astype(np.float32) - 16) * 255 / 219, 0, 255).round().astype(np.uint8)
    return av.VideoFrame.from_ndarray(np.dstack([full_range] * 3 + [alpha]), format="rgba")


@dataclass(frozen=True)
class Coding:
    """How a clip is written.

    Args:
        timecode: of its first frame, none when empty.
    """

    rate: Fraction
    timecode: str = ""
    encoder: str = "prores_ks"
    pix_fmt: str = "yuv422p10le"


def write_clip(path: Path, stamps: Iterable[Stamp], coding: Coding) -> Path:
    """Writes a clip of which frame 0 is the first stamp's picture."""
    frames = [picture(stamp).reformat(format=coding.pix_fmt) for stamp in stamps]
    return write_video(path, _recipe(frames, coding))


def write_patch(path: Path, stamps: Iterable[Stamp], coding: Coding) -> Path:
    """Writes a patch as ProRes 4444 with alpha."""
    frames = [patch_picture(stamp).reformat(format="yuva444p10le") for stamp in stamps]
    return write_video(path, _recipe(frames, Coding(coding.rate, coding.timecode, "prores_ks", "yuva444p10le")))


def stamps_of(clip: int, frames: Sequence[int], *, has_object: bool = True) -> list[Stamp]:
    """The stamps of some frames of a clip."""
    return [Stamp(clip, frame, has_object) for frame in frames]


def read(luma: Luma) -> Stamp:
    """Reads a picture.

    Args:
        luma: uint8 [H, W], limited range.

    Raises:
        UnreadableError: it is not one frame of one clip.
    """
    clip, frame = _read_band(luma, top=0)
    return Stamp(clip, frame, _sees_object(luma, clip, frame))


def read_patch(luma: Luma) -> tuple[int, int]:
    """Clip and frame of the patch that lies over a picture.

    Raises:
        UnreadableError: none lies there.
    """
    return _read_band(luma, top=SIZE[0] - _BAND_ROWS * _BLOCK_HEIGHT)


def decode(path: Path) -> Iterator[Luma]:
    """All frames of a render as luma, uint8 [H, W]."""
    height, width = SIZE
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if (frame.height, frame.width) != SIZE:
                raise UnreadableError(f"{path.name} is {frame.width}x{frame.height}, not {width}x{height}")
            yield frame.reformat(format="yuv420p").to_ndarray()[:height].copy()


def read_file(path: Path, *, failures: Path) -> list[Stamp]:
    """Reads every frame of a render; a picture that cannot be read is left in a folder to be looked at.

    Args:
        failures: where it is left.

    Raises:
        UnreadableError: which frame, why, and where its picture is.
    """
    stamps = []
    for number, luma in enumerate(decode(path)):
        try:
            stamps.append(read(luma))
        except UnreadableError as error:
            raise UnreadableError(f"frame {number} of {path.name}: {error}; see {save(luma, failures)}") from error
    return stamps


def save(luma: Luma, folder: Path) -> Path:
    """Leaves a picture as a PNG of its own name."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray")
    return write_image(folder / f"unreadable{len(list(folder.glob('unreadable*.png'))):02d}.png", "png", frame)


def _recipe(frames: list[av.VideoFrame], coding: Coding) -> Recipe:
    return Recipe(
        encoder=coding.encoder,
        pix_fmt=coding.pix_fmt,
        size=SIZE,
        count=len(frames),
        rate=coding.rate,
        options=dict(BT709),
        timecode=coding.timecode,
        frames=frames,
    )


@cache
def _wall(clip: int) -> Luma:
    """Soft noise, between the object's and the blocks' levels, that is the same in all frames of a clip."""
    noise = np.random.default_rng(clip).random(SIZE, dtype=np.float32)
    soft = cv2.GaussianBlur(noise, (7, 7), 0)
    low, high = _WALL_RANGE
    wall = low + (soft - soft.min()) / (soft.max() - soft.min()) * (high - low)
    return np.asarray(wall.round(), np.uint8)


def _draw_band(luma: Luma, stamp: Stamp, *, top: int) -> None:
    if not (0 <= stamp.clip < 1 << _CLIP_BITS and 0 <= stamp.frame < 1 << _FRAME_BITS):
        raise AssertionError(f"{stamp} does not fit the band")
    payload = stamp.clip << _FRAME_BITS | stamp.frame
    code = payload << _CHECK_BITS | _checksum(payload)
    for bit in range(_BAND_ROWS * _BLOCKS_A_ROW):
        y, x = _corner(bit, top)
        luma[y : y + _BLOCK_HEIGHT, x : x + _BLOCK_WIDTH] = _WHITE if code >> bit & 1 else _BLACK


def _read_band(luma: Luma, *, top: int) -> tuple[int, int]:
    code = 0
    for bit in range(_BAND_ROWS * _BLOCKS_A_ROW):
        y, x = _corner(bit, top)
        level = float(luma[y + 3 : y + _BLOCK_HEIGHT - 3, x + 4 : x + _BLOCK_WIDTH - 4].mean())
        if _LIGHTEST_BLACK < level < _DARKEST_WHITE:
            raise UnreadableError(f"block {bit} is neither black nor white but {level:.0f}")
        code |= (level >= _DARKEST_WHITE) << bit
    payload = code >> _CHECK_BITS
    if _checksum(payload) != code & (1 << _CHECK_BITS) - 1:
        raise UnreadableError(f"the checksum of {payload:#x} is wrong")
    return payload >> _FRAME_BITS, payload & (1 << _FRAME_BITS) - 1


def _corner(bit: int, top: int) -> tuple[int, int]:
    row, column = divmod(bit, _BLOCKS_A_ROW)
    return top + row * _BLOCK_HEIGHT, column * _BLOCK_WIDTH


def _checksum(payload: int) -> int:
    """CRC-8 with the polynomial 0x07; it starts from 1s, so that a plain black or white band is refused."""
    rest = 0xFF
    for shift in (8, 0):
        rest ^= payload >> shift & 0xFF
        for _ in range(8):
            rest = (rest << 1 ^ (0x07 if rest & 0x80 else 0)) & 0xFF
    return rest


def _sees_object(luma: Luma, clip: int, frame: int) -> bool:
    x, y = object_at(frame)
    near = OBJECT_RADIUS_PX - 4
    window = np.s_[y - near : y + near + 1, x - near : x + near + 1]
    level, wall = float(luma[window].mean()), float(_wall(clip)[window].mean())
    if abs(level - wall) < _MARGIN:
        return False
    if abs(level - _OBJECT_LUMA) < _MARGIN:
        return True
    raise UnreadableError(f"at {x}, {y} is neither the object nor the wall: {level:.0f} where the wall has {wall:.0f}")
