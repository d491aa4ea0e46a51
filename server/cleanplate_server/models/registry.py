"""Which engines there are, which can run here, and which one is taken for a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from cleanplate_server.errors import EngineError, NotFoundError
from cleanplate_server.models.embedded.inpainter import PlateInpainter
from cleanplate_server.models.embedded.matter import GuidedMatter
from cleanplate_server.models.embedded.propagator import FlowPropagator
from cleanplate_server.models.embedded.segmenter import GrabCutSegmenter
from cleanplate_server.models.protocols import (
    Effort,
    EngineInfo,
    EngineKind,
    Inpainter,
    Matter,
    Propagator,
    Segmenter,
)


class _Engine(Protocol):
    @property
    def info(self) -> EngineInfo: ...


E = TypeVar("E", bound=_Engine)


@dataclass(frozen=True)
class EngineStatus:
    """One engine and whether it can run here.

    Args:
        kind: what it does.
        info: name, licence, weights.
        available: whether it can run now.
        reason: one sentence that says why not; empty when it can.
        device: where it would run, ``cpu`` or ``cuda:0``.
    """

    kind: EngineKind
    info: EngineInfo
    available: bool
    reason: str = ""
    device: str = "cpu"


@dataclass(frozen=True)
class _Entry(Generic[E]):
    """An engine that can be built."""

    build: Callable[[Effort], E]

    @property
    def info(self) -> EngineInfo:
        return self.build("balanced").info


class Registry:
    """The engines of this machine, the preferred one of each kind first."""

    def __init__(self) -> None:
        self._segmenters: list[_Entry[Segmenter]] = [_Entry(lambda effort: GrabCutSegmenter())]
        self._propagators: list[_Entry[Propagator]] = [_Entry(lambda effort: FlowPropagator(effort=effort))]
        self._inpainters: list[_Entry[Inpainter]] = [_Entry(lambda effort: PlateInpainter(effort=effort))]
        self._matters: list[_Entry[Matter]] = [_Entry(lambda effort: GuidedMatter())]

    def engines(self) -> list[EngineStatus]:
        """Every engine, by kind."""
        kinds: list[tuple[EngineKind, list[EngineInfo]]] = [
            ("segmenter", [entry.info for entry in self._segmenters]),
            ("propagator", [entry.info for entry in self._propagators]),
            ("inpainter", [entry.info for entry in self._inpainters]),
            ("matter", [entry.info for entry in self._matters]),
        ]
        return [EngineStatus(kind, info, available=True) for kind, infos in kinds for info in infos]

    def check(self, kind: EngineKind, name: str) -> None:
        """Refuses an engine that is not known or cannot run.

        Raises:
            NotFoundError, EngineError.
        """
        known = [status for status in self.engines() if status.kind == kind]
        chosen = [status for status in known if status.info.name == name]
        if not chosen:
            names = ", ".join(status.info.name for status in known)
            raise NotFoundError(f"there is no {kind} named '{name}'; choose one of: {names}", reason="NO_SUCH_ENGINE")
        if not chosen[0].available:
            raise EngineError(f"the {kind} '{name}' cannot run here: {chosen[0].reason}")

    def segmenter(self, name: str = "", effort: Effort = "balanced") -> Segmenter:
        """The named segmenter, or the preferred one."""
        return self._pick("segmenter", self._segmenters, name, effort)

    def propagator(self, name: str = "", effort: Effort = "balanced") -> Propagator:
        """The named propagator, or the preferred one."""
        return self._pick("propagator", self._propagators, name, effort)

    def inpainter(self, name: str = "", effort: Effort = "balanced") -> Inpainter:
        """The named inpainter, or the preferred one."""
        return self._pick("inpainter", self._inpainters, name, effort)

    def matter(self, name: str = "", effort: Effort = "balanced") -> Matter:
        """The named matter, or the preferred one."""
        return self._pick("matter", self._matters, name, effort)

    def _pick(self, kind: EngineKind, entries: list[_Entry[E]], name: str, effort: Effort) -> E:
        if name:
            self.check(kind, name)
        for entry in entries:
            if not name or entry.info.name == name:
                return entry.build(effort)
        raise EngineError(f"no {kind} can run here; see `cleanplate models`")
