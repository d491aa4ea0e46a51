"""Checkpoints laid out as the published ones of fill networks, with the values of the parity cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from cleanplate_server.models.networks.rnot import Rnot
from parity_networks._thinned import fill_state
from parity_networks.case import OWN_CASES, CaseFolder


@dataclass(frozen=True)
class Published:
    """How a published file is made of a case: folder, list of entries, gains, and what is wrapped around it."""

    folder: str
    entries: str = "state_dict.json"
    gains: str = ""
    nest: str = ""

    def save(self, file: Path) -> Path:
        """Writes it."""
        case = CaseFolder.read(self.folder, OWN_CASES / self.folder)
        state = fill_state(case, self.entries, gains=self.gains)
        torch.save({self.nest: state} if self.nest else state, file)
        return file


@dataclass(frozen=True)
class OwnRnot:
    """RNoT's file, of which nothing is published: values as drawn for training."""

    def save(self, file: Path) -> Path:
        """Writes it."""
        torch.manual_seed(0)
        torch.save(Rnot().state_dict(), file)
        return file


_RAFT = Published("raft")
_DFGVI = Published("dfgvi", gains="resnet101", nest="model")
_REFINE = Published("dfgvi", "state_dict_resnet50_refine.json", "resnet50_refine", nest="model")

FILES: Mapping[str, Sequence[Published | OwnRnot]] = {
    "propainter": [
        Published("propainter", gains="inpaint"),
        Published("propainter", "state_dict_flow_completion.json", "flow_completion"),
        _RAFT,
    ],
    "e2fgvi-hq": [Published("e2fgvi_hq")],
    "e2fgvi": [Published("e2fgvi")],
    "sttn": [Published("sttn", nest="netG")],
    "dfgvi": [_DFGVI, _RAFT],
    "dfgvi-davis": [
        Published("dfgvi", "state_dict_resnet50_stage1.json", "resnet50_stage1", nest="model"),
        _REFINE,
        _REFINE,
        _RAFT,
    ],
    "dfgvi-dis": [_DFGVI],
    "rnot": [OwnRnot()],
    "opn": [Published("opn", gains="OPN"), Published("opn", "state_dict_tcn.json", "TCN")],
}
"""By engine, in the order in which its builder takes them."""


def save_files(name: str, folder: Path) -> list[Path]:
    """Writes an engine's files into a folder."""
    return [published.save(folder / f"{place}.pth") for place, published in enumerate(FILES[name])]
