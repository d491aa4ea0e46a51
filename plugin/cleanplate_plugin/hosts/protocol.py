"""What Cleanplate asks of an editing program, and the shot that one of them stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cleanplate_plugin.timeline import Span, Take, Use

HANDLE_FRAMES = 12
"""Spare frames on each side of a take, so that an editor can slip or dissolve it a little."""


@dataclass(frozen=True)
class HostShot:
    """The clip under the playhead.

    Args:
        host: ``resolve`` or ``premiere``.
        use: the clip, neutral; ``use.place`` is the host's own id of the item.
        part: what of it is meant, record frames from its start; None is all (no in and out point within it).
        playhead: record frames from the clip's start.
        fingerprint: changes when the clip is edited: compared before a take is placed.
    """

    host: str
    use: Use
    part: Span | None
    playhead: int
    fingerprint: str

    @property
    def needed(self) -> Span:
        """The file's frames that a take must hold, without spare ones."""
        return self.use.source_span(self.part)

    @property
    def prompt_frame(self) -> int:
        """The file's frame under the playhead."""
        return self.use.source_frame(self.playhead)


class Host(Protocol):
    """An editing program that runs, driven from our own process."""

    @property
    def name(self) -> str:
        """``resolve`` or ``premiere``."""

    def current_shot(self) -> HostShot:
        """What the playhead stands on.

        Raises:
            UnsupportedClipError: a gap, a title, a compound, a ramp, media that is not there.
            HostError: no project, no timeline, the host does not answer.
        """

    def place(self, shot: HostShot, take: Take) -> str:
        """Puts a take into the shot's place, reads it back, and undoes everything when it is not what was meant.

        Returns:
            One sentence: what was done, and how to go back.

        Raises:
            StaleClipError: the clip was edited since; nothing was touched.
            HostError: the host refused or did something else; the timeline is as it was.
        """

    def restore(self) -> str:
        """Shows the original again in the clip under the playhead.

        Returns:
            One sentence: what was done.

        Raises:
            HostError: there is no take of ours, or the host refused.
        """

    def tell(self, message: str) -> None:
        """Shows a message to the person."""
