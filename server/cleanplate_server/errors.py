"""Every error that a person may meet, as a tree.

::

    CleanplateError
    ├── InputError            (ValueError)          the request can never work as it stands
    │   ├── RangeError                              in, out, handles, frame numbers
    │   ├── PromptError                             clicks, boxes, strokes, names
    │   └── MaskError                               size, count, emptiness
    ├── NotFoundError         (FileNotFoundError)   a file, a job, an engine that is not there
    ├── AccessError           (PermissionError)     outside the allowed folders, no permission, wrong token
    ├── StateError            (RuntimeError)        right request, wrong moment
    │   ├── MediaError                              the file is there but cannot be read as media
    │   ├── OutputError                             the target cannot be written (exists, disk full)
    │   ├── EngineError                             no engine of a kind can run here
    │   │   └── DeviceMemoryError                   a device's memory is too small for an engine at this size
    │   └── ServerBusyError                         another server holds the state folder
    ├── UnavailableError      (ConnectionError)     no server answers
    └── JobCancelledError                           somebody asked to stop

A message is one sentence: what is wrong, with the values, and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping


class CleanplateError(Exception):
    """Base of the tree.

    Args:
        message: one sentence: what is wrong, the values, the remedy.
        reason: UPPER_SNAKE_CASE name for programs; the class's own when empty.
        metadata: the values named in the message, for programs.
    """

    reason = "INTERNAL"

    def __init__(self, message: str, *, reason: str = "", metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.metadata = dict(metadata or {})

    def __str__(self) -> str:
        return self.message


class InputError(CleanplateError, ValueError):
    """The request can never work as it stands."""

    reason = "INVALID_INPUT"


class RangeError(InputError):
    """A frame number, an in or out point, or a handle does not fit the media."""

    reason = "INVALID_RANGE"


class PromptError(InputError):
    """A click, box, stroke or name cannot be used."""

    reason = "INVALID_PROMPT"


class MaskError(InputError):
    """A mask has another size or count than the frames, or holds nothing."""

    reason = "INVALID_MASK"


class NotFoundError(CleanplateError, FileNotFoundError):
    """A file, a job or an engine is not there."""

    reason = "NOT_FOUND"


class AccessError(CleanplateError, PermissionError):
    """A path outside the allowed folders, a file without permission, a wrong token."""

    reason = "PERMISSION_DENIED"


class StateError(CleanplateError, RuntimeError):
    """The request is sound, the moment or the material is not."""

    reason = "FAILED_PRECONDITION"


class MediaError(StateError):
    """The file is there but cannot be read as media, or not to its end."""

    reason = "BAD_MEDIA"


class OutputError(StateError):
    """The target cannot be written."""

    reason = "BAD_OUTPUT"


class EngineError(StateError):
    """No engine of the kind that was asked for can run here."""

    reason = "NO_ENGINE"


class DeviceMemoryError(EngineError):
    """A device's memory is too small for an engine as it works now; a smaller working size or another engine may do.

    Its sentence has what is wrong before the semicolon, and what to do behind it.
    """

    reason = "OUT_OF_DEVICE_MEMORY"

    @property
    def happened(self) -> str:
        """What is wrong, for when the remedy is taken without asking."""
        return self.message.partition(";")[0]


class ServerBusyError(StateError):
    """Another server holds the state folder."""

    reason = "STATE_FOLDER_IN_USE"


class UnavailableError(CleanplateError, ConnectionError):
    """No server answers."""

    reason = "UNAVAILABLE"


class JobCancelledError(CleanplateError):
    """Somebody asked the job to stop."""

    reason = "CANCELLED"
