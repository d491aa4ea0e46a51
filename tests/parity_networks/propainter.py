"""ProPainter's cases: motion completed, pixels propagated, a window painted; three runs that stand alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from cleanplate_server.models.networks.propainter import (
    Flows,
    Window,
    build_flow_completion,
    build_propainter,
    complete_flows,
    predict_flows,
    propagate_pixels,
)
from torch import Tensor
from torch.nn import functional

from parity_networks._thinned import compare_thinned, fill_state, make_input, watch
from parity_networks.case import CaseFolder, Compared, compare_share

_COMPLETION_PARTS = {"encoder1": "encoder1", "mid": "mid_dilation", "prop": "feat_prop_module"}
_PAINTING_PARTS = {
    "encoder": "encoder",
    "prop": "feat_prop_module",
    "tokens": "ss",
    "attention0": "transformers.transformer.0.attention",
    "block0": "transformers.transformer.0",
    "block1": "transformers.transformer.1",
    "block7": "transformers.transformer.7",
}
_FLIPS = 0.0002
"""Nearest neighbours and thresholds flip on other hardware: the case lets so many pixels differ."""


@torch.inference_mode()
def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of ProPainter's cases."""
    yield from _compare_completion(case)
    yield from _compare_pixels(case)
    yield from _compare_painting(case)


def _compare_completion(case: CaseFolder) -> Iterator[Compared]:
    network = build_flow_completion()
    gains = case.description["gains"]["flow_completion"]
    network.load_state_dict(case.state("state_dict_flow_completion.json", gains=gains))
    flows = Flows(make_input(case, "flow.forward"), make_input(case, "flow.backward"))
    masks = make_input(case, "flow.masks")
    inner = watch(network, _COMPLETION_PARTS)
    network(flows.to_next, masks[:, :-1])
    found = dict(inner)
    predicted, merged = predict_flows(network, flows, masks), complete_flows(network, flows, masks)
    found |= {"pred_forward": predicted.to_next, "pred_backward": predicted.to_previous}
    found["merged_backward"] = merged.to_previous
    yield from compare_thinned(case, found, run="flow.")


def _compare_pixels(case: CaseFolder) -> Iterator[Compared]:
    masks = torch.maximum(make_input(case, "image.masks"), make_input(case, "image.masks2").flip(4))
    done = propagate_pixels(make_input(case, "image.frames"), masks, _flows(case, "image"))
    for name, found in (("image.frames", done.frames), ("image.masks", done.left)):
        described = case.description["arrays"][name]
        assert list(found.shape) == described["shape"]
        ours = found[tuple(slice(None, None, step) for step in described["step"])].numpy()
        expected = case.arrays[name]
        # what is as near as the case asks counts as equal
        near = np.where(np.abs(ours - expected) <= described["atol"], expected, ours)
        yield compare_share(name, near, expected, limit=_FLIPS)


def _compare_painting(case: CaseFolder) -> Iterator[Compared]:
    network = build_propainter()
    gains = case.description["gains"]["inpaint"]
    network.load_state_dict(fill_state(replace(case, description={**case.description, "gains": gains})))
    frames, masks = make_input(case, "paint.frames"), make_input(case, "paint.masks")
    local_count = case.description["config"]["local_frames"]
    masks[:, local_count:] = masks[:, local_count:].roll(masks.shape[4] // 2, 4)
    left = masks * (make_input(case, "paint.left") > 0.5)
    found = watch(network, _PAINTING_PARTS)
    found["output"] = network(Window(frames * (1 - left), masks, left, _flows(case, "paint")))
    # for references, which have no result, ours leaves this out
    found["sc"] = network.sc(found["block7"], (frames.shape[3] // 4, frames.shape[4] // 4))
    yield from compare_thinned(case, found, run="paint.")


def _flows(case: CaseFolder, run: str) -> Flows:
    """Motion at the frames' size, and a way back that is nearly its opposite."""
    coarse = make_input(case, f"{run}.flow")
    flow: Tensor = functional.interpolate(coarse[0], scale_factor=8, mode="bilinear", align_corners=False)[None]
    return Flows(flow, make_input(case, f"{run}.gap") - flow)
