"""A clip's media references: which one is a take of ours, what it counts, and how one is made."""

from __future__ import annotations

from collections.abc import MutableMapping
from fractions import Fraction
from pathlib import Path, PureWindowsPath

from opentimelineio.core import MediaReference
from opentimelineio.schema import Clip, ExternalReference, ImageSequenceReference
from opentimelineio.url_utils import filepath_from_url

from cleanplate_plugin.dialects.base import Dialect
from cleanplate_plugin.dialects.numbers import frames_in, range_of
from cleanplate_plugin.timecodes import seems_drop, smpte_rate
from cleanplate_plugin.timeline import SourceMedia, Take

METADATA_KEY = "cleanplate"
"""What is ours in a document's metadata."""
TAKE_PREFIX = "cleanplate-"
"""Of the keys under which a clip keeps takes beside its original."""


def reference_path(reference: MediaReference, folder: Path | None) -> Path | None:
    """Finds the file that a reference names; for images their pattern, such as ``shot.%04d.exr``.

    Args:
        reference: any.
        folder: of the document, where relative paths begin; None leaves them relative.
    """
    if isinstance(reference, ExternalReference) and reference.target_url:
        return _absolute(filepath_from_url(reference.target_url), folder)
    if isinstance(reference, ImageSequenceReference) and reference.frame_step == 1:
        number = f"%0{reference.frame_zero_padding}d" if reference.frame_zero_padding else "%d"
        base = filepath_from_url(reference.target_url_base or ".")
        return _absolute(f"{base.rstrip('/')}/{reference.name_prefix}{number}{reference.name_suffix}", folder)
    return None


def _absolute(text: str, folder: Path | None) -> Path:
    known = Path(text).is_absolute() or PureWindowsPath(text).is_absolute()
    return Path(text) if known or folder is None else folder / text


def read_media(clip: Clip, reference: MediaReference, folder: Path | None) -> SourceMedia:
    """Reads what a document says of a clip's media.

    Args:
        clip: its ``source_range`` gives the rate where the reference has none.
        reference: one of the clip's.
        folder: as for ``reference_path``.
    """
    path = reference_path(reference, folder)
    about = reference.metadata.get(METADATA_KEY, {})
    available = reference.available_range
    if available is None:
        rate = _rate_without_range(clip, reference)
        return _beside_takes(clip, SourceMedia(path, rate, start_known=False))
    rate = smpte_rate(available.duration.rate)
    start = int(about.get("start_frame", round(frames_in(available.start_time, rate))))
    count = round(frames_in(available.duration, rate))
    return SourceMedia(path, rate, start, count, bool(about.get("drop_frame", seems_drop(start, rate))))


def _rate_without_range(clip: Clip, reference: MediaReference) -> Fraction:
    if isinstance(reference, ImageSequenceReference):
        return smpte_rate(reference.rate)
    return smpte_rate(clip.source_range.start_time.rate)


def _beside_takes(clip: Clip, media: SourceMedia) -> SourceMedia:
    """Learns where a file begins from a take of it, whose place in the file was settled when it was made."""
    for reference in clip.media_references().values():
        if is_take(reference):
            about = reference.metadata[METADATA_KEY]
            start = int(about["start_frame"]) - int(about["source_start"])
            return SourceMedia(media.path, media.rate, start, None, bool(about["drop_frame"]))
    return media


def origin_of(clip: Clip, reference: MediaReference, rate: Fraction) -> Fraction:
    """Gives the position of a file's first frame in the coordinates of a clip's ``source_range``; 0 when unknown.

    Args:
        clip: with its takes.
        reference: one of the clip's.
        rate: of the media.
    """
    if reference.available_range is not None:
        return frames_in(reference.available_range.start_time, rate)
    for other in clip.media_references().values():
        if is_take(other):
            begins = frames_in(other.available_range.start_time, rate)
            return begins - int(other.metadata[METADATA_KEY]["source_start"])
    return Fraction(0)


def is_take(reference: MediaReference) -> bool:
    """Whether a reference is one of our takes."""
    return "source_start" in reference.metadata.get(METADATA_KEY, {})


def take_reference(take: Take, begins: Fraction, dialect: Dialect) -> ExternalReference:
    """Makes the reference to a take.

    Args:
        take: as it was made.
        begins: position of its first frame in the coordinates of the clip's ``source_range``.
        dialect: of the document.
    """
    media = take.media
    assert media.path is not None
    assert media.frame_count is not None
    reference = ExternalReference(
        target_url=dialect.target_url(media.path), available_range=range_of(begins, media.frame_count, media.rate)
    )
    reference.name = take.label
    reference.metadata[METADATA_KEY] = {
        "about": take.about,
        "source_start": take.source_start,
        "start_frame": media.start_frame,
        "drop_frame": media.drop_frame,
    }
    return reference


def original_key(clip: Clip) -> str:
    """Gives the key of the reference that a clip showed before any take."""
    return str(clip.metadata.get(METADATA_KEY, {}).get("original_key", clip.active_media_reference_key))


def has_takes(clip: Clip) -> bool:
    """Whether a clip keeps takes."""
    return any(is_take(reference) for reference in clip.media_references().values())


def without_takes(clip: Clip) -> Clip:
    """Copies a clip as it was before any take; what it knows of cuts stays."""
    bare: Clip = clip.deepcopy()
    remove_takes(bare)
    return bare


def remove_takes(clip: Clip) -> None:
    """Lets a clip show its original again and forget its takes."""
    if not has_takes(clip):
        return
    key = original_key(clip)
    clip.set_media_references({k: r for k, r in clip.media_references().items() if not is_take(r)}, key)
    own = own_metadata(clip)
    own.pop("original_key", None)
    if not own:
        del clip.metadata[METADATA_KEY]


def own_metadata(clip: Clip) -> MutableMapping[str, object]:
    """Gives what is ours in a clip's metadata, made where there is none."""
    if METADATA_KEY not in clip.metadata:
        clip.metadata[METADATA_KEY] = {}
    own: MutableMapping[str, object] = clip.metadata[METADATA_KEY]
    return own


def next_take_key(clip: Clip) -> str:
    """Gives a key for one more take: numbers go up and are never used twice."""
    numbers = (key.removeprefix(TAKE_PREFIX) for key in clip.media_references() if key.startswith(TAKE_PREFIX))
    return f"{TAKE_PREFIX}{1 + max((int(number) for number in numbers if number.isdigit()), default=0)}"
