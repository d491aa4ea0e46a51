"""Paths of the wire, and who lets them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from cleanplate_server.errors import InputError

PathRole = Literal["media", "mask", "masks", "clean plate", "output", "maps"]
"""What a path in a message is for."""
Admit = Callable[[Path, PathRole], Path]
"""Takes each path of a message before it is used; gives the path to use, or raises."""


def absolute_path(text: str, role: PathRole) -> Path:
    """A path of the wire.

    Raises:
        InputError: empty, relative, or not a path.
    """
    if not text or "\0" in text or not Path(text).is_absolute():
        raise InputError(
            f"the path of the {role} is {text!r}; give an absolute path",
            reason="INVALID_PATH",
            metadata={"path": text, "role": role},
        )
    return Path(text)
