"""OSVOS's cases: scores, further training on one frame, the variations of that frame, the loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from cleanplate_server.models.networks.osvos import Lesson, Osvos, balanced_loss, prepare_picture, train, vary
from torch import Tensor

from parity_networks import recipe
from parity_networks.case import CaseFolder, Compared, compare_share

_FORWARD = {"atol": 1e-3, "rtol": 1e-4}
_LOSS_SHARE = 1e-4
_TRAINED_FUSED = 1e-2
_DELTA_SHARE = 0.02
_VARIED_MEAN = 0.2
_VARIED_MASK_SHARE = 0.005


def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of OSVOS's cases."""
    kinds = {
        "forward": _compare_forward,
        "online_training": _compare_training,
        "augmentation": _compare_variation,
        "loss": _compare_loss,
    }
    for described in case.description["cases"]:
        yield from kinds[described["kind"]](case, described)


@torch.inference_mode()
def _compare_forward(case: CaseFolder, described: dict[str, Any]) -> Iterator[Compared]:
    network = _build(case, described)
    stages: dict[int, Tensor] = {}
    for number, stage in enumerate(network.stages, start=1):
        stage.register_forward_hook(lambda _module, _args, output, number=number: stages.update({number: output}))
    scores = network(torch.cat([_picture(name, described["size"]) for name in described["images"]]))
    found = {f"side{number}": side[:, :, ::2, ::2] for number, side in enumerate(scores.sides, start=2)}
    found["fused"] = scores.fused
    found |= {f"stage{number}": output[:, ::32] for number, output in stages.items()}
    for array in described["arrays"]:
        yield case.against(f"{described['id']}/{array}", found[array], **_FORWARD)


def _compare_training(case: CaseFolder, described: dict[str, Any]) -> Iterator[Compared]:
    network = _build(case, described)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    picture = _picture(described["image"], described["size"])
    mask = torch.from_numpy(recipe.mask(described["mask"], (1, 1, *described["size"])))
    plain, flipped = Lesson(picture, mask), Lesson(picture.flip(3), mask.flip(3))
    passes = described["forward_passes_per_update"]
    lessons = (flipped if number % 2 else plain for number in range(described["updates"] * passes))
    name = described["id"]
    yield case.against(f"{name}/fused_before", network(picture).fused, **_FORWARD)
    losses = list(train(network, lessons, learning_rate=described["base_lr"], passes_per_update=passes))
    yield case.against(f"{name}/fused_after", network(picture).fused, atol=_TRAINED_FUSED)
    yield case.against(f"{name}/losses", np.array(losses), rtol=_LOSS_SHARE)
    changes = {key: (value.detach() - before[key]) for key, value in network.named_parameters()}
    for array in described["arrays"]:
        if array.startswith("delta_"):
            change = changes[array.removeprefix("delta_")]
            largest = float(np.abs(case.arrays[f"{name}/{array}"]).max())
            thinned = change.reshape(len(change), -1)[:16, :64]
            yield case.against(f"{name}/{array}", thinned, atol=_DELTA_SHARE * largest)
    moved = [key for key, change in changes.items() if key.startswith(("score_dsn", "upscale")) and change.any()]
    yield Compared(f"{name}/unchanged", float(len(moved)), "0 parameters", passed=not moved)


def _compare_variation(case: CaseFolder, described: dict[str, Any]) -> Iterator[Compared]:
    picture = _picture(described["image"], described["size"])[0].numpy().transpose(1, 2, 0)
    mask = recipe.mask(described["mask"], (1, *described["size"]))[0] != 0
    varied, truth = vary(
        picture,
        mask,
        flip=described["flip"],
        rotation_degrees=described["rotation_degrees"],
        scale=described["scale"],
    )
    name = described["id"]
    difference = float(np.abs(varied[::2, ::2] - case.arrays[f"{name}/image"]).mean())
    yield Compared(f"{name}/image", difference, f"{_VARIED_MEAN:g} on the mean", passed=difference < _VARIED_MEAN)
    expected = case.arrays[f"{name}/gt"] > 0
    yield compare_share(f"{name}/gt", truth, expected, limit=_VARIED_MASK_SHARE)


def _compare_loss(case: CaseFolder, described: dict[str, Any]) -> Iterator[Compared]:
    logits = torch.from_numpy(recipe.call(described["logits"]))
    mask = torch.from_numpy(recipe.call(described["target"]))
    total = float(balanced_loss(logits, mask))
    values = np.array([total, total * len(logits) / mask.numel()])
    yield case.against(f"{described['id']}/values", values, rtol=_LOSS_SHARE)


def _build(case: CaseFolder, described: dict[str, Any]) -> Osvos:
    network = Osvos().eval()
    network.load_state_dict(case.state(case.description["state_dict"], gains=described["gains"]))
    return network


def _picture(name: str, size: list[int]) -> Tensor:
    bytes_bgr = np.floor(recipe.noise(name, (3, *size)) * 255 + 0.5)
    return prepare_picture(np.asarray(bytes_bgr[::-1].transpose(1, 2, 0) / 255, np.float32))
