"""The cases of E2FGVI and E2FGVI-HQ: one window of local frames and references."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from cleanplate_server.models.networks.e2fgvi.network import E2fgvi, Filled

from parity_networks._thinned import compare_thinned, fill_state, make_input, watch
from parity_networks.case import CaseFolder, Compared

_PARTS = {
    "encoder": "encoder",
    "feat_prop": "feat_prop_module",
    "tokens": "ss",
    "block0": "transformer.0",
    "block7": "transformer.7",
    "sc": "sc",
}


@torch.inference_mode()
def compare_window(case: CaseFolder, network: E2fgvi) -> Iterator[Compared]:
    """Compares every array of one folder with what an untrained network makes of the case's entries and frames."""
    network.load_state_dict(fill_state(case))
    found = watch(network, _PARTS)
    masked = make_input(case, "frames") * (1 - make_input(case, "masks"))
    filled: Filled = network(masked, case.description["inputs"]["num_local_frames"])
    found["output"] = filled.frames.flatten(0, 1)
    found |= {"flow_forward": filled.flow_next, "flow_backward": filled.flow_previous}
    yield from compare_thinned(case, found)
