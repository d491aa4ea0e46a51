"""Timelines in OpenTimelineIO's own files, ``.otio`` and ``.otioz``, edited in place."""

from __future__ import annotations

import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
from opentimelineio.schema import Clip, Timeline

from cleanplate_plugin import conform
from cleanplate_plugin.dialects.base import Dialect
from cleanplate_plugin.dialects.known import OURS, dialect_named, dialect_of
from cleanplate_plugin.dialects.numbers import frames_in
from cleanplate_plugin.documents.otio_export import absolute_references, clips_as_shown, flatten
from cleanplate_plugin.documents.otio_items import Placed, Setting, list_items, read_original, record_rate
from cleanplate_plugin.documents.otio_json import read_timeline, write_timeline
from cleanplate_plugin.documents.otio_media import has_takes
from cleanplate_plugin.documents.saving import write_beside
from cleanplate_plugin.documents.xmeml_writing import write_xmeml
from cleanplate_plugin.errors import StaleClipError, TimelineError
from cleanplate_plugin.timecodes import seems_drop
from cleanplate_plugin.timeline import Refusal, SourceMedia, Span, Take, Use

_BUNDLED_TIMELINE = "content.otio"

FCP7 = "fcp7"
"""Name of the export as FCP7 XML, for programs that read no OpenTimelineIO."""


class OtioDocument:
    """A timeline that OTIO holds; implements ``timeline.Document``.

    Args:
        timeline: is edited in place.
        setting: in which its numbers are meant.
        drop_frame: whether its record timecode is written with dropped numbers, which OTIO itself does not say.
    """

    def __init__(self, timeline: Timeline, setting: Setting, *, drop_frame: bool = False) -> None:
        self._timeline = timeline
        self._setting = setting
        self._drop_frame = drop_frame

    @classmethod
    def open(cls, path: Path) -> OtioDocument:
        """Opens an .otio or .otioz file.

        Raises:
            TimelineError: it is not there, or no timeline, or too new.
        """
        in_bundle = path.suffix.lower() == ".otioz"
        timeline = read_timeline(_read_bundle(path) if in_bundle else _read_text(path), path.name)
        folder = None if in_bundle else path.resolve().parent
        return cls._of(timeline, dialect_of(timeline), folder=folder, in_bundle=in_bundle)

    @classmethod
    def from_timeline(
        cls, timeline: Timeline, dialect: Dialect, *, folder: Path | None = None, drop_frame: bool = False
    ) -> OtioDocument:
        """Takes a timeline that came from another kind of file.

        Args:
            timeline: is edited in place.
            dialect: in which its numbers are meant; ``dialects.known.OURS`` for OTIO's own meaning.
            folder: where relative paths begin; None leaves them relative.
            drop_frame: whether its record timecode is written with dropped numbers.

        Raises:
            TimelineError: nothing in it says its rate.
        """
        return cls._of(timeline, dialect, folder=folder, drop_frame=drop_frame)

    @classmethod
    def _of(
        cls, timeline: Timeline, dialect: Dialect, *,
        folder: Path | None, in_bundle: bool = False, drop_frame: bool = False,
    ) -> OtioDocument:  # fmt: skip
        setting = Setting(dialect, record_rate(timeline), folder, in_bundle)
        return cls(timeline, setting, drop_frame=drop_frame)

    @property
    def name(self) -> str:
        """Of the timeline, for a person."""
        return str(self._timeline.name) or "without a name"

    @property
    def rate(self) -> Fraction:
        """Record frames a second, exact."""
        return self._setting.rate

    @property
    def start_frame(self) -> int:
        """Timecode of the first record frame as a count of frames since 00:00:00:00."""
        start = self._timeline.global_start_time
        return 0 if start is None else round(frames_in(start, self.rate))

    @property
    def drop_frame(self) -> bool:
        """Whether the record timecode is written with dropped numbers, which OTIO does not say: by a round start."""
        return self._drop_frame or seems_drop(self.start_frame, self.rate)

    @property
    def timeline(self) -> Timeline:
        """The timeline itself, for comparing; edits go through the methods."""
        return self._timeline

    def items(self) -> Sequence[Use | Refusal]:
        """All video clips and what else fills video tracks, bottom track first, in record order; our own tracks apart.

        Raises:
            TimelineError: a number in the file is none.
        """
        return [placed.said for placed in list_items(self._timeline, self._setting)]

    def original(self, use: Use) -> Use:
        """The clip as it was before any take: the same when it never had one.

        Raises:
            StaleClipError: there is no such clip any more.
        """
        return read_original(self._find(use), self._setting)

    def replace(self, use: Use, take: Take, part: Span | None = None) -> None:
        """Lets a clip, or a part of it, show a take; what it showed is kept for ``restore``.

        Args:
            use: as ``items`` or ``original`` gave it, settled if the timeline does not say where files begin.
            take: holds all that the clip, or the part, shows.
            part: record frames from the clip's start; None is the whole clip. It is widened over dissolves.

        Raises:
            TimelineError: the take does not fit; the document is unchanged.
        """
        slot, base = self._slot(use)
        if part is None:
            conform.replace_clip(slot, base, take)
        else:
            conform.replace_part(slot, base, take, part)

    def lay_above(self, use: Use, take: Take, part: Span | None = None, *, enabled: bool = True) -> None:
        """Puts a take on a track of our own right above the clip's, over the same record frames.

        Args:
            use: as for ``replace``.
            take: holds all that is covered.
            part: record frames from the clip's start; None is all.
            enabled: False leaves it unseen, for mattes.

        Raises:
            TimelineError: the take does not fit, or a patch would lie on a dissolve; the document is unchanged.
        """
        slot, base = self._slot(use)
        conform.lay_above(slot, base, take, part, enabled=enabled)

    def restore(self, use: Use | None = None) -> int:
        """Takes takes out again, so that the document is what it was before.

        Args:
            use: one clip; None is all.

        Returns:
            How many clips were restored, and how many patches and mattes taken away.

        Raises:
            TimelineError: a clip has lost its original; the document is unchanged.
        """
        if use is None:
            return conform.restore_all(self._timeline, self._setting)
        return conform.restore_one(self._slot_of(self._find(use)), use)

    def save(self, path: Path) -> None:
        """Writes the document as it is kept here, with originals beside takes, so that it can be restored later.

        Raises:
            TimelineError: the ending is neither .otio nor .otioz, or a bundle's media are not there.
        """
        _write(self._with_absolute_paths() if path.suffix.lower() == ".otioz" else self._timeline, path)

    def export(self, path: Path, dialect_name: str, *, files: Mapping[Path, SourceMedia] | None = None) -> None:
        """Writes the timeline for one host, each clip with what it shows alone.

        Args:
            path: ends with .otio, or .xml for ``fcp7``.
            dialect_name: ``resolve``, ``premiere`` or ``kdenlive``; or ``fcp7`` for FCP7 XML: its picture, with speeds
                and dissolves, without effects, titles and sound.
            files: what is known of media from the files themselves; needed where the timeline does not say where its
                files begin, or counts from 0 although they have timecode.

        Raises:
            TimelineError: the host cannot be told some clip, which the sentence names; nothing was written.
        """
        if dialect_name == FCP7:
            clips = clips_as_shown(self._timeline, self._setting, OURS, files=files or {})
            write_xmeml(
                path, clips, name=self.name, rate=self.rate, start_frame=self.start_frame,
                drop_frame=self.drop_frame, size=None,
            )  # fmt: skip
            return
        dialect = dialect_named(dialect_name)
        _write(flatten(self._timeline, self._setting, dialect, start_frame=self.start_frame, files=files or {}), path)

    def _with_absolute_paths(self) -> Timeline:
        timeline: Timeline = self._timeline.deepcopy()
        absolute_references(timeline, self._setting)
        return timeline

    def _find(self, use: Use) -> Placed:
        """Finds a clip again: record positions outlast every edit of ours.

        Raises:
            StaleClipError: there is none, or another.
        """
        for placed in list_items(self._timeline, self._setting):
            if isinstance(placed.said, Use) and _identity(placed.said) == _identity(use):
                return placed
        raise StaleClipError(
            f"clip '{use.name}' is no longer on video track {use.track} at frame {use.record_start};"
            " list the timeline's clips again"
        )

    def _slot(self, use: Use) -> tuple[conform.Slot, Use]:
        """Gives where a clip stands, and the clip as it shows its original, settled if the caller settled it."""
        placed = self._find(use)
        original = read_original(placed, self._setting)
        # Told by its numbers: a settled clip's path may be written in another way.
        assert isinstance(placed.said, Use)
        shows_take = has_takes(placed.item) and _position(use) == _position(placed.said)
        base = original if shows_take else replace(original, media=use.media, source_start=use.source_start)
        return self._slot_of(placed), base

    def _slot_of(self, placed: Placed) -> conform.Slot:
        clip: Clip = placed.item
        return conform.Slot(clip, placed.track, self._timeline, self._setting)


def _identity(use: Use) -> tuple[int, int, int, str, Fraction]:
    return use.track, use.record_start, use.frame_count, use.name, use.speed


def _position(use: Use) -> tuple[Fraction, int | None]:
    return use.source_start, use.media.frame_count


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TimelineError(f"{path} cannot be read: {error}; give a timeline file that is there") from error


def _read_bundle(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as bundle:
            return bundle.read(_BUNDLED_TIMELINE).decode("utf-8-sig")
    except (OSError, KeyError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise TimelineError(f"{path} is not an .otioz bundle: {error}; export the timeline again") from error


def _write(timeline: Timeline, path: Path) -> None:
    ending = path.suffix.lower()
    if ending == ".otio":
        write_beside(path, write_timeline(timeline).encode())
    elif ending == ".otioz":
        _write_bundle(timeline, path)
    else:
        raise TimelineError(f"{path.name} does not end as this timeline can be written; use .otio or .otioz")


def _write_bundle(timeline: Timeline, path: Path) -> None:
    """Bundles a timeline with the media that it shows, beside its target first: no half of it is ever there."""
    beside = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
    try:
        otio.adapters.write_to_file(timeline, str(beside), "otioz")
        beside.replace(path)
    except (OSError, otio.exceptions.OTIOError) as error:
        raise TimelineError(
            f"{path} cannot be written, for a bundle takes its media in: {error}; use .otio, or see that all are there"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
