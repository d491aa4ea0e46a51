"""Events of an EDL with all that belongs to them, as neutral uses and written anew with takes.

An EDL counts sources by timecode and never says where a file begins. So a source stands as media that begins at frame
0 with ``start_known=False``, and ``source_start`` counts frames since 00:00:00:00; ``timeline.settle`` turns that into
frames from the file's first. A take has the timecode of what it replaces, so an event keeps its timecodes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from cleanplate_plugin.documents.edl_kept import Edit, Piece
from cleanplate_plugin.documents.edl_lines import (
    FILE_TAGS,
    FROM_NAME,
    TO_FILE_TAGS,
    TO_NAME,
    Comment,
    Event,
    Speed,
    read_path,
)
from cleanplate_plugin.documents.refused import Refused
from cleanplate_plugin.timeline import SourceMedia, Span, Take, Use

_LONGEST_REEL = 32


@dataclass(frozen=True)
class Unit:
    """An event: its lines, and the comments up to the next.

    Args:
        lines: as written, with their ends.
        parsed: for each line, the event that it is.
        edit: how it was changed; None is not at all.
    """

    lines: tuple[str, ...]
    parsed: tuple[Event | None, ...]
    edit: Edit | None = None

    @property
    def events(self) -> list[Event]:
        """Those of its lines that are events."""
        return [event for event in self.parsed if event is not None]

    @property
    def main(self) -> Event | None:
        """The video event that fills the track."""
        video = [event for event in self.events if event.is_video]
        return video[-1] if video else None

    @property
    def leaving(self) -> Event | None:
        """The clip that a dissolve at its start leaves, when it is written out."""
        video = [event for event in self.events if event.is_video]
        return video[0] if len(video) > 1 else None

    @property
    def shares_sound(self) -> bool:
        """Whether sound and picture stand in one line."""
        return self.main is not None and self.main.has_sound

    @property
    def name(self) -> str:
        """As the timeline shows it."""
        main = self.main
        assert main is not None
        mixed = main.effect != "C"
        return (mixed and self._said(TO_NAME)) or (not mixed and self._said(FROM_NAME)) or main.reel

    def _said(self, *tags: str) -> str:
        comments = (Comment.read(line) for line in self.lines)
        return next((found.text for found in comments if found is not None and found.tag in tags and found.text), "")

    def path(self) -> Path | None:
        """The file that its comments name."""
        main = self.main
        assert main is not None
        return read_path(self._said(*(FILE_TAGS if main.effect == "C" else TO_FILE_TAGS)))

    def speed_line(self, rate: Fraction) -> Speed | None:
        """The M2 of its main event.

        Raises:
            Refused: several, of which it is not clear which is meant.
        """
        main, leaving = self.main, self.leaving
        assert main is not None
        speeds = [speed for speed in map(Speed.read, self.lines) if speed is not None]
        if leaving is None:
            fitting = speeds
        else:
            fitting = [s for s in speeds if _digits(s.found["trigger"]) == _digits(main.found["source_in"])]
            others = [s for s in speeds if _digits(s.found["trigger"]) == _digits(leaving.found["source_in"])]
            if len(fitting) + len(others) != len(speeds) or any(speed in others for speed in fitting):
                raise Refused("is in a dissolve with a speed that may be meant for either clip; render it first")
        if len(fitting) > 1:
            raise Refused("changes its speed while it plays; render it or give it a constant speed first")
        return fitting[0] if fitting else None

    def read(self, rate: Fraction, *, start_frame: int) -> Use:
        """What the main event shows, before any take and without what the events around it say.

        Args:
            rate: of the EDL.
            start_frame: timecode of the timeline's first record frame.

        Raises:
            Refused: it cannot be cleaned.
            TimelineError: a timecode is none.
        """
        main = self.main
        assert main is not None
        record_in, record_out = (main.frames(field, rate) for field in ("record_in", "record_out"))
        source_in, source_out = (main.frames(field, rate) for field in ("source_in", "source_out"))
        count, held = record_out - record_in, source_out - source_in
        if count < 1:
            raise Refused("has no record frames; correct its record out")
        if main.effect == "K":
            raise Refused("is a key over another clip; render it first")
        if held < 0:
            raise Refused("has its source out before its source in; correct the EDL")
        speed_line = self.speed_line(rate)
        speed = Fraction(1) if speed_line is None else speed_line.factor(rate)
        _check_length(count, held, speed, rate, stated=speed_line is not None)
        media = SourceMedia(
            self.path(), rate, drop_frame=main.drops("source_in", rate), start_known=False, counts_timecode=True
        )
        return Use(
            name=self.name,
            place=f"{main.number}:{main.line_number}",
            track=main.track,
            record_start=record_in - start_frame,
            frame_count=count,
            rate=rate,
            media=media,
            source_start=Fraction(source_out - 1 if speed < 0 else source_in),
            speed=speed,
            fade_in_frames=min(main.length(), count),
        )

    def leaves(self, before: Event | None, rate: Fraction) -> bool:
        """Whether the dissolve at its start leaves the clip of an event: the same tape, going on where that ended."""
        leaving, main = self.leaving, self.main
        if before is None or main is None or before.frames("record_out", rate) != main.frames("record_in", rate):
            return False
        if leaving is None:
            return True
        same_reel = leaving.reel == before.reel
        return same_reel and leaving.frames("source_in", rate) == before.frames("source_out", rate)

    def block_count(self, edit: Edit) -> int:
        """How many events it is written as."""
        return len(edit.pieces) + (self.shares_sound and any(piece.takes for piece in edit.pieces))

    def write(self, edit: Edit, use: Use, rate: Fraction) -> list[list[str]]:
        """The lines of each event that it is written as when it is changed.

        Args:
            edit: how.
            use: the original, positions counted from 00:00:00:00.
            rate: of the EDL.
        """
        split = self.block_count(edit) > len(edit.pieces)
        blocks = [
            self._piece(piece, use, rate, leaving=edit.leaving if index == 0 else None, picture_alone=split)
            for index, piece in enumerate(edit.pieces)
        ]
        return [*blocks, self._sound()] if split else blocks

    def _piece(
        self, piece: Piece, use: Use, rate: Fraction, *, leaving: tuple[Take, ...] | None, picture_alone: bool
    ) -> list[str]:  # fmt: skip
        """One event with its comments; the first has the dissolve and whatever else was written there."""
        main = self.main
        assert main is not None
        first = leaving is not None
        take = piece.takes[-1] if piece.takes else None
        parts = self._times(piece.span, use, rate) if piece.span != Span(0, use.frame_count) else {}
        if take is not None:
            parts["reel"] = reel_for(take, like=main.reel)
        if not first and main.effect != "C":
            # Behind the dissolve the clip goes on as a cut.
            parts["effect"] = "C".ljust(len(main.found["effect"]))
            if main.found["length"] is not None:
                parts["length"] = " " * len(main.found["length"])
        if picture_alone:
            parts["channels"] = "V".ljust(len(main.channels))
        lines: list[str] = []
        for line, event in zip(self.lines, self.parsed, strict=True):
            if event is main:
                lines.append(main.rewrite(**parts))
            elif event is None:
                lines += self._comment(line, parts, take, leaving)
            elif first:
                lines.append(_with_reel(event, leaving) if event is self.leaving else line)
        return lines

    def _comment(
        self, line: str, parts: dict[str, str], take: Take | None, leaving: tuple[Take, ...] | None
    ) -> list[str]:  # fmt: skip
        """A line that is no event's, as it stands behind a piece."""
        main = self.main
        assert main is not None
        first = leaving is not None
        mixed = main.effect != "C"
        speed, comment = Speed.read(line), Comment.read(line)
        if speed is not None:
            own = not mixed or _digits(speed.found["trigger"]) == _digits(main.found["source_in"])
            if not own:
                return [line] if first else []
            return [speed.rewrite(reel=parts.get("reel"), trigger=parts.get("source_in"))]
        if comment is None:
            return [line] if first else []
        own_name, own_files = (TO_NAME, TO_FILE_TAGS) if mixed else (FROM_NAME, FILE_TAGS)
        if comment.tag in (own_name, *own_files):
            text = comment.text if take is None else _said_of(take, comment)
            line = comment.rewrite(text)
            return [line if first or not mixed else re.sub(r"\bTO\b", "FROM", line, count=1, flags=re.IGNORECASE)]
        if not first:
            return []
        if mixed and leaving and comment.tag in (FROM_NAME, *FILE_TAGS):
            return [comment.rewrite(_said_of(leaving[-1], comment))]
        return [line]

    def _times(self, span: Span, use: Use, rate: Fraction) -> dict[str, str]:
        main = self.main
        assert main is not None
        part = use.part(span)
        if part.speed == 0:
            low, high = int(part.source_start), int(part.source_start) + 1
        else:
            # An event's source is as long as its record times its speed, rounded; backwards it ends after its first.
            length = max(1, round(span.frame_count * abs(part.speed)))
            low = part.source_frame(0) if part.speed > 0 else part.source_frame(0) + 1 - length
            high = low + length
        record = main.frames("record_in", rate) + span.start_frame
        values = {
            "source_in": low,
            "source_out": high,
            "record_in": record,
            "record_out": record + span.frame_count,
        }
        return {field: main.timecode(frames, field, rate) for field, frames in values.items()}

    def _sound(self) -> list[str]:
        """Sound that shared a line with the picture goes on from the original, as an event of its own."""
        main = self.main
        assert main is not None
        sound = "AA" if "AA" in main.channels else "A"
        names = [line for line in self.lines if (found := Comment.read(line)) and found.tag == FROM_NAME]
        return [main.rewrite(channels=sound.ljust(len(main.channels))), *names]


def take_use(use: Use, piece: Piece) -> Use:
    """What a piece shows.

    Args:
        use: the original, positions counted from 00:00:00:00.
        piece: of it.
    """
    part = use.part(piece.span)
    if piece.span.start_frame:
        part = replace(part, place=f"{use.place}+{piece.span.start_frame}")
    if not piece.takes:
        return part
    take = piece.takes[-1]
    return replace(part, media=take.media, source_start=part.source_start - take.media.start_frame)


def by_timecode(take: Take) -> Take:
    """A take that says by timecode what it stands for, as an EDL counts."""
    return replace(take, source_start=take.media.start_frame)


def reel_for(take: Take, *, like: str) -> str:
    """A reel name for a take: its file's name; what Premiere calls every file, AX, stays."""
    if like.upper() == "AX" or take.media.path is None:
        return like
    return re.sub(r"[^A-Za-z0-9_.-]", "_", take.media.path.stem)[-_LONGEST_REEL:]


def _with_reel(event: Event, leaving: tuple[Take, ...] | None) -> str:
    return event.rewrite(reel=reel_for(leaving[-1], like=event.reel)) if leaving else event.found.string


def _said_of(take: Take, comment: Comment) -> str:
    """What a comment says of a take: its path where a path stood, its name where a name stood."""
    path = take.media.path
    assert path is not None, "a take is a file"
    if comment.tag in (FROM_NAME, TO_NAME):
        return path.name if re.search(r"\.\w{2,4}$", comment.text) else take.label
    if read_path(comment.text) is None:
        return path.name
    return str(path).replace("/", "\\") if "\\" in comment.text else str(path)


def _check_length(count: int, held: int, speed: Fraction, rate: Fraction, *, stated: bool) -> None:
    """The source must be as long as the record at that speed; M2 is written to a tenth of a frame a second."""
    if speed == 0:
        return
    off = abs(held - abs(speed) * count)
    allowed = 1 + abs(speed) + count / (20 * rate) if stated else 0
    if off > allowed:
        at = f"at {float(100 * speed):g} % speed" if stated else "without a speed"
        raise Refused(f"takes {held} source frames for {count} record frames {at}; correct the EDL or render the clip")


def _digits(timecode: str) -> str:
    return re.sub(r"\D", "", timecode)
