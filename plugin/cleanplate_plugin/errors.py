"""What may go wrong on the plug-in's side, as a tree; a failed call on the server is ``client.ClientError``.

::

    PluginError
    ├── TimelineError               the edit cannot be read or written, or has no such clip
    │   ├── UnsupportedClipError    this clip cannot be cleaned where it stands: gap, title, compound, ramp, offline
    │   └── StaleClipError          the clip is no longer what it was when the job began
    └── HostError                   the host refused, or did something else than it was asked to

A message is one sentence: what is wrong, with the values, and what to do.
"""

from __future__ import annotations


class PluginError(Exception):
    """Base of the tree.

    Args:
        sentence: what is wrong, the values, the remedy; fit for a person.
    """

    reason = "PLUGIN_ERROR"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class TimelineError(PluginError):
    """An edit cannot be read or written, or has no such clip."""

    reason = "TIMELINE"


class UnsupportedClipError(TimelineError):
    """A clip cannot be cleaned where it stands: a gap, a title, a compound, a speed ramp, media that is not there."""

    reason = "UNSUPPORTED_CLIP"


class StaleClipError(TimelineError):
    """The clip is no longer what it was when the job began, so nothing was placed."""

    reason = "STALE_CLIP"


class HostError(PluginError):
    """The host refused a call, or its answer read back is not what was asked for."""

    reason = "HOST"
