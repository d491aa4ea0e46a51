"""Which engines there are, which can run here, and which one is taken for a job."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from cleanplate_server.errors import EngineError, InputError, NotFoundError
from cleanplate_server.models.embedded.inpainter import PlateInpainter
from cleanplate_server.models.embedded.matter import GuidedMatter
from cleanplate_server.models.embedded.propagator import FlowPropagator
from cleanplate_server.models.embedded.segmenter import GrabCutSegmenter
from cleanplate_server.models.engine_choice import EngineChoice
from cleanplate_server.models.lighter import YieldingSegmenter
from cleanplate_server.models.naming.words import read_words, to_english
from cleanplate_server.models.network_entries import LIGHTER_SEGMENTERS, OPEN_FINDER, E, Entry, NetworkEntries
from cleanplate_server.models.protocols import (
    Effort,
    EngineInfo,
    EngineKind,
    Inpainter,
    Matter,
    NameFinder,
    Propagator,
    Segmenter,
)
from cleanplate_server.models.weights import WeightsRow, manifest_file, read_manifest
from cleanplate_server.models.weights_store import WeightsStore, how_to_get

_NEEDS_NOTHING = "embedded"
_EXTRAS = {"names": "transformers", "sam2": "transformers"}
"""What must be importable for each extra of this package."""


@dataclass(frozen=True)
class EngineStatus:
    """One engine and whether it can run here.

    Args:
        kind: what it does.
        info: name, licence, weights.
        available: whether it can run now.
        reason: one sentence that says why not; empty when it can.
        device: where it would run, ``cpu`` or ``cuda:0``.
        weights_bytes: of the files that it loads.
    """

    kind: EngineKind
    info: EngineInfo
    available: bool
    reason: str = ""
    device: str = "cpu"
    weights_bytes: int = 0


@dataclass(frozen=True)
class EnginePlace:
    """What engines may use.

    Args:
        weights_folder: where checkpoints lie; None is none.
        device: ``auto``, ``cpu`` or ``cuda:N``.
    """

    weights_folder: Path | None = None
    device: str = "auto"


class Registry:
    """The engines of this machine, the preferred one of each kind first.

    A network comes before the embedded engine when its weights are here, a GPU can run it, and its licence allows all
    use; others are there for who asks for them by name.

    Args:
        place: weights and device.
    """

    def __init__(self, place: EnginePlace | None = None) -> None:
        self._place = place or EnginePlace()
        rows = read_manifest(manifest_file())
        folder = self._place.weights_folder
        self._store = WeightsStore(folder, rows, _layout) if folder else None
        self._networks = networks = NetworkEntries(self._store, rows)
        self._segmenters: list[Entry[Segmenter]] = [
            Entry(GrabCutSegmenter().info, lambda effort, device: GrabCutSegmenter()),
            *networks.segmenters(),
        ]
        self._propagators: list[Entry[Propagator]] = [
            Entry(FlowPropagator().info, lambda effort, device: FlowPropagator(effort=effort)),
            *networks.propagators(),
        ]
        self._inpainters: list[Entry[Inpainter]] = [
            Entry(PlateInpainter().info, lambda effort, device: PlateInpainter(effort=effort)),
            *networks.inpainters(),
        ]
        self._matters: list[Entry[Matter]] = [Entry(GuidedMatter().info, lambda effort, device: GuidedMatter())]
        self._finders: list[Entry[NameFinder]] = networks.finders()

    def engines(self) -> list[EngineStatus]:
        """Every engine, by kind, the preferred one first."""
        kinds: list[tuple[EngineKind, list[EngineStatus]]] = [
            ("segmenter", self._statuses("segmenter", self._segmenters)),
            ("propagator", self._statuses("propagator", self._propagators)),
            ("inpainter", self._statuses("inpainter", self._inpainters)),
            ("matter", self._statuses("matter", self._matters)),
            ("name-finder", self._statuses("name-finder", self._finders)),
        ]
        return [status for _, statuses in kinds for status in statuses]

    @property
    def weights(self) -> frozenset[str]:
        """Names of the weights that engines of this version load; the manifest may list more."""
        rows = [entry.rows for entry in self._segmenters] + [entry.rows for entry in self._propagators]
        rows += [entry.rows for entry in self._inpainters] + [entry.rows for entry in self._matters]
        rows += [entry.rows for entry in self._finders]
        return frozenset(row.name for own in rows for row in own)

    def check(self, kind: EngineKind, name: str) -> None:
        """Refuses an engine that is not known or cannot run, or an option that it does not have.

        Raises:
            NotFoundError, EngineError, InputError.
        """
        choice = EngineChoice.parse(name)
        known = [status for status in self.engines() if status.kind == kind]
        chosen = [status for status in known if status.info.name == choice.name]
        if not chosen:
            names = ", ".join(status.info.name for status in known)
            raise NotFoundError(
                f"there is no {kind} named '{choice.name}'; choose one of: {names}", reason="NO_SUCH_ENGINE"
            )
        trained = [entry.info for entry in self._propagators if entry.build_trained]
        if choice.updates is not None and chosen[0].info not in trained:
            raise InputError(
                f"the {kind} '{choice.name}' is not trained on your keys, so it takes no updates; write {choice.name}"
                " alone"
            )
        if not chosen[0].available:
            instead = next((status.info.name for status in known if status.available), "")
            rest = f"; '{instead}' would run instead" if instead else ""
            raise EngineError(f"the {kind} '{choice.name}' cannot run here: {chosen[0].reason}{rest}")

    def segmenter(self, name: str = "", effort: Effort = "balanced") -> Segmenter:
        """The named segmenter, or the preferred one; a network gives way to lighter ones when memory is too small."""
        if name:
            self.check("segmenter", name)
        statuses = self._statuses("segmenter", self._segmenters)
        first = self._chosen("segmenter", statuses, name).info.name
        lighter = next((names[names.index(first) + 1 :] for names in LIGHTER_SEGMENTERS if first in names), ())
        here = [status.info.name for status in statuses if status.available]
        names = [first, *(each for each in lighter if each in here)]
        if first == _NEEDS_NOTHING:
            return self._pick("segmenter", self._segmenters, first, effort)
        names.append(_NEEDS_NOTHING)
        return YieldingSegmenter([partial(self._pick, "segmenter", self._segmenters, each, effort) for each in names])

    def propagator(self, name: str = "", effort: Effort = "balanced") -> Propagator:
        """The named propagator, or the preferred one; ``name`` may say how long it learns: ``osvos:updates=200``."""
        return self._pick("propagator", self._propagators, name, effort)

    def segmenter_info(self, name: str = "") -> EngineInfo:
        """What ``segmenter`` of that name says of itself; loads nothing.

        Raises:
            NotFoundError, EngineError, InputError: as it does.
        """
        if name:
            self.check("segmenter", name)
        chosen = self._chosen("segmenter", self._statuses("segmenter", self._segmenters), name).info
        entry = next(entry for entry in self._segmenters if entry.info == chosen)
        for row in entry.rows:
            assert self._store
            self._store.usable(row)
        return self._networks.hashed(chosen, entry.rows) if entry.rows else chosen

    def status(self, kind: EngineKind, name: str = "") -> EngineStatus:
        """The named engine, or the preferred one, as it would run; loads nothing.

        Raises:
            EngineError: none can run.
        """
        choice = EngineChoice.parse(name)
        return self._chosen(kind, [status for status in self.engines() if status.kind == kind], choice.name)

    def inpainter(self, name: str = "", effort: Effort = "balanced") -> Inpainter:
        """The named inpainter, or the preferred one."""
        return self._pick("inpainter", self._inpainters, name, effort)

    def matter(self, name: str = "", effort: Effort = "balanced") -> Matter:
        """The named matter, or the preferred one."""
        return self._pick("matter", self._matters, name, effort)

    def name_finder(self, name: str = "", effort: Effort = "balanced") -> NameFinder:
        """The named name finder, or the preferred one."""
        return self._pick("name-finder", self._finders, name, effort)

    def check_words(self, words: str, name: str = "") -> None:
        """Refuses words that the named name finder, or the preferred one, cannot look for; loads nothing.

        Raises:
            NotFoundError, EngineError: no such name finder can run.
            PromptError: a name or a language that it does not know.
        """
        if name:
            self.check("name-finder", name)
        chosen = self._chosen("name-finder", self._statuses("name-finder", self._finders), name)
        check = to_english if chosen.info.name == OPEN_FINDER else read_words
        check(words)

    def _statuses(self, kind: EngineKind, entries: Sequence[Entry[E]]) -> list[EngineStatus]:
        trained = [entry.info for entry in entries if entry.build_trained]
        found = [self._status(kind, entry) for entry in entries]
        return sorted(found, key=lambda status: status.info in trained or not _comes_first(status))

    def _status(self, kind: EngineKind, entry: Entry[E]) -> EngineStatus:
        if not entry.rows:
            return EngineStatus(kind, entry.info, available=True)
        if entry.extra and importlib.util.find_spec(_EXTRAS[entry.extra]) is None:
            reason = f"{_EXTRAS[entry.extra]} is not installed; `pip install 'cleanplate[{entry.extra}]'` does it"
            return EngineStatus(kind, entry.info, available=False, reason=reason)
        absent = [row for row in entry.rows if self._store is None or not row.is_present(self._store.folder)]
        if absent:
            reason = _absence(absent, self._store.folder if self._store else None)
            return EngineStatus(kind, entry.info, available=False, reason=reason)
        try:
            device = resolve_device(self._place.device)
            size = sum(self._store.size_bytes(row) for row in entry.rows) if self._store else 0
            return EngineStatus(kind, entry.info, available=True, device=device, weights_bytes=size)
        except EngineError as error:
            return EngineStatus(kind, entry.info, available=False, reason=str(error))

    def _pick(self, kind: EngineKind, entries: Sequence[Entry[E]], name: str, effort: Effort) -> E:
        if name:
            self.check(kind, name)
        choice = EngineChoice.parse(name)
        status = self._chosen(kind, self._statuses(kind, entries), choice.name)
        entry = next(entry for entry in entries if entry.info == status.info)
        if choice.updates is not None and entry.build_trained is not None:
            return entry.build_trained(effort, status.device, choice.updates)
        return entry.build(effort, status.device)

    @staticmethod
    def _chosen(kind: EngineKind, statuses: Sequence[EngineStatus], name: str) -> EngineStatus:
        """The named engine, or the first that can run.

        Raises:
            EngineError: none can.
        """
        for status in statuses:
            if status.available and (not name or status.info.name == name):
                return status
        if kind == "name-finder":
            raise EngineError(
                f"nothing here finds objects by name: {statuses[0].reason}; or click on the object with --click F@X,Y"
            )
        raise EngineError(f"no {kind} can run here; see `cleanplate models`")


def _absence(rows: Sequence[WeightsRow], folder: Path | None) -> str:
    """Which files of absent rows are not here, and how to get them."""
    files = [row.missing_from(folder) if folder else row.files[0] for row in rows]
    them, are = ("them", "are") if len(rows) > 1 else ("it", "is")
    if all(row.url for row in rows):
        remedy = f"`cleanplate weights pull {' '.join(row.name for row in rows)}` gets {them}"
    else:
        remedy = "; ".join(how_to_get(row) for row in rows)
    return f"{', '.join(files)} {are} not here; {remedy}"


def _comes_first(status: EngineStatus) -> bool:
    return status.available and status.device != "cpu" and status.info.commercial_use


@cache
def resolve_device(wanted: str) -> str:
    """The device that networks run on: ``cuda:0`` where there is one and ``auto`` or it is asked for, else ``cpu``.

    Raises:
        EngineError: a GPU is asked for that is not there.
    """
    if wanted == "cpu":
        return wanted
    import torch  # takes seconds, which only networks pay

    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if int(wanted.removeprefix("cuda:")) >= torch.cuda.device_count():
        raise EngineError(f"there is no {wanted} on this machine; set device to auto or cpu")
    return wanted


def _layout(file: Path) -> str:
    from cleanplate_server.models.networks.checkpoints import read_state, state_layout  # torch takes seconds to import

    return state_layout(read_state(file))
