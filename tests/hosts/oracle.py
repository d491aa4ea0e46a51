"""What a render must show, record frame by record frame, and the comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from hosts.barcode import SIZE, Luma, Stamp, UnreadableError, decode, luma_of, read, save
from numpy.typing import NDArray

BLACK = None
_BLACK_LUMA = 16
_CELL_PX = 6
_CELL_TOLERANCE = 6.0
"""Of a mixed picture, in code values of a cell's mean: the codec and the host's way through 4:2:2 cost up to 4, an
object that is there or not is at least 14 where it is mixed in by a sixth."""


@dataclass(frozen=True)
class Mix:
    """A frame of a dissolve.

    Args:
        before: what goes; None is black.
        after: what comes; None is black.
        weight: of what comes, 0 to 1.
    """

    before: Stamp | None
    after: Stamp | None
    weight: Fraction

    def luma(self) -> NDArray[np.float32]:
        """The linear mix of both."""
        weight = float(self.weight)
        return (1 - weight) * _luma(self.before) + weight * _luma(self.after)


Picture = Stamp | Mix | None
"""What one record frame shows; None is black."""


def run(clip: int, first: Fraction | int, count: int, step: Fraction | int = 1) -> list[Stamp]:
    """Frames of a clip in order of the record, as hosts show them that round positions to the nearest frame.

    Args:
        first: position in the file at the first.
        step: source frames for each record frame.
    """
    return [Stamp(clip, math.floor(first + k * step + Fraction(1, 2))) for k in range(count)]


def dissolve(before: Sequence[Stamp | None], after: Sequence[Stamp | None]) -> list[Picture]:
    """Frames of a dissolve, of which the first is still the outgoing clip alone, as MLT counts."""
    count = len(before)
    return [Mix(a, b, Fraction(k, count)) for k, (a, b) in enumerate(zip(before, after, strict=True))]


def clean(pictures: Sequence[Picture], clip: int, record: range | None = None) -> list[Picture]:
    """The same pictures with a clip's object gone.

    Args:
        clip: whose object.
        record: frames in which it is gone; None is wherever the clip is seen.
    """
    return [_clean(p, clip) if record is None or k in record else p for k, p in enumerate(pictures)]


def _clean(picture: Picture, clip: int) -> Picture:
    if isinstance(picture, Mix):
        return Mix(_clean_stamp(picture.before, clip), _clean_stamp(picture.after, clip), picture.weight)
    return _clean_stamp(picture, clip)


def _clean_stamp(stamp: Stamp | None, clip: int) -> Stamp | None:
    return stamp.clean if stamp and stamp.clip == clip else stamp


def assert_shows(
    render: Path, expected: Sequence[Picture], failures: Path, *, ignores_rest: bool = False
) -> None:  # fmt: skip
    """Asserts every record frame of a render; pictures that are not as expected are left to be looked at.

    Args:
        expected: one for each record frame.
        failures: a folder for the pictures.
        ignores_rest: the render may be longer.
    """
    wrong, count = [], 0
    for count, luma in enumerate(decode(render), start=1):
        if count > len(expected):
            continue
        found = _difference(luma, expected[count - 1])
        if found:
            wrong.append(f"record frame {count - 1} {found}; see {save(luma, failures)}")
    assert not wrong, "\n".join([f"{len(wrong)} of {count} record frames of {render.name} are wrong", *wrong])
    assert count >= len(expected), f"{render.name} ends after {count} record frames of {len(expected)}"
    assert ignores_rest or count == len(expected), f"{render.name} has {count} record frames, not {len(expected)}"


def _difference(luma: Luma, expected: Picture) -> str:
    """What is wrong with a frame, empty when nothing is."""
    if isinstance(expected, Stamp):
        try:
            found = read(luma)
        except UnreadableError as error:
            return f"shows no {expected}: {error}"
        return "" if found == expected else f"shows {found}, not {expected}"
    wanted = expected.luma() if isinstance(expected, Mix) else _luma(None)
    off = np.abs(_cells(luma.astype(np.float32)) - _cells(wanted)).max()
    return "" if off <= _CELL_TOLERANCE else f"is off by {off:.0f} from {expected or 'black'}"


def _luma(stamp: Stamp | None) -> NDArray[np.float32]:
    if stamp is None:
        return np.full(SIZE, _BLACK_LUMA, np.float32)
    return luma_of(stamp).astype(np.float32)


def _cells(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = SIZE
    cells = cv2.resize(luma, (width // _CELL_PX, height // _CELL_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float32)
