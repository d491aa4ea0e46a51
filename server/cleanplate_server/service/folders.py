"""The folders that the server may read and write, and the check that every path of a request goes through."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cleanplate_server.errors import AccessError, InputError
from cleanplate_server.messages.paths import PathRole


class AllowedFolders:
    """Admits paths below some folders.

    Args:
        folders: absolute.
        own: of the server itself, for what sessions hand to jobs; admitted, and not told to anybody.
    """

    def __init__(self, folders: Sequence[Path], *, own: Path | None = None) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._own = own.resolve() if own else None

    def admit(self, path: Path, role: PathRole) -> Path:
        """Gives the path with links and ``..`` followed, so that what was checked is what is used.

        Raises:
            AccessError: it lies outside.
            InputError: its links go in a circle.
        """
        try:
            real = path.resolve()
        except (OSError, RuntimeError) as error:
            raise InputError(f"the path of the {role} {path} cannot be followed ({error}); give another") from error
        if any(real.is_relative_to(folder) for folder in (*self._folders, *([self._own] if self._own else ()))):
            return real
        led = "" if real == path else f" (it leads to {real})"
        allowed = ", ".join(str(folder) for folder in self._folders)
        raise AccessError(
            f"the {role} {path}{led} is outside the folders that this server may use, {allowed};"
            f" add {real.parent} to the setting allowed_folders and start the server again",
            reason="OUTSIDE_ALLOWED_FOLDERS",
            metadata={"path": str(path), "folder": str(real.parent), "setting": "allowed_folders"},
        )
