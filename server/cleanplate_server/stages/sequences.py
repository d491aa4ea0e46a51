"""Numbered images as a clip: finding them, and what EXR and DPX headers say of rate, timecode and reel."""

from __future__ import annotations

import itertools
import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cleanplate_server.errors import AccessError, InputError, MediaError, NotFoundError

CODECS = {
    ".jpg": "mjpeg",
    ".jpeg": "mjpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".exr": "exr",
    ".dpx": "dpx",
}
"""FFmpeg's decoder for each ending."""

_PATTERN = re.compile(r"(?P<head>[^%]*)%0?(?P<width>\d*)d(?P<tail>[^%]*)")
_NUMBERED = re.compile(r"(?P<head>.*?)(?P<digits>\d+)(?P<tail>\.[A-Za-z]+)")


@dataclass(frozen=True)
class Sequence:
    """Images with numbers that follow each other.

    Args:
        pattern: folder and name with ``%04d`` in the number's place.
        first_number: of frame 0.
        frame_count: images.
        codec: FFmpeg's name of the decoder.
    """

    pattern: Path
    first_number: int
    frame_count: int
    codec: str

    def image(self, frame: int) -> Path:
        """The file of a frame, counted from 0."""
        return numbered(self.pattern, self.first_number + frame)


def numbered(pattern: Path, number: int) -> Path:
    """The pattern with the number in its place."""
    found = _PATTERN.fullmatch(pattern.name)
    assert found, pattern
    return pattern.with_name(f"{found['head']}{number:0{int(found['width'] or 1)}d}{found['tail']}")


def is_pattern(path: Path) -> bool:
    """Whether a name has ``%04d`` or its like in it, and an image's ending."""
    return bool(_PATTERN.fullmatch(path.name)) and path.suffix.lower() in CODECS


def find(path: Path) -> Sequence:
    """Finds the images of a folder or a pattern.

    Raises:
        NotFoundError: no folder, or no image in it.
        InputError: images of more than one name in a folder.
        MediaError: a number is missing.
    """
    folder = path.parent if is_pattern(path) else path
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        raise NotFoundError(f"folder {folder} does not exist; check the path") from None
    except NotADirectoryError:
        raise NotFoundError(f"{folder} is not a folder; check the path") from None
    except PermissionError:
        raise AccessError(f"folder {folder} may not be read; ask for permission to read it") from None
    pattern = path if is_pattern(path) else _pattern_of(folder, names)
    numbers = numbers_of(pattern, names)
    if not numbers:
        raise NotFoundError(f"no image is named like {pattern}; check the pattern")
    missing = next((n for n, after in itertools.pairwise(numbers) if after != n + 1), None)
    if missing is not None:
        raise MediaError(
            f"image {numbered(pattern, missing + 1).name} is missing in {folder}, between {numbers[0]} and"
            f" {numbers[-1]}; add it, or give the part before or after it in a folder of its own"
        )
    return Sequence(pattern, numbers[0], len(numbers), CODECS[pattern.suffix.lower()])


def _pattern_of(folder: Path, names: list[str]) -> Path:
    found: dict[tuple[str, str], list[str]] = {}
    for name in names:
        parts = _NUMBERED.fullmatch(name)
        if parts and parts["tail"].lower() in CODECS and not name.startswith("."):
            found.setdefault((parts["head"], parts["tail"]), []).append(parts["digits"])
    if not found:
        raise NotFoundError(f"folder {folder} holds no numbered image (JPEG, PNG, TIFF, EXR or DPX); choose another")
    if len(found) > 1:
        kinds = ", ".join(f"{head}…{tail}" for head, tail in sorted(found)[:3])
        raise InputError(
            f"folder {folder} holds images of {len(found)} names ({kinds}); give one as a pattern, shot.%04d.exr"
        )
    (head, tail), digits = next(iter(found.items()))
    widths = {len(text) for text in digits}
    padded = any(text.startswith("0") and len(text) > 1 for text in digits) or len(widths) == 1
    return folder / (f"{head}%0{min(widths)}d{tail}" if padded and min(widths) > 1 else f"{head}%d{tail}")


def numbers_of(pattern: Path, names: list[str]) -> list[int]:
    """The numbers of the names that fit a pattern, ascending."""
    parts = _PATTERN.fullmatch(pattern.name)
    assert parts, pattern
    shape = re.compile(re.escape(parts["head"]) + r"(\d+)" + re.escape(parts["tail"]))
    matches = (shape.fullmatch(name) for name in names)
    numbers = (int(match[1]) for match in matches if match and _is_padded(match[1], int(parts["width"] or 1)))
    return sorted(numbers)


def _is_padded(digits: str, width: int) -> bool:
    return len(digits) == width or (len(digits) > width and not digits.startswith("0"))


def reject_single_image(path: Path) -> None:
    """Refuses one image given as if it were a clip.

    Raises:
        InputError: an image's ending.
    """
    if path.suffix.lower() not in CODECS:
        return
    parts = _NUMBERED.fullmatch(path.name)
    advice = f", or {parts['head']}%0{len(parts['digits'])}d{parts['tail']}" if parts else ""
    raise InputError(f"{path.name} is one image and not a clip; give its folder{advice}")


@dataclass(frozen=True)
class ImageHeader:
    """What an image says of its place in time; None and empty where it is silent.

    Args:
        rate: frames a second.
        timecode: ``HH:MM:SS:FF``, with ``;`` for drop-frame.
        reel: tape or reel name.
    """

    rate: Fraction | None = None
    timecode: str = ""
    reel: str = ""


def read_header(path: Path) -> ImageHeader:
    """Reads rate, timecode and reel of an EXR or DPX image; other kinds carry none."""
    with path.open("rb") as file:
        data = file.read(65536)
    if data[:4] == b"\x76\x2f\x31\x01":
        return _exr_header(data)
    if data[:4] in (b"SDPX", b"XPDS"):
        return _dpx_header(data)
    return ImageHeader()


def _exr_header(data: bytes) -> ImageHeader:
    """Attributes by the OpenEXR file layout: name, type, size, value; an empty name ends them."""
    attributes: dict[str, bytes] = {}
    at = 8
    while at < len(data) and data[at]:
        name, kind = (part.decode("latin-1") for part in data[at : at + 600].split(b"\0", 2)[:2])
        at += len(name) + len(kind) + 2
        (size,) = struct.unpack_from("<i", data, at)
        attributes[f"{name} {kind}"] = data[at + 4 : at + 4 + size]
        at += 4 + size
    rate = attributes.get("framesPerSecond rational")
    code = attributes.get("timeCode timecode")
    reel = attributes.get("reelName string", b"").decode("utf-8", "replace")
    return ImageHeader(
        rate=_fraction(*struct.unpack("<iI", rate)) if rate else None,
        timecode=_smpte_text(struct.unpack("<I", code[:4])[0], drop=bool(code[0] & 0x40)) if code else "",
        reel=reel,
    )


def _dpx_header(data: bytes) -> ImageHeader:
    """Fields of SMPTE ST 268-1: film frame rate at byte 1724, timecode at 1920, television frame rate at 1940."""
    order = ">" if data[:4] == b"SDPX" else "<"
    (pixels_start,) = struct.unpack_from(f"{order}I", data, 4)
    if min(len(data), pixels_start) < 2048:  # the pixels follow the general header, and the industry's is left out
        return ImageHeader()
    (film_rate,) = struct.unpack_from(f"{order}f", data, 1724)
    (code,) = struct.unpack_from(f"{order}I", data, 1920)
    (video_rate,) = struct.unpack_from(f"{order}f", data, 1940)
    measured = next((rate for rate in (video_rate, film_rate) if 1 <= rate <= 1000), None)
    return ImageHeader(
        rate=_near_rate(measured) if measured else None,
        timecode=_smpte_text(code, drop=False) if code != 0xFFFFFFFF else "",
    )


def _fraction(numerator: int, denominator: int) -> Fraction | None:
    return Fraction(numerator, denominator) if numerator > 0 and denominator > 0 else None


def _near_rate(measured: float) -> Fraction:
    """A rate that a header holds as a float: 23.976 means 24000/1001."""
    whole = round(measured)
    broadcast = Fraction(whole * 1000, 1001)
    if abs(measured - whole) < 0.002:
        return Fraction(whole)
    return broadcast if abs(measured - float(broadcast)) < 0.01 else Fraction(measured).limit_denominator(1001)


def _smpte_text(code: int, *, drop: bool) -> str:
    """Binary coded decimal of SMPTE ST 12-1, frames in the lowest byte without its flags."""
    hours, minutes, seconds, frames = (code >> 24 & 0x3F, code >> 16 & 0x7F, code >> 8 & 0x7F, code & 0x3F)
    parts = [f"{value >> 4}{value & 15}" for value in (hours, minutes, seconds, frames)]
    return f"{parts[0]}:{parts[1]}:{parts[2]}{';' if drop else ':'}{parts[3]}"
