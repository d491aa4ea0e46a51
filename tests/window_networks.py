"""Fill networks with weights as drawn, at the smallest sizes that they take."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch
from cleanplate_server.models.embedded.flow import DisFlow
from cleanplate_server.models.networks.dfgvi import VARIANTS, build_dfc
from cleanplate_server.models.networks.e2fgvi import build_e2fgvi_hq
from cleanplate_server.models.networks.filling.dfgvi import DfgviWindows
from cleanplate_server.models.networks.filling.e2fgvi import E2fgviWindows
from cleanplate_server.models.networks.filling.inpainter import NetworkInpainter
from cleanplate_server.models.networks.filling.opn import OpnWindows
from cleanplate_server.models.networks.filling.propainter import ProPainterWindows
from cleanplate_server.models.networks.filling.regions import AcceptedSizes
from cleanplate_server.models.networks.filling.rnot import RnotWindows
from cleanplate_server.models.networks.filling.sttn import SttnWindows
from cleanplate_server.models.networks.filling.traits import TRAITS
from cleanplate_server.models.networks.filling.window_network import WindowNetwork
from cleanplate_server.models.networks.opn import Opn, TemporalNetwork
from cleanplate_server.models.networks.propainter import build_flow_completion, build_propainter
from cleanplate_server.models.networks.raft import Raft
from cleanplate_server.models.networks.rnot import Rnot
from cleanplate_server.models.networks.sttn import Sttn
from cleanplate_server.models.protocols import EngineInfo
from fill_networks import PLENTY

SMALLEST = {
    "e2fgvi-hq": (60, 108), "sttn": (24, 32), "opn": (24, 32), "rnot": (40, 48), "propainter": (32, 40),
    "dfgvi-dis": (24, 32),
}  # fmt: skip


@cache
def untrained(name: str) -> WindowNetwork:
    """An untrained network at the smallest size that it takes."""
    torch.manual_seed(0)
    traits = TRAITS[name]
    match name:
        case "e2fgvi-hq":
            return E2fgviWindows(build_e2fgvi_hq(), traits, name)
        case "sttn":
            small = replace(traits, sizes=AcceptedSizes(SMALLEST[name], is_fixed=True))
            return SttnWindows(Sttn(((6, 8), (3, 4), (2, 2), (1, 1))).eval(), small, name)
        case "opn":
            return OpnWindows(Opn().eval(), TemporalNetwork().eval(), traits, name)
        case "rnot":
            return RnotWindows(Rnot().eval(), traits, name)
        case "propainter":
            parts = build_propainter(), build_flow_completion(), Raft().eval()
            return ProPainterWindows(*parts, traits, name)
        case "dfgvi-dis":
            return DfgviWindows([build_dfc(VARIANTS["dfgvi-movie"])], DisFlow(), traits, name, size=(30, 53))
    raise AssertionError(name)


def untrained_inpainter(name: str) -> NetworkInpainter:
    """The network as an engine."""
    return NetworkInpainter(untrained(name), EngineInfo(f"{name}-untrained"), budget_bytes=PLENTY, effort="fast")
