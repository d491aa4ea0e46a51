"""Copies what runs inside an editing program to where that program looks for it, and takes it away again."""

from __future__ import annotations

import errno
import io
import json
import os
import secrets
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cleanplate_plugin.errors import PluginError

HostName = Literal["resolve", "premiere"]

MENU_NAME = "Cleanplate"
"""Of the submenu under Resolve's Workspace > Scripts."""
CCX_NAME = "cleanplate-premiere.ccx"

_HEADER = "-- Cleanplate: made by `cleanplate-plugin install resolve`; changes are lost with the next install.\n"
_PANEL_FILES = ("manifest.json", "index.html", "panel.css", "bundle.js")
_PANEL_FOLDERS = ("icons",)
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file, so that the same panel is the same package."""


class InstallError(PluginError):
    """Something cannot be copied, or is not there to be copied."""

    reason = "INSTALL"


@dataclass(frozen=True)
class System:
    """The system that is installed on.

    Args:
        platform: as ``sys.platform``.
        environment: variables.
        home: of the person.
        root: ``/``, from which folders for all users are counted where they are not in variables.
    """

    platform: str
    environment: Mapping[str, str]
    home: Path
    root: Path = Path("/")

    def variable(self, name: str, usual: Path) -> Path:
        """A folder by its variable."""
        return Path(self.environment.get(name) or usual)


def source_folder(host: HostName) -> Path:
    """What is copied: in the installed package, or in a checkout.

    Raises:
        InstallError: in neither.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "files" / host, package.parent / host):
        if folder.is_dir():
            return folder
    raise InstallError(f"this installation lacks its files for {host}; install Cleanplate anew")


def scripts_folder(system: System, *, for_all_users: bool) -> Path:
    """Resolve's folder for scripts of every page, under a submenu of our own."""
    maker = Path("Blackmagic Design", "DaVinci Resolve")
    if system.platform == "darwin":
        base = (system.root if for_all_users else system.home) / "Library" / "Application Support" / maker
    elif system.platform == "win32" and for_all_users:
        base = system.variable("PROGRAMDATA", Path(r"C:\ProgramData")) / maker
    elif system.platform == "win32":
        base = system.variable("APPDATA", system.home / "AppData" / "Roaming") / maker / "Support"
    elif for_all_users:
        usual = system.root / "opt" / "resolve"
        base = usual if usual.is_dir() else system.root / "home" / "resolve"
    else:
        base = system.home / ".local" / "share" / "DaVinciResolve"
    return base / "Fusion" / "Scripts" / "Utility" / MENU_NAME


def menu_scripts(source: Path, state_folder: Path | None) -> dict[str, str]:
    """Resolve's menu items by file name, each one file that holds all it needs.

    Resolve lists every script below its folder as a menu item, so modules of their own would be items too.

    Args:
        source: of ``source_folder``.
        state_folder: of the server; None lets the script look in the usual place of whoever runs it.
    """
    folder = _lua_text(str(state_folder)) if state_folder else '""'
    modules = [_preload("cleanplate_config", f"return {{ state_folder = {folder} }}\n")]
    for file in sorted((source / "cleanplate").glob("*.lua")):
        modules.append(_preload(f"cleanplate.{file.stem}", file.read_text(encoding="utf-8")))
    return {
        file.name: _HEADER + "".join(modules) + file.read_text(encoding="utf-8")
        for file in sorted(source.glob("*.lua"))
    }


def install_resolve(
    system: System, state_folder: Path, *, for_all_users: bool = False, dry_run: bool = False
) -> tuple[Path, ...]:  # fmt: skip
    """Writes the menu items; those of an older version go.

    Args:
        system: that is installed on.
        state_folder: of the server.
        for_all_users: into the folder of all users; each finds the state folder of their own.
        dry_run: only tells.

    Returns:
        The files that are, or would be, there.

    Raises:
        InstallError: a folder cannot be written.
    """
    folder = scripts_folder(system, for_all_users=for_all_users)
    scripts = menu_scripts(source_folder("resolve"), None if for_all_users else state_folder)
    files = {folder / name: text.encode() for name, text in scripts.items()}
    if not dry_run:
        _write_all(files)
        _remove_files([file for file in _our_scripts(folder) if file not in files])
    return tuple(files)


def uninstall_resolve(system: System, *, for_all_users: bool = False, dry_run: bool = False) -> tuple[Path, ...]:
    """Takes our menu items away, and nothing else.

    Returns:
        The files that went, or would go.

    Raises:
        InstallError: a file cannot be removed.
    """
    folder = scripts_folder(system, for_all_users=for_all_users)
    files = _our_scripts(folder)
    if not dry_run:
        _remove_files(files)
        _remove_empty(folder)
    return tuple(files)


def pack_premiere(folder: Path, *, dry_run: bool = False) -> Path:
    """Writes the panel as a package that Adobe's installer takes.

    Adobe keeps a register of panels, so copying one into place is not enough.

    Args:
        folder: where the package goes.
        dry_run: only tells.

    Returns:
        The package.

    Raises:
        InstallError: it cannot be written, or files of the panel are missing.
    """
    package = folder / CCX_NAME
    if not dry_run:
        _write_all({package: _zipped(source_folder("premiere"))})
    return package


def remove_premiere(folder: Path, *, dry_run: bool = False) -> tuple[Path, ...]:
    """Takes the package away; what Adobe's installer made of it, that must remove.

    Raises:
        InstallError: it cannot be removed.
    """
    files = tuple(file for file in (folder / CCX_NAME,) if file.is_file())
    if not dry_run:
        _remove_files(files)
    return files


def _lua_text(text: str) -> str:
    """Text as Lua reads it; bytes that are not plain letters by number, so that no file encoding matters."""
    plain = (f"\\{byte:03d}" if byte < 32 or byte > 126 or byte in b'"\\' else chr(byte) for byte in text.encode())
    return f'"{"".join(plain)}"'


def _preload(name: str, text: str) -> str:
    # Some versions keep what was loaded from one run to the next, and would go on with an older module.
    return f'package.loaded["{name}"] = nil\npackage.preload["{name}"] = function(...)\n{text}end\n'


def _zipped(source: Path) -> bytes:
    files = [source / name for name in _PANEL_FILES]
    files += [file for name in _PANEL_FOLDERS for file in sorted((source / name).rglob("*")) if file.is_file()]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise InstallError(f"the panel lacks {', '.join(missing)} in {source}; install Cleanplate anew")
    json.loads((source / "manifest.json").read_text(encoding="utf-8"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.writestr(zipfile.ZipInfo(file.relative_to(source).as_posix(), _ZIP_DATE), file.read_bytes())
    return packed.getvalue()


def _our_scripts(folder: Path) -> list[Path]:
    try:
        return [file for file in sorted(folder.glob("*.lua")) if _is_ours(file)]
    except OSError as error:
        raise _refused(folder, error) from error


def _is_ours(file: Path) -> bool:
    with file.open(encoding="utf-8", errors="replace") as text:
        return text.readline().startswith("-- Cleanplate:")


def _write_all(files: Mapping[Path, bytes]) -> None:
    """Writes every file beside its target first, so that a failure leaves the old ones whole."""
    written: list[tuple[Path, Path]] = []
    target = Path()
    try:
        for target, content in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
            written.append((partial, target))
            partial.write_bytes(content)
        for partial, target in written:
            os.replace(partial, target)  # noqa: PTH105  # as atomic as the system can
    except OSError as error:
        raise _refused(target, error) from error
    finally:
        for partial, _ in written:
            partial.unlink(missing_ok=True)


def _remove_files(files: Sequence[Path]) -> None:
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise _refused(file, error) from error


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _refused(path: Path, error: OSError) -> InstallError:
    is_forbidden = error.errno in (errno.EPERM, errno.EACCES, errno.EROFS)
    remedy = "run this as an administrator, or leave --for-all-users out" if is_forbidden else "make room there"
    return InstallError(f"{path} cannot be changed ({error.strerror}); {remedy}")
