"""The published networks as entries of the registry: which weights each needs, and how it is built from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from cleanplate_server.models.protocols import (
    Effort,
    EngineInfo,
    Inpainter,
    NameFinder,
    Propagator,
    Segmenter,
)
from cleanplate_server.models.weights import WeightsRow
from cleanplate_server.models.weights_store import WeightsStore
from cleanplate_server.models.yielding_finder import YieldingFinder

_SAM_NAMES = ("sam-vit-h", "sam-vit-l", "sam-vit-b")
LATER_SAM_NAMES = ("sam2.1-large", "sam2.1-base-plus", "sam2.1-small", "sam2.1-tiny", "sam3")
"""Best published figures first, those from prompts of points; they come before the first SAM, and before AOT."""
LIGHTER_SEGMENTERS = (("sam3", *LATER_SAM_NAMES[:-1]), _SAM_NAMES)
"""Segmenters that take over from those before them when memory is too small; after the last one the embedded one."""
ASSOCIATION_NAMES = (
    "r50-deaotl", "swinb-deaotl", "deaotl", "deaotb", "deaots", "deaott",
    "r50-aotl", "swinb-aotl", "aotl", "aotb", "aots", "aott",
)  # fmt: skip
"""Best for its time first: the published figures put R50-DeAOT-L ahead of the larger Swin at twice its speed."""
_FILLERS: Mapping[str, tuple[str, ...]] = {
    "propainter": ("propainter", "propainter-flow", "raft-things"),
    "e2fgvi-hq": ("e2fgvi-hq",),
    "e2fgvi": ("e2fgvi",),
    "sttn": ("sttn",),
    "dfgvi": ("dfgvi-movie", "raft-things"),
    "dfgvi-davis": ("dfgvi-stage1", "dfgvi-stage2", "dfgvi-stage3", "raft-things"),
    "dfgvi-dis": ("dfgvi-movie",),
    "rnot": ("rnot",),
    "opn": ("opn", "opn-tcn"),
}
"""Best published figures first; each with all the weights that it needs."""
OPEN_FINDER = "grounding-dino"
_FINDER_NAMES = ("maskrcnn-v2", "maskrcnn", OPEN_FINDER)
"""A closed list of names first, for it is fast, tells the outline, and reads Chinese."""


class _Engine(Protocol):
    @property
    def info(self) -> EngineInfo: ...


E = TypeVar("E", bound=_Engine)


@dataclass(frozen=True)
class Entry(Generic[E]):
    """An engine that can be built.

    Args:
        info: name, licence, weights.
        build: makes it, on a device.
        rows: of the manifest, for one that needs weights.
        extra: of this package with what it is built on, for one that needs more than comes with it.
        build_trained: makes one that is trained on the keys with so many updates; None where there is no such dial.
            Training takes so long that nobody gets such an engine unasked.
    """

    info: EngineInfo
    build: Callable[[Effort, str], E]
    rows: tuple[WeightsRow, ...] = ()
    extra: str = ""
    build_trained: Callable[[Effort, str, int], E] | None = None


class NetworkEntries:
    """Entries of every network that has a row in the manifest, by kind, the best one for its time first.

    Torch takes seconds to import: the networks' modules are imported when one is built.

    Args:
        store: of the weights; None for none, and then nothing can be built.
        rows: of the manifest.
    """

    def __init__(self, store: WeightsStore | None, rows: Sequence[WeightsRow]) -> None:
        self._store = store
        self._rows = rows

    def segmenters(self) -> list[Entry[Segmenter]]:
        """Networks that answer clicks."""
        later = [self._later_sam(row) for row in self._named(LATER_SAM_NAMES)]
        return [*later, *(self._sam(row) for row in self._named(_SAM_NAMES))]

    def propagators(self) -> list[Entry[Propagator]]:
        """Networks that follow objects."""
        later = [self._later_sam_tracks(row) for row in self._named(LATER_SAM_NAMES)]
        association = [self._association(row) for row in self._named(ASSOCIATION_NAMES)]
        return [*later, *association, *(self._osvos(row) for row in self._named(("osvos-parent",)))]

    def inpainters(self) -> list[Entry[Inpainter]]:
        """Networks that fill."""
        return [self._filling(name, self._named(names)) for name, names in _FILLERS.items()]

    def finders(self) -> list[Entry[NameFinder]]:
        """Networks that find objects by name."""
        return [self._finding(row) for row in self._named(_FINDER_NAMES)]

    def _named(self, names: Sequence[str]) -> list[WeightsRow]:
        """Rows in the order of their names."""
        return [row for name in names for row in self._rows if row.name == name]

    def hashed(self, info: EngineInfo, rows: Sequence[WeightsRow]) -> EngineInfo:
        """With the hashes of files that were found usable."""
        assert self._store
        records = [self._store.record(row) for row in rows]
        return replace(info, weights_sha256=" + ".join(record.sha256 for record in records if record))

    def _sam(self, row: WeightsRow) -> Entry[Segmenter]:
        info = EngineInfo(row.name, row.licence, row.commercial_use, row.file)

        def build(effort: Effort, device: str) -> Segmenter:
            from cleanplate_server.models.networks.sam.original import load_original
            from cleanplate_server.models.networks.sam.segmenter import SamSegmenter

            assert self._store
            return SamSegmenter(
                load_original(row.name, self._store.usable(row), device=device), self.hashed(info, (row,))
            )

        return Entry(info, build, (row,))

    def _later_sam(self, row: WeightsRow) -> Entry[Segmenter]:
        info = EngineInfo(row.name, row.licence, row.commercial_use, row.file)

        def build(effort: Effort, device: str) -> Segmenter:
            from cleanplate_server.models.networks.sam.folders import load_images
            from cleanplate_server.models.networks.sam.images import LibraryNetwork
            from cleanplate_server.models.networks.sam.segmenter import SamSegmenter

            assert self._store
            images = load_images(row.name, self._store.usable(row), device=device)
            return SamSegmenter(LibraryNetwork(images), self.hashed(info, (row,)))

        return Entry(info, build, (row,), extra="sam2")

    def _later_sam_tracks(self, row: WeightsRow) -> Entry[Propagator]:
        info = EngineInfo(row.name, row.licence, row.commercial_use, row.file)

        def build(effort: Effort, device: str) -> Propagator:
            from cleanplate_server.models.networks.sam.folders import load_tracks
            from cleanplate_server.models.networks.sam.propagator import SamPropagator

            assert self._store
            return SamPropagator(
                load_tracks(row.name, self._store.usable(row), device=device), self.hashed(info, (row,))
            )

        return Entry(info, build, (row,), extra="sam2")

    def _association(self, row: WeightsRow) -> Entry[Propagator]:
        info = EngineInfo(row.name, row.licence, row.commercial_use, row.file)

        def build(effort: Effort, device: str) -> Propagator:
            from cleanplate_server.models.networks.association.propagator import AssociationPropagator
            from cleanplate_server.models.networks.propagators import load_association

            assert self._store
            network = load_association(row.name, self._store.usable(row), device=device)
            return AssociationPropagator(network, self.hashed(info, (row,)), effort=effort)

        return Entry(info, build, (row,))

    def _osvos(self, row: WeightsRow) -> Entry[Propagator]:
        info = EngineInfo("osvos", row.licence, row.commercial_use, row.file)

        def build(effort: Effort, device: str, updates: int | None = None) -> Propagator:
            from cleanplate_server.models.networks.propagators import load_osvos

            assert self._store
            return load_osvos(
                self._store.usable(row), self.hashed(info, (row,)), device=device, effort=effort, updates=updates
            )

        return Entry(info, build, (row,), build_trained=build)

    def _filling(self, name: str, rows: Sequence[WeightsRow]) -> Entry[Inpainter]:
        licence = " AND ".join(dict.fromkeys(row.licence for row in rows))
        files = " + ".join(row.file for row in rows)
        info = EngineInfo(name, licence, all(row.commercial_use for row in rows), files)

        def build(effort: Effort, device: str) -> Inpainter:
            from cleanplate_server.models.networks.inpainters import load_inpainter

            assert self._store
            checkpoints = [self._store.usable(row) for row in rows]
            return load_inpainter(self.hashed(info, rows), checkpoints, device=device, effort=effort)

        return Entry(info, build, tuple(rows))

    def _finding(self, row: WeightsRow) -> Entry[NameFinder]:
        info = EngineInfo(row.name, row.licence, row.commercial_use, row.file)

        def build(checkpoint: Path, device: str) -> NameFinder:
            if row.name == OPEN_FINDER:
                from cleanplate_server.models.networks.grounding_dino import GroundingDinoFinder, load_grounding_dino

                return GroundingDinoFinder(load_grounding_dino(checkpoint, device=device), self.hashed(info, (row,)))
            from cleanplate_server.models.networks.mask_rcnn import MaskRcnnFinder, load_mask_rcnn

            return MaskRcnnFinder(load_mask_rcnn(row.name, checkpoint, device=device), self.hashed(info, (row,)))

        def build_yielding(effort: Effort, device: str) -> NameFinder:
            assert self._store
            return YieldingFinder(partial(build, self._store.usable(row)), device)

        return Entry(info, build_yielding, (row,), extra="names" if row.name == OPEN_FINDER else "")
