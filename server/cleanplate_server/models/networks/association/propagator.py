"""AOT and DeAOT as propagators: key masks to probabilities, frame by frame, with bounded memory.

What is remembered, in half precision: the start frame, up to three more key frames that show every followed object
(the nearest ones), and of the followed frames every few the newest few, by effort; the oldest is forgotten first. So a
long shot needs no more memory than a short one. Objects followed together know of each other: a pixel belongs to one.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cleanplate_server.errors import EngineError, MaskError
from cleanplate_server.models.networks.association.following import Bank, Follower, Following, Rules, Stored
from cleanplate_server.models.networks.association.memory import Memory
from cleanplate_server.models.networks.association.network import AssociationNetwork, Scene
from cleanplate_server.models.networks.association.picture import (
    LONG_EDGE_PX,
    network_size,
    prepare_picture,
    shrink_label,
)
from cleanplate_server.models.prompt_checks import refuse_unusable_keys
from cleanplate_server.models.protocols import Alpha, Effort, EngineInfo, Frames, Key

_MORE_KEY_FRAMES = 3


@dataclass(frozen=True)
class _Means:
    """What an effort may use: the long edge that the network sees, and how many followed frames stay stored."""

    long_edge_px: int
    stored_frames: int


_MEANS: Mapping[Effort, _Means] = {
    "fast": _Means(long_edge_px=640, stored_frames=3),
    "balanced": _Means(long_edge_px=LONG_EDGE_PX, stored_frames=6),
    "best": _Means(long_edge_px=LONG_EDGE_PX, stored_frames=12),
}


class AssociationPropagator:
    """Key masks to masks on all frames, a `Propagator`.

    Args:
        network: with its weights, in evaluation mode, on its device.
        info: name, licence, weights.
        effort: sets the size at which frames are seen, and how many are remembered.
    """

    def __init__(self, network: AssociationNetwork, info: EngineInfo, *, effort: Effort = "balanced") -> None:
        means = _MEANS[effort]
        rules = Rules(network.variant.long_term_gap, long_term_limit=means.stored_frames, stores_halves=True)
        self._follower = Follower(network, rules)
        self._long_edge_px = means.long_edge_px
        self._info = info

    @property
    def info(self) -> EngineInfo:
        return self._info

    def follow(
        self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None
    ) -> AssociationTracker:
        """Starts to follow objects; see `Propagator.follow`."""
        refuse_unusable_keys((*keys, *start), frames.size)
        tracker = AssociationTracker(
            self._follower, frames, object_count=len(start), long_edge_px=self._long_edge_px, name=self._info.name
        )
        if saved is not None:
            tracker.resume(saved)
        else:
            tracker.learn(choose_key_frames(keys, start))
        return tracker


class AssociationTracker:
    """Objects on their way through a shot in one direction, a `Tracker`; they have numbers from 1 in order of start.

    Args:
        follower: network and rules.
        frames: the shot.
        object_count: how many objects.
        long_edge_px: frames are seen no larger than this.
        name: of the engine, for messages.
    """

    def __init__(self, follower: Follower, frames: Frames, *, object_count: int, long_edge_px: int, name: str) -> None:
        self._follower = follower
        self._frames = frames
        self._object_count = object_count
        self._name = name
        aligned = follower.network.variant.align_corners
        self._seen = network_size(frames.size, align_corners=aligned, long_edge_px=long_edge_px)
        self._device = next(follower.network.parameters()).device
        self._known = Following(())

    @torch.inference_mode()
    def learn(self, key_frames: Sequence[Sequence[Key]]) -> None:
        """Takes in frames whose masks are given, the start frame last; on each a key for every object, in order."""
        known = None
        for keys in key_frames:
            label = shrink_label(torch.from_numpy(draw_label(keys)), self._seen)
            self._refuse_invisible(keys, label)
            scene = self._look_at(keys[0].frame)
            label = label.to(self._device)
            known = self._follower.begin(scene, label, object_count=self._object_count, known=known)
        assert known is not None, "there is a start frame"
        self._known = known

    def _refuse_invisible(self, keys: Sequence[Key], label: Tensor) -> None:
        for number, key in enumerate(keys, start=1):
            if not (label == number).any():
                raise MaskError(
                    f"object {key.object_id} on frame {key.frame} ({np.count_nonzero(key.mask)} pixels) is too small,"
                    f" or hidden by another, where {self._name} sees the frame at {self._seen[1]} x {self._seen[0]};"
                    " follow it on its own, with --effort best or --engine propagator=embedded"
                )

    def step(self, frame: int) -> Alpha:
        """Follows to the next frame; see `Tracker.step`."""
        try:
            return self._step(frame)
        except torch.OutOfMemoryError as error:
            raise EngineError(
                f"{self._name} ran out of memory on {self._device} at frame {frame} ({self._object_count} objects,"
                f" seen at {self._seen[1]} x {self._seen[0]}); choose --effort fast or --engine propagator=embedded"
            ) from error

    @torch.inference_mode()
    def _step(self, frame: int) -> Alpha:
        known, glimpse = self._follower.look(self._known, self._look_at(frame))
        chances = self._follower.decode(known, glimpse, self._frames.size).softmax(1)[0, : 1 + self._object_count]
        self._known = self._follower.remember(known, glimpse, shrink_label(chances.argmax(0), self._seen))
        return np.asarray(chances[1:].cpu().numpy(), np.float32)

    def save(self) -> bytes:
        """All state after the last step, as tensors by name."""
        target = io.BytesIO()
        torch.save(pack(self._known), target)
        return target.getvalue()

    def resume(self, saved: bytes) -> None:
        """Goes on from what ``save`` gave."""
        tensors: dict[str, Tensor] = torch.load(io.BytesIO(saved), map_location=self._device, weights_only=True)
        self._known = unpack(tensors)

    def _look_at(self, frame: int) -> Scene:
        # what lies beyond black and white was never seen in training
        rgb = np.clip(np.nan_to_num(self._frames.rgb(frame)), 0.0, 1.0).astype(np.float32)
        return self._follower.network.encode(prepare_picture(rgb, self._seen).to(self._device))


def choose_key_frames(keys: Sequence[Key], start: Sequence[Key]) -> list[list[Key]]:
    """The frames to learn from: the start frame, last, and before it the nearest others that show every object.

    A frame with keys of some objects alone would teach that the others are not there.
    """
    objects = [key.object_id for key in start]
    by_frame: dict[int, dict[int, Key]] = {}
    for key in keys:
        by_frame.setdefault(key.frame, {})[key.object_id] = key
    first = start[0].frame
    others = [frame for frame, found in by_frame.items() if frame != first and all(o in found for o in objects)]
    nearest = sorted(others, key=lambda frame: (abs(frame - first), frame))[:_MORE_KEY_FRAMES]
    return [*([by_frame[frame][o] for o in objects] for frame in reversed(nearest)), list(start)]


def draw_label(keys: Sequence[Key]) -> NDArray[np.int64]:
    """int64 [H, W]: 0, or 1 and up by the keys' order; where masks overlap the smaller object wins."""
    label = np.zeros(keys[0].mask.shape, np.int64)
    sizes = [int(np.count_nonzero(key.mask)) for key in keys]
    for index in sorted(range(len(keys)), key=lambda i: -sizes[i]):
        label[keys[index].mask] = index + 1
    return label


def pack(known: Following) -> dict[str, Tensor]:
    """Names every tensor of what is known."""
    tensors: dict[str, Tensor] = {}
    for b, bank in enumerate(known.banks):
        counts = [bank.object_count, bank.step, bank.stored_at, len(bank.short), len(bank.short[0])]
        tensors[f"{b}/counts"] = torch.tensor(counts)
        tensors[f"{b}/given"] = torch.tensor([stored.given for stored in bank.long])
        frames = {"short": bank.short, "long": tuple(stored.layers for stored in bank.long)}
        for kind, memories in frames.items():
            for f, layers in enumerate(memories):
                for i, memory in enumerate(layers):
                    # views would be saved with all that they are cut from
                    tensors[f"{b}/{kind}/{f}/{i}/key"] = memory.key.clone()
                    tensors[f"{b}/{kind}/{f}/{i}/value"] = memory.value.clone()
    return tensors


def unpack(tensors: Mapping[str, Tensor]) -> Following:
    """Puts together what ``pack`` named."""
    banks: list[Bank] = []
    while f"{len(banks)}/counts" in tensors:
        b = len(banks)
        object_count, step, stored_at, short_count, layer_count = (int(n) for n in tensors[f"{b}/counts"])

        def memories(place: str, count: int = layer_count) -> tuple[Memory, ...]:
            return tuple(Memory(tensors[f"{place}/{i}/key"], tensors[f"{place}/{i}/value"]) for i in range(count))

        given = [bool(each) for each in tensors[f"{b}/given"]]
        banks.append(
            Bank(
                object_count,
                long=tuple(Stored(memories(f"{b}/long/{f}"), given=each) for f, each in enumerate(given)),
                short=tuple(memories(f"{b}/short/{f}") for f in range(short_count)),
                step=step,
                stored_at=stored_at,
            )
        )
    return Following(tuple(banks))
