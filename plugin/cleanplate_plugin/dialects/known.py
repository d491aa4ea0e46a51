"""Which dialects there are, and which one a file was written in."""

from __future__ import annotations

from opentimelineio.schema import Timeline

from cleanplate_plugin.dialects.base import Dialect
from cleanplate_plugin.dialects.kdenlive import Kdenlive
from cleanplate_plugin.dialects.ours import Ours
from cleanplate_plugin.dialects.premiere import Premiere
from cleanplate_plugin.dialects.resolve import Resolve
from cleanplate_plugin.errors import TimelineError

OURS: Dialect = Ours()
_HOSTS: tuple[Dialect, ...] = (Resolve(), Premiere(), Kdenlive())


def host_dialects() -> tuple[Dialect, ...]:
    """Those of hosts, which take one reference for each clip."""
    return _HOSTS


def dialect_named(name: str) -> Dialect:
    """Finds a dialect.

    Raises:
        TimelineError: there is none of that name.
    """
    found = next((dialect for dialect in (OURS, *_HOSTS) if dialect.name == name), None)
    if found is None:
        names = ", ".join(dialect.name for dialect in (OURS, *_HOSTS))
        raise TimelineError(f"there is no way of writing timelines called '{name}'; choose one of {names}")
    return found


def dialect_of(timeline: Timeline) -> Dialect:
    """Tells a file's dialect by its vendor's metadata; OTIO's own meaning where no vendor signed.

    Kdenlive signs nothing, and its exports mean what OTIO means.
    """
    holders = (timeline.metadata, timeline.tracks.metadata)
    signed = (d for d in _HOSTS if any(d.vendor_key is not None and d.vendor_key in held for held in holders))
    return next(signed, OURS)
