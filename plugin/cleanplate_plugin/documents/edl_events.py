"""Lines of an EDL grouped by event, with their numbers."""

from __future__ import annotations

from dataclasses import replace

from cleanplate_plugin.documents.edl_kept import BEGIN, END, read_kept
from cleanplate_plugin.documents.edl_lines import Event, read_mode
from cleanplate_plugin.documents.edl_units import Unit
from cleanplate_plugin.errors import TimelineError

_HIGHEST_NUMBER = 999


def read_units(lines: list[str]) -> list[Unit]:
    """Groups lines by event; what was changed is read from what is kept of it."""
    units: list[Unit] = []
    mode: bool | None = None
    more = at = 0
    while at < len(lines):
        kept = None
        if lines[at].rstrip() == BEGIN:
            stop = next((k for k in range(at, len(lines)) if lines[k].rstrip() == END), None)
            kept = None if stop is None else read_kept(lines[at:stop])
        if kept is not None and stop is not None:
            originals, edit = kept
            before = len(units)
            for offset, line in enumerate(originals):
                mode = _add_line(units, line, mode, at + offset + 1, fresh=offset == 0)
            if len(units) == before + 1:
                units[-1] = replace(units[-1], edit=edit)
                more += units[-1].block_count(edit) - 1
            at = stop + 1
            continue
        mode = _add_line(units, renumber(lines[at], -more) if more else lines[at], mode, at + 1, fresh=False)
        at += 1
    return units


def _add_line(units: list[Unit], line: str, mode: bool | None, number: int, *, fresh: bool) -> bool | None:
    """Adds a line to the event that it belongs to; returns the mode that holds behind it."""
    said = read_mode(line)
    mode = mode if said is None else said
    event = Event.read(line, mode=mode, line_number=number)
    last = units[-1] if units else None
    if fresh or last is None or said is not None or (event is not None and not _belongs(event, last)):
        units.append(Unit((line,), (event,)))
    else:
        units[-1] = replace(last, lines=(*last.lines, line), parsed=(*last.parsed, event))
    return mode


def _belongs(event: Event, unit: Unit) -> bool:
    """Whether an event's line goes with those before it: the second of a dissolve, or sound of the same number."""
    if not unit.events:
        # A mode, or a line of ours, was written for the event that follows it.
        return read_mode(unit.lines[0]) is not None
    if unit.edit is not None or event.number != unit.events[-1].number:
        return False
    if not event.is_video:
        return True
    # The clip that a dissolve leaves is written before it, with no length of its own.
    before = [held for held in unit.events if held.is_video]
    return event.effect != "C" and len(before) == 1 and before[0].is_empty


def renumber(line: str, more: int) -> str:
    """A line with its event's number raised, when it is an event's.

    Raises:
        TimelineError: the number would be too high for an EDL.
    """
    event = Event.read(line, mode=None, line_number=0)
    if event is None or not more:
        return line
    number = int(event.number) + more
    if number > _HIGHEST_NUMBER >= int(event.number):
        raise TimelineError(
            f"cutting the clip would need event {number}, and an EDL ends at {_HIGHEST_NUMBER};"
            " take the whole clip, or use an .otio"
        )
    return event.rewrite(number=f"{number:0{len(event.number)}d}")
