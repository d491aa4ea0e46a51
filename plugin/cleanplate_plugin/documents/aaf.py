"""AAF of Media Composer, read through OTIO's adapter; it is never written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import opentimelineio as otio
from aaf2.components import Sequence, Timecode  # type: ignore[import-untyped]
from aaf2.exceptions import AAFError  # type: ignore[import-untyped]
from aaf2.file import AAFFile  # type: ignore[import-untyped]
from opentimelineio.schema import SerializableCollection, Timeline

from cleanplate_plugin.dialects.ours import Ours
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.errors import TimelineError

_DAMAGE = (
    AAFError,
    otio.exceptions.OTIOError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What the adapter and its reader raise over files that are damaged or are none: they check nothing first."""


def open_aaf(path: Path) -> OtioDocument:
    """Reads an AAF; of several timelines, the first. Edits are saved as .otio.

    Args:
        path: of the file.

    Raises:
        TimelineError: it cannot be read, or holds no timeline.
    """
    try:
        drop_frame = _drops_frames(path)
        read = otio.adapters.read_from_file(str(path), "AAF")
    except _DAMAGE as error:
        raise TimelineError(
            f"{path.name} is no AAF that can be read ({type(error).__name__}); export it again, or as .otio or .xml"
        ) from error
    timelines = list(read) if isinstance(read, SerializableCollection) else [read]
    timeline = next((held for held in timelines if isinstance(held, Timeline)), None)
    if timeline is None:
        raise TimelineError(f"{path.name} holds no timeline; export the sequence, not its clips")
    return OtioDocument.from_timeline(timeline, Ours(), folder=path.resolve().parent, drop_frame=drop_frame)


def _drops_frames(path: Path) -> bool:
    """Whether the first timeline's timecode skips numbers, which OTIO has no word for."""
    with _open_file(path) as file:
        for mob in file.content.toplevel():
            for slot in mob.slots:
                # The adapter takes the start from the first track of timecode; others are auxiliary.
                track = slot.get("PhysicalTrackNumber")
                segment = slot.segment
                held = list(segment.components) if isinstance(segment, Sequence) else [segment]
                if held and isinstance(held[0], Timecode) and track is not None and track.value == 1:
                    return bool(held[0]["Drop"].value)
    return False


@contextmanager
def _open_file(path: Path) -> Iterator[AAFFile]:
    """Opens an AAF and closes it even where the reader gives up half way, which leaves the file open."""
    file = AAFFile.__new__(AAFFile)
    try:
        file.__init__(str(path), "r")
        yield file
    finally:
        if "f" in vars(file):
            file.f.close()
