"""``doctor``: whether everything is here that work needs, and what to do where it is not."""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import av
import click
from cleanplate_plugin.client import Client, ClientError

from cleanplate_server.cli.operations import voice_options
from cleanplate_server.cli.report import Report, readable_bytes
from cleanplate_server.cli.sessions import Place
from cleanplate_server.config import Settings, memory_size
from cleanplate_server.models.registry import EnginePlace, Registry
from cleanplate_server.stages.codecs import ENCODERS

_PACKAGES = ("av", "click", "grpcio", "numpy", "opencv-python-headless", "opentimelineio", "protobuf", "rich", "torch")
_IMPORTED = {
    "torchvision": "torchvision",
    "scenedetect-headless": "scenedetect",
    "segment-anything": "segment_anything",
}
_DECODERS = ("prores", "dnxhd", "ffv1", "h264", "hevc", "png", "exr", "dpx", "tiff", "mjpeg")
_OPTIONAL_KINDS = {"name-finder": "none, so --name cannot be used; `cleanplate weights pull maskrcnn-v2` gets one"}
"""What to say where there is none of a kind, which work can do without."""
_LEAST_MEMORY_BYTES = 4 << 30
_LEAST_DISK_BYTES = 2 << 30
_PYTHONS = ((3, 10), (3, 13))


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Args:
        subject: what was looked at.
        ok: whether work can go on with it.
        detail: version, amount or state; what to do where it is not ok.
    """

    subject: str
    ok: bool
    detail: str


@click.command(params=voice_options())
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Check Python, packages, codecs, memory, disk, state folder and server."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    findings = list(examine(ctx.ensure_object(Place).settings()))
    for finding in findings:
        if as_json:
            report.json(asdict(finding))
        else:
            report.result(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.subject:<22}  {finding.detail}")
    if not all(finding.ok for finding in findings):
        raise click.ClickException("something that is needed is missing; the lines marked FAIL say what to do")


def examine(settings: Settings) -> Iterator[Finding]:
    """Looks at everything, one finding after the other."""
    yield _python()
    for package in _PACKAGES:
        yield _package(package)
    for package, module in _IMPORTED.items():
        yield _importable(package, module)
    yield from _media()
    yield _accelerator()
    yield from _engines(settings)
    yield _memory(settings)
    yield from _folders(settings)
    yield _server(settings)


def _python() -> Finding:
    found = sys.version_info[:2]
    detail = ".".join(map(str, sys.version_info[:3]))
    if _PYTHONS[0] <= found <= _PYTHONS[1]:
        return Finding("python", True, detail)
    return Finding("python", False, f"{detail}; install one of 3.10 to 3.13")


def _package(package: str) -> Finding:
    try:
        return Finding(package, True, version(package))
    except PackageNotFoundError:
        return Finding(package, False, f"not installed; run `pip install {package}`")


def _importable(package: str, module: str) -> Finding:
    """Some packages are there and do not work: torchvision beside a torch of another build, for one."""
    try:
        importlib.import_module(module)
        return Finding(package, True, version(package))
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        return Finding(package, False, f"cannot be imported ({reason}); run `pip install --force-reinstall {package}`")


def _media() -> Iterator[Finding]:
    libraries = ", ".join(
        f"{name} {'.'.join(map(str, number))}"
        for name, number in sorted(av.library_versions.items())
        if name in ("libavcodec", "libavformat")
    )
    yield Finding("FFmpeg in PyAV", True, libraries)
    names = {name: encoder.name for name, encoder in ENCODERS.items()}
    yield _codecs("encoders", names, lambda name: _has_codec(name, "w"))
    yield _codecs("decoders", {name: name for name in _DECODERS}, lambda name: _has_codec(name, "r"))


def _has_codec(name: str, mode: str) -> bool:
    try:
        av.Codec(name, "w" if mode == "w" else "r")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _codecs(subject: str, names: dict[str, str], has: Callable[[str], bool]) -> Finding:
    missing = [name for name, codec in names.items() if not has(codec)]
    if missing:
        return Finding(subject, False, f"without {', '.join(missing)}; run `pip install --force-reinstall av`")
    return Finding(subject, True, ", ".join(names))


def _accelerator() -> Finding:
    import torch  # takes seconds, which every other command would pay

    if not torch.cuda.is_available():
        return Finding("accelerator", True, "none; the embedded engines run on the CPU")
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return Finding("accelerator", True, ", ".join(f"cuda:{number} {name}" for number, name in enumerate(names)))


def _engines(settings: Settings) -> Iterator[Finding]:
    engines = Registry(EnginePlace(settings.weights_folder, settings.device)).engines()
    for kind in dict.fromkeys(status.kind for status in engines):
        able = [status.info.name for status in engines if status.kind == kind and status.available]
        optional = kind in _OPTIONAL_KINDS
        absent = _OPTIONAL_KINDS.get(kind, "none can run; see `cleanplate models`")
        yield Finding(kind, bool(able) or optional, ", ".join(able) or absent)


def _memory(settings: Settings) -> Finding:
    total = memory_size()
    detail = f"{readable_bytes(total)}, of which work may use {readable_bytes(settings.memory_bytes)}"
    if total < _LEAST_MEMORY_BYTES:
        return Finding("memory", False, f"{detail}; {readable_bytes(_LEAST_MEMORY_BYTES)} are needed")
    return Finding("memory", True, detail)


def _folders(settings: Settings) -> Iterator[Finding]:
    folder = settings.state_folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            yield Finding("state folder", True, str(folder))
    except OSError as error:
        reason = f"{folder} cannot be written ({error.strerror}); give another with --state-folder"
        yield Finding("state folder", False, reason)
    free = shutil.disk_usage(_existing(folder)).free
    remedy = "" if free >= _LEAST_DISK_BYTES else f"; make room, {readable_bytes(_LEAST_DISK_BYTES)} are needed"
    yield Finding("disk", free >= _LEAST_DISK_BYTES, f"{readable_bytes(free)} free{remedy}")


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _server(settings: Settings) -> Finding:
    try:
        with Client.discover(settings.state_folder) as client:
            return Finding("server", True, f"runs at {client.address}")
    except ClientError:
        return Finding("server", True, "none is running; commands start their own")
