"""CMX3600 EDLs, edited line by line: all but the meant event stays as it was written.

An EDL states no frame rate, and counts sources by timecode; see ``edl_units`` for what that means for a ``Use``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from cleanplate_plugin.documents.edl_events import read_units, renumber
from cleanplate_plugin.documents.edl_kept import BEGIN, END, Edit, Piece, write_kept
from cleanplate_plugin.documents.edl_lines import split_lines
from cleanplate_plugin.documents.edl_units import Unit, by_timecode, take_use
from cleanplate_plugin.documents.refused import Refused
from cleanplate_plugin.documents.saving import write_beside
from cleanplate_plugin.errors import StaleClipError, TimelineError
from cleanplate_plugin.timeline import Refusal, Span, Take, Use

_LONGEST_LINE = 4096
_TITLE = re.compile(r"\ufeff?\s*TITLE\s*:\s*(.*?)\s*", re.IGNORECASE)


class EdlDocument:
    """A timeline in an EDL.

    Args:
        text: of the EDL.
        rate: record and source frames a second.
        encoding: of its file.
        what: its name, for sentences.
    """

    def __init__(self, text: str, rate: Fraction, *, encoding: str, what: str) -> None:
        self._rate = rate
        self._encoding = encoding
        self._what = what
        self._newline = "\r\n" if "\r\n" in text else "\n"
        lines = split_lines(text)
        if any(len(line) > _LONGEST_LINE for line in lines) or "\0" in text:
            raise TimelineError(f"{what} is no EDL: it is not written in lines; export it again as CMX3600")
        self._title = next((found[1] for found in map(_TITLE.fullmatch, lines) if found), "")
        self._units = read_units(lines)
        events = [event for unit in self._units for event in unit.events]
        if not events:
            raise TimelineError(f"{what} is no EDL: it holds no events; export it again as CMX3600")
        first = min(events, key=lambda event: event.frames("record_in", rate))
        self._start_frame = first.frames("record_in", rate)
        self._drop_frame = first.drops("record_in", rate)
        self.items()

    @classmethod
    def open(cls, path: Path, rate: Fraction | None = None) -> EdlDocument:
        """Reads an EDL.

        Args:
            path: of the file.
            rate: record frames a second.

        Raises:
            TimelineError: no rate is given, or it cannot be read.
        """
        if rate is None:
            raise TimelineError(f"{path.name} is an EDL, which states no frame rate; give it, such as --rate 23.976")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise TimelineError(f"{path} cannot be read ({error.strerror}); check the path") from error
        encoding = "utf-8"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            # Older programs write one byte a letter; whichever it is, it goes back as it came.
            encoding = "latin-1"
            text = data.decode(encoding)
        return cls(text, rate, encoding=encoding, what=path.name)

    @property
    def name(self) -> str:
        """Of the timeline, for a person."""
        return self._title or self._what

    @property
    def rate(self) -> Fraction:
        """Record frames a second, exact."""
        return self._rate

    @property
    def start_frame(self) -> int:
        """Timecode of the first record frame as a count of frames since 00:00:00:00."""
        return self._start_frame

    @property
    def drop_frame(self) -> bool:
        """Whether the record timecode is written with dropped numbers."""
        return self._drop_frame

    def items(self) -> Sequence[Use | Refusal]:
        """All video clips and what else fills video tracks, as ``Document.items``; in record order on each track."""
        found: list[Use | Refusal] = []
        for index, original in self._originals().items():
            if isinstance(original, Refusal):
                found.append(original)
            else:
                found += [take_use(original, piece) for piece in _pieces(self._units[index], original)]
        return sorted(found, key=lambda item: (item.track, item.record_start))

    def original(self, use: Use) -> Use:
        """The clip as it was before any take, as ``Document.original``; a take tells where its file begins."""
        _, whole, piece = self._find(use)
        part = whole.part(piece.span)
        if not piece.takes:
            return part
        take = piece.takes[-1]
        start = take.media.start_frame - take.source_start
        media = replace(part.media, start_frame=start, start_known=True, counts_timecode=False)
        return replace(part, media=media, source_start=part.source_start - start)

    def replace(self, use: Use, take: Take, part: Span | None = None) -> None:
        """Lets a clip, or a part of it, show a take, as ``Document.replace``.

        The take has the source's timecode, so events keep theirs; reel, clip name and file become the take's. Sound
        that shares a line with the picture goes on from the original, as an event of its own.
        """
        index, whole, piece = self._find(use)
        unit = self._units[index]
        shown = whole.part(piece.span)
        span = Span(0, shown.frame_count) if part is None else shown.whole_part(part)
        if unit.shares_sound and unit.main is not None and unit.main.effect != "C":
            raise TimelineError(
                f"clip '{use.name}' dissolves with its sound in one event; export picture and sound apart"
            )
        if take.media.path is None:
            raise AssertionError("a take is a file")
        known = replace(shown, media=replace(shown.media, start_known=True, counts_timecode=False))
        known.part(span).with_take(by_timecode(take))
        edit = unit.edit or Edit((Piece(Span(0, whole.frame_count)),))
        pieces = [held for other in edit.pieces for held in (_cut(other, span, take) if other == piece else [other])]
        units = list(self._units)
        units[index] = replace(unit, edit=replace(edit, pieces=tuple(pieces)))
        if piece.span.start_frame + span.stop_frame == whole.frame_count and whole.tail_frames:
            self._leave(units, index, take)
        self._adopt(units)

    def lay_above(self, use: Use, take: Take, part: Span | None = None, *, enabled: bool = True) -> None:
        """An EDL has no track above.

        Raises:
            TimelineError: always.
        """
        raise TimelineError(
            f"{take.label} cannot be laid above clip '{use.name}': an EDL has one picture track;"
            " replace the clip, or work on an .otio or an .xml"
        )

    def restore(self, use: Use | None = None) -> int:
        """Takes takes out again, as ``Document.restore``."""
        units = list(self._units)
        if use is None:
            count = sum(bool(piece.takes) for unit in units if unit.edit for piece in unit.edit.pieces)
            self._adopt([replace(unit, edit=None) for unit in units])
            return count
        index, whole, piece = self._find(use)
        edit = units[index].edit
        if edit is None or not piece.takes:
            return 0
        pieces = tuple(replace(held, takes=()) if held == piece else held for held in edit.pieces)
        if not any(held.takes for held in pieces):
            pieces = (Piece(Span(0, whole.frame_count)),)
        units[index] = _tidy(replace(units[index], edit=replace(edit, pieces=pieces)))
        if piece.span.stop_frame == whole.frame_count:
            self._leave(units, index, None)
        self._adopt(units)
        return 1

    def save(self, path: Path) -> None:
        """Writes the EDL.

        Raises:
            TimelineError: another ending than .edl, or the folder cannot be written to.
        """
        if path.suffix.lower() != ".edl":
            raise TimelineError(f"an EDL is saved as .edl, not as '{path.name}'; choose a name that ends in .edl")
        write_beside(path, self._encode(self._units))

    def _originals(self) -> dict[int, Use | Refusal]:
        """What each unit that holds picture showed before any take, with the dissolves around it."""
        units, ends = self._units, self._ends()
        held = {i: u for i, u in enumerate(units) if u.main is not None and not u.main.is_black}
        found = {index: self._read(unit) for index, unit in held.items()}
        for index, unit in held.items():
            use, before = found[index], self._before(index, ends)
            if isinstance(use, Refusal) or not use.fade_in_frames or unit.leaving is None or unit.leaving.is_black:
                pass
            elif before is None or not unit.leaves(units[before].main, self._rate):
                found[index] = _refuse(use, "dissolves from something else than the clip before it; render it first")
            earlier = None if before is None else found.get(before)
            if before is not None and isinstance(use, Use) and isinstance(earlier, Use):
                tail = use.fade_in_frames if unit.leaves(units[before].main, self._rate) else 0
                found[before] = replace(earlier, tail_frames=tail)
        return found

    def _read(self, unit: Unit) -> Use | Refusal:
        try:
            return unit.read(self._rate, start_frame=self._start_frame)
        except Refused as refused:
            main = unit.main
            assert main is not None
            start, stop = (main.frames(field, self._rate) for field in ("record_in", "record_out"))
            place = f"{main.number}:{main.line_number}"
            reason = f"clip '{unit.name}' in event {main.number} {refused.reason}"
            return Refusal(unit.name, place, main.track, start - self._start_frame, max(0, stop - start), reason)

    def _ends(self) -> dict[tuple[int, int], int]:
        """Units with picture by their track and the record frame at which they end."""
        ends: dict[tuple[int, int], int] = {}
        for index, unit in enumerate(self._units):
            if unit.main is not None and not unit.main.is_empty:
                ends[unit.main.track, unit.main.frames("record_out", self._rate)] = index
        return ends

    def _before(self, index: int, ends: dict[tuple[int, int], int]) -> int | None:
        """The unit whose picture ends where this one's begins, on the same track."""
        main = self._units[index].main
        assert main is not None
        before = ends.get((main.track, main.frames("record_in", self._rate)))
        return None if before == index else before

    def _find(self, use: Use) -> tuple[int, Use, Piece]:
        """The unit of a clip, all of what that showed at first, and the piece that the clip is.

        Raises:
            StaleClipError: it is not there any more.
        """
        wanted = (use.name, use.track, use.record_start, use.frame_count)
        for index, original in self._originals().items():
            if isinstance(original, Use):
                for piece in _pieces(self._units[index], original):
                    part = original.part(piece.span)
                    if (part.name, part.track, part.record_start, part.frame_count) == wanted:
                        return index, original, piece
        raise StaleClipError(f"clip '{use.name}' no longer stands at {use.place}; list the clips again")

    def _leave(self, units: list[Unit], index: int, take: Take | None) -> None:
        """Lets the dissolve behind a clip leave its take, or the original again."""
        ends = self._ends()
        for after, unit in enumerate(units):
            if unit.main is None or unit.leaving is None or self._before(after, ends) != index:
                continue
            whole = self._read(unit)
            count = whole.frame_count
            edit = unit.edit or Edit((Piece(Span(0, count)),))
            takes = () if take is None else (*edit.leaving, take)
            units[after] = _tidy(replace(unit, edit=replace(edit, leaving=takes)))

    def _adopt(self, units: list[Unit]) -> None:
        """Takes changed units, if a program that knows nothing of us reads in them what is meant."""
        old = self._units
        self._units = units
        try:
            text = self._encode(units).decode(self._encoding)
            plain = "".join(line for line in split_lines(text) if not line.startswith("* CLEANPLATE"))
            host = EdlDocument(plain, self._rate, encoding=self._encoding, what=self._what)
            self._prove(host)
        except TimelineError:
            self._units = old
            raise

    def _prove(self, host: EdlDocument) -> None:
        read = {(use.track, use.record_start): use for use in host.items() if isinstance(use, Use)}
        for use in self.items():
            if isinstance(use, Refusal):
                continue
            there = read.get((use.track, use.record_start))
            shown = range(use.frame_count + use.tail_frames)
            start = use.media.start_frame
            if there is None or any(there.source_frame(k) != use.source_frame(k) + start for k in shown):
                raise TimelineError(
                    f"clip '{use.name}' cannot be cut there: its speed of {float(100 * use.speed):g} % puts the cut"
                    " between two source frames, which an EDL cannot say; take the whole clip, or use an .otio"
                )

    def _encode(self, units: Sequence[Unit]) -> bytes:
        text = "".join(self._render(units))
        try:
            return text.encode(self._encoding)
        except UnicodeEncodeError as error:
            raise TimelineError(
                f"{self._what} is not written in UTF-8, and '{text[error.start : error.end]}' in the take's name cannot"
                " be written in it; give the take another name"
            ) from error

    def _render(self, units: Sequence[Unit]) -> list[str]:
        """All lines; events behind one that was cut are numbered on."""
        originals = self._originals()
        lines: list[str] = []
        more = 0
        for index, unit in enumerate(units):
            use = originals.get(index)
            if unit.edit is None or not isinstance(use, Use):
                lines += [renumber(line, more) for line in unit.lines] if more else unit.lines
                continue
            lines.append(f"{BEGIN}{self._newline}")
            for number, block in enumerate(unit.write(unit.edit, use, self._rate)):
                lines += [renumber(_ended(line, self._newline), more + number) for line in block]
            more += unit.block_count(unit.edit) - 1
            lines += [*write_kept(list(unit.lines), unit.edit, newline=self._newline), f"{END}{self._newline}"]
        return lines


def _pieces(unit: Unit, use: Use) -> tuple[Piece, ...]:
    return unit.edit.pieces if unit.edit is not None else (Piece(Span(0, use.frame_count)),)


def _cut(piece: Piece, span: Span, take: Take) -> list[Piece]:
    """A piece cut around a span, record frames from its own start, which shows a take."""
    start = piece.span.start_frame
    bounds = [0, span.start_frame, span.stop_frame, piece.span.frame_count]
    head, middle, tail = (Span(start + a, b - a) for a, b in itertools.pairwise(bounds))
    taken = Piece(middle, (*piece.takes, take))
    return [*([replace(piece, span=head)] if head.frame_count else []), taken] + (
        [replace(piece, span=tail)] if tail.frame_count else []
    )


def _tidy(unit: Unit) -> Unit:
    return replace(unit, edit=None) if unit.edit is not None and unit.edit.is_none else unit


def _refuse(use: Use, reason: str) -> Refusal:
    sentence = f"clip '{use.name}' in event {use.place.partition(':')[0]} {reason}"
    return Refusal(use.name, use.place, use.track, use.record_start, use.frame_count, sentence)


def _ended(line: str, newline: str) -> str:
    return line if line.endswith(("\n", "\r")) else line + newline
