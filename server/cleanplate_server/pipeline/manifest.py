"""The record beside every take: what was done, by which engines under which licences, from which prompts."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from cleanplate_server.clip import ClipRange
from cleanplate_server.pipeline.spec import EngineUse, JobSpec

_PACKAGES = ("cleanplate", "numpy", "opencv-python-headless", "av", "torch")


def manifest_path(media_path: Path) -> Path:
    """Beside the media: ``shot.mov`` has ``shot.mov.cleanplate.json``; a sequence, its folder's."""
    base = media_path.parent if "%" in media_path.name else media_path
    return base.with_name(f"{base.name}.cleanplate.json")


def write_manifest(
    path: Path, spec: JobSpec, clip: ClipRange, engines: tuple[EngineUse, ...], *,
    notes: tuple[str, ...], codec: str, unseen: tuple[float | None, Path | None],
) -> None:  # fmt: skip
    """Writes the manifest as JSON, beside its place and renamed.

    Args:
        unseen: share of the hole pixels that no frame shows, and the folder of the maps of it.
    """
    operation = asdict(spec.operation)
    for prompt in operation.get("prompts", ()):
        prompt["mask"] = "given" if prompt["mask"] is not None else None
    document = {
        "cleanplate": version("cleanplate"),
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {"system": platform.platform(), "python": platform.python_version(), "packages": _versions()},
        "source": {
            "path": str(clip.media.path),
            "start_frame": clip.frames.start,
            "frame_count": len(clip.frames),
            "handle_count": clip.handle_frames,
            "frame_rate": str(clip.media.rate),
        },
        "operation": {"kind": type(spec.operation).__name__.removesuffix("Operation").lower(), **operation},
        "effort": spec.effort,
        "delivery": spec.output.delivery,
        "codec": codec,
        "engines": [{"kind": use.kind, **asdict(use.info)} for use in engines],
        "unseen": {"share": unseen[0], "maps": unseen[1]},
        "notes": list(notes),
    }
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8")
    partial.replace(path)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _PACKAGES}
