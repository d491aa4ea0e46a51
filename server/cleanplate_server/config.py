"""Settings: flags over ``CLEANPLATE_*`` over the TOML file over defaults; nothing else reads those."""

from __future__ import annotations

import ctypes
import dataclasses
import difflib
import ipaddress
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from cleanplate_server.errors import InputError, NotFoundError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FlagValue = str | int | bool | Path | Sequence[str] | Sequence[Path] | None
"""What a flag may hold; None says that it was not given."""

_PREFIX = "CLEANPLATE_"
_CONFIG_KEY = "config"
_MEMORY_SHARE = 0.75
_LOG_LEVELS = ("debug", "info", "warning", "error")
_DEVICE = re.compile(r"auto|cpu|cuda:\d+")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_OFF = "off"
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True)
class Settings:
    """Everything about a server that a person may choose.

    Args:
        state_folder: jobs, finished windows, token and address of the running server.
        weights_folder: downloaded weights.
        host: loopback address that the server listens on.
        port: 0 takes a free one.
        gateway_port: of the HTTP gateway: ``47811``, a range to try in order such as ``47810-47819``, 0 for any free
            one, or ``off``.
        allowed_folders: the server reads and writes media below these alone.
        memory_bytes: host memory that work may use.
        device: ``auto``, ``cpu`` or ``cuda:N``.
        log_level: ``debug``, ``info``, ``warning`` or ``error``.
        resume_interrupted: whether a starting server goes on with the jobs that a killed one left.
        keep_days: after so many days the finished windows of failed and cancelled jobs are deleted.
    """

    state_folder: Path
    weights_folder: Path
    host: str
    port: int
    gateway_port: str
    allowed_folders: tuple[Path, ...]
    memory_bytes: int
    device: str
    log_level: str
    resume_interrupted: bool
    keep_days: int

    @classmethod
    def load(
        cls, flags: Mapping[str, FlagValue] | None = None, *, environment: Mapping[str, str] | None = None
    ) -> Settings:
        """Gathers the settings.

        Args:
            flags: by the names of the fields, and ``config`` for the TOML file; None is not given.
            environment: variables; the process's own by default.

        Raises:
            InputError: an unknown key or a value that cannot be used; says where it stands.
            NotFoundError: a TOML file that was named is not there.
        """
        given = {name: value for name, value in (flags or {}).items() if value is not None}
        variables = _from_environment(os.environ if environment is None else environment)
        file = given.pop(_CONFIG_KEY, None) or variables.pop(_CONFIG_KEY, None)
        values = _from_file(Path(str(file)) if file else None)
        values |= {name: _Value(text, f"variable {_PREFIX}{name.upper()}") for name, text in variables.items()}
        values |= {name: _Value(value, f"flag --{name.replace('_', '-')}") for name, value in given.items()}
        return cls._build(values)

    @property
    def gateway_ports(self) -> range:
        """Ports that the gateway tries in order; none when it is off."""
        if self.gateway_port == _OFF:
            return range(0)
        first, _, last = self.gateway_port.partition("-")
        return range(int(first), int(last or first) + 1)

    def to_json(self) -> str:
        """One line that ``from_json`` reads, for a worker process."""
        return json.dumps(dataclasses.asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Reads what ``to_json`` gave."""
        return cls._build({name: _Value(value, "settings handed over") for name, value in json.loads(text).items()})

    @classmethod
    def _build(cls, values: Mapping[str, _Value]) -> Settings:
        _refuse_unknown(values)
        state = platformdirs.user_state_path("cleanplate", appauthor=False)
        weights = platformdirs.user_data_path("cleanplate", appauthor=False) / "weights"
        default = _Value
        return cls(
            state_folder=values.get("state_folder", default(state)).folder("state_folder"),
            weights_folder=values.get("weights_folder", default(weights)).folder("weights_folder"),
            host=values.get("host", default("127.0.0.1")).loopback("host"),
            port=values.get("port", default(0)).integer("port", 0, 65535),
            gateway_port=values.get("gateway_port", default("47810-47819")).ports("gateway_port"),
            allowed_folders=values.get("allowed_folders", default([Path.home()])).folders("allowed_folders"),
            memory_bytes=values.get("memory_bytes", default(int(memory_size() * _MEMORY_SHARE))).size("memory_bytes"),
            device=values.get("device", default("auto")).device("device"),
            log_level=values.get("log_level", default("info")).one_of("log_level", _LOG_LEVELS),
            resume_interrupted=values.get("resume_interrupted", default(True)).truth("resume_interrupted"),
            keep_days=values.get("keep_days", default(30)).integer("keep_days", 0, 36500),
        )


@dataclass(frozen=True)
class _Value:
    """A raw value and where it was given, so that a complaint can say so."""

    raw: object
    origin: str = "default"

    def refuse(self, name: str, remedy: str) -> InputError:
        return InputError(
            f"{name} = {self.raw!r} ({self.origin}) cannot be used; {remedy}",
            reason="INVALID_SETTING",
            metadata={"setting": name, "value": str(self.raw)},
        )

    def folder(self, name: str) -> Path:
        if not isinstance(self.raw, str | Path) or not str(self.raw):
            raise self.refuse(name, "give the path of a folder")
        return Path(self.raw).expanduser().absolute()

    def folders(self, name: str) -> tuple[Path, ...]:
        raw = self.raw.split(os.pathsep) if isinstance(self.raw, str) else self.raw
        if not isinstance(raw, list | tuple) or not raw:
            raise self.refuse(name, f"give one or more folders ('{os.pathsep}' between them in a variable)")
        return tuple(_Value(item, self.origin).folder(name) for item in raw)

    def integer(self, name: str, least: int, most: int) -> int:
        raw = int(self.raw) if isinstance(self.raw, str) and re.fullmatch(r"-?\d{1,18}", self.raw) else self.raw
        if not isinstance(raw, int) or isinstance(raw, bool) or not least <= raw <= most:
            raise self.refuse(name, f"give a whole number from {least} to {most}")
        return raw

    def ports(self, name: str) -> str:
        text = _OFF if self.raw is False else str(self.raw).lower()
        found = _PORTS.fullmatch(text)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, -1)
        if text != _OFF and not (first <= last <= 65535 and (first or not last)):
            raise self.refuse(
                name, "give a port such as 47811, a range such as 47810-47819, 0 for any free one, or off"
            )
        return text

    def size(self, name: str) -> int:
        found = _SIZE.fullmatch(self.raw.strip()) if isinstance(self.raw, str) else None
        if found:
            power = " kmgt".index(found[2].lower() or " ")
            value = int(float(found[1]) * (1024 if found[3] else 1000) ** power)
        else:
            value = self.raw if isinstance(self.raw, int) and not isinstance(self.raw, bool) else 0
        if value <= 0:
            raise self.refuse(name, "give bytes, such as 8589934592 or 8GiB")
        return value

    def truth(self, name: str) -> bool:
        if isinstance(self.raw, bool):
            return self.raw
        text = str(self.raw).lower()
        if text not in _TRUE + _FALSE:
            raise self.refuse(name, "give true or false")
        return text in _TRUE

    def one_of(self, name: str, choices: Sequence[str]) -> str:
        text = str(self.raw).lower()
        if text not in choices:
            raise self.refuse(name, f"give one of {', '.join(choices)}")
        return text

    def device(self, name: str) -> str:
        text = str(self.raw).lower()
        if not _DEVICE.fullmatch(text):
            raise self.refuse(name, "give auto, cpu or cuda:0")
        return text

    def loopback(self, name: str) -> str:
        """Only the machine itself may reach the server, so other addresses are no choice."""
        text = "127.0.0.1" if self.raw == "localhost" else str(self.raw)
        try:
            allowed = ipaddress.ip_address(text).is_loopback
        except ValueError:
            allowed = False
        if not allowed:
            raise self.refuse(name, "the server listens on this machine alone: give 127.0.0.1 or ::1")
        return text


def memory_size() -> int:
    """Physical memory in bytes, or the container's limit where that is lower."""
    if sys.platform == "win32":
        return _windows_memory_size()
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(physical, int(text)) if text.isdigit() else physical


def _windows_memory_size() -> int:
    class MemoryStatus(ctypes.Structure):
        _fields_ = (("length", ctypes.c_uint32), ("load", ctypes.c_uint32), ("sizes", ctypes.c_uint64 * 7))

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    ctypes.CDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.sizes[0])


def _field_names() -> list[str]:
    return [field.name for field in dataclasses.fields(Settings)]


def _refuse_unknown(values: Mapping[str, _Value]) -> None:
    for name, value in values.items():
        if name not in _field_names():
            raise InputError(
                f"there is no setting '{name}' ({value.origin}); {_nearest(name)}",
                reason="UNKNOWN_SETTING",
                metadata={"setting": name},
            )


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, _field_names(), n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"the settings are {', '.join(_field_names())}"


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found = {name: text for name, text in environment.items() if name.startswith(_PREFIX)}
    return {name[len(_PREFIX) :].lower(): text for name, text in found.items()}


def _from_file(named: Path | None) -> dict[str, _Value]:
    file = named or platformdirs.user_config_path("cleanplate", appauthor=False) / "config.toml"
    if not file.is_file():
        if named:
            raise NotFoundError(f"the settings file {named} is not there; correct its path or leave it out")
        return {}
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"the settings file {file} is not TOML ({error}); correct it", reason="BAD_TOML") from error
    return {name: _Value(value, f"file {file}") for name, value in table.items()}
