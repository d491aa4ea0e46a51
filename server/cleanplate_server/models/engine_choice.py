"""An engine as a person names it: ``deaott``, or ``osvos:updates=200``."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate_server.errors import InputError

MOST_UPDATES = 20_000


@dataclass(frozen=True)
class EngineChoice:
    """A name, and how thoroughly an engine that is trained on the keys learns.

    Args:
        name: as `Registry` lists it; empty for the preferred one.
        updates: of the training; None lets the effort choose.
    """

    name: str
    updates: int | None = None

    @classmethod
    def parse(cls, text: str) -> EngineChoice:
        """Reads what a person typed.

        Raises:
            InputError: an option that there is not, or a number that cannot be.
        """
        name, colon, option = text.partition(":")
        if not colon:
            return cls(name)
        what, _, value = option.partition("=")
        if what != "updates" or not value.isascii() or not value.isdecimal() or int(value) > MOST_UPDATES:
            raise InputError(
                f"'{option}' is no option of the engine '{name}'; write {name}:updates=N with N from 0 to"
                f" {MOST_UPDATES}, or {name} alone"
            )
        return cls(name, int(value))
