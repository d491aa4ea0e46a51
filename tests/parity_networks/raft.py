"""RAFT's case: two pairs of pictures, with what happens inside the first and the last iteration."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from cleanplate_server.models.networks.raft import Raft
from torch import Tensor

from parity_networks import recipe
from parity_networks.case import CaseFolder, Compared, compare

_SHARED_NORMS = ("cnet.layer2.0", "cnet.layer3.0")
"""Blocks whose norm3 is downsample.1 stored a second time."""
_MEAN_SHARE = 0.1
"""The mean difference is to stay below this share of what one value may differ by."""


@torch.inference_mode()
def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of RAFT's case."""
    network = Raft().eval()
    network.load_published(_state(case))
    watch = _Watch(network)
    given = case.description["inputs"]["frames"]
    frames = torch.from_numpy(recipe.noise(given["name"], given["shape"], given["low"], given["high"]))
    flow = network(frames[:-1], frames[1:], iterations=case.description["config"]["iterations"])
    found = {
        "fmap1": watch.features[: len(flow)],
        "cnet": watch.context,
        "corr1": watch.compared[0],
        "hidden_last": watch.hidden[-1],
        "flow_first": network(frames[:-1], frames[1:], iterations=1),
        "flow_low": torch.stack(watch.corrections).sum(0),
        "flow": flow,
    }
    for name, described in case.description["arrays"].items():
        thinned = found[name][tuple(slice(None, None, step) for step in described["step"])].numpy()
        yield case.against(name, thinned, atol=described["atol"])
        mean = abs(thinned - case.arrays[name]).mean()
        yield compare(f"{name} on the mean", mean, mean * 0, atol=described["atol"] * _MEAN_SHARE)


def _state(case: CaseFolder) -> dict[str, Tensor]:
    state = case.state(gains=case.description["gains"])
    for block in _SHARED_NORMS:
        shared = [name for name in state if name.startswith(f"{block}.norm3.")]
        state |= {name: state[name.replace("norm3", "downsample.1")] for name in shared}
    return state


class _Watch:
    """Keeps what the parts put out on the first call."""

    def __init__(self, network: Raft) -> None:
        self.features = self.context = torch.zeros(0)
        self.compared: list[Tensor] = []
        self.hidden: list[Tensor] = []
        self.corrections: list[Tensor] = []
        part = network.network.get_submodule
        self._handles = [
            part("feature_encoder").register_forward_hook(self._keep_features),
            part("context_encoder").register_forward_hook(self._keep_context),
            part("update_block").register_forward_hook(self._keep_update),
        ]
        network.register_forward_hook(self._stop)

    def _keep_features(self, _module: torch.nn.Module, _args: tuple[Tensor, ...], output: Tensor) -> None:
        self.features = output

    def _keep_context(self, _module: torch.nn.Module, _args: tuple[Tensor, ...], output: Tensor) -> None:
        self.context = output

    def _keep_update(self, _module: torch.nn.Module, args: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        self.compared.append(args[2])
        self.hidden.append(output[0])
        self.corrections.append(output[1])

    def _stop(self, _module: torch.nn.Module, _args: tuple[Tensor, ...], _output: Tensor) -> None:
        for handle in self._handles:
            handle.remove()
