"""Errors as rich statuses: for a caller of the service, and for a failed job's row."""

from __future__ import annotations

import errno

from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from cleanplate_server.errors import (
    AccessError,
    CleanplateError,
    InputError,
    JobCancelledError,
    NotFoundError,
    OutputError,
    StateError,
    UnavailableError,
)

ERROR_DOMAIN = "cleanplate"

_CODES: tuple[tuple[type[CleanplateError], int], ...] = (
    (InputError, code_pb2.INVALID_ARGUMENT),
    (NotFoundError, code_pb2.NOT_FOUND),
    (AccessError, code_pb2.PERMISSION_DENIED),
    (StateError, code_pb2.FAILED_PRECONDITION),
    (UnavailableError, code_pb2.UNAVAILABLE),
    (JobCancelledError, code_pb2.CANCELLED),
)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def error_status(error: CleanplateError) -> status_pb2.Status:
    """An error as a rich status: code, sentence, one ErrorInfo."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), code_pb2.INTERNAL)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata)
    detail = any_pb2.Any()
    detail.Pack(info)
    return status_pb2.Status(code=code, message=error.message, details=[detail])


def system_error(error: OSError) -> CleanplateError:
    """What the system said of a file, as a sentence with a remedy."""
    place = f"'{error.filename}'" if error.filename else "a file"
    values = {"path": str(error.filename or "")}
    if error.errno in _FULL:
        return OutputError(
            f"the disk is full at {place}; free some space and try again", reason="DISK_FULL", metadata=values
        )
    if error.errno in _REFUSED:
        return AccessError(f"there is no permission for {place}; allow it and try again", metadata=values)
    if error.errno == errno.ENOENT:
        return NotFoundError(f"{place} is not there; put it back and try again", metadata=values)
    return OutputError(f"the system refused {place} ({error.strerror}); correct that and try again", metadata=values)
