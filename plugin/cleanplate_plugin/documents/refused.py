"""What reading one clip of a timeline file stumbles over; its document makes a ``Refusal`` of it."""

from __future__ import annotations


class Refused(Exception):
    """Why a clip cannot be cleaned where it stands.

    Args:
        reason: the rest of a sentence that begins with the clip's name.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
