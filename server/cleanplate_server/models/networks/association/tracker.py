"""Objects on their way through a shot, by AOT or DeAOT."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cleanplate_server.errors import MaskError
from cleanplate_server.models.networks.association.following import Follower, Following
from cleanplate_server.models.networks.association.network import Scene
from cleanplate_server.models.networks.association.picture import network_size, prepare_picture, shrink_label
from cleanplate_server.models.networks.association.saving import pack, unpack
from cleanplate_server.models.networks.device_memory import propagation_watched
from cleanplate_server.models.networks.uploads import Fetched, Uploads, half_precision
from cleanplate_server.models.prompt_checks import refuse_unusable_keys
from cleanplate_server.models.protocols import Alpha, Frames, Key

_OBJECTS = "objects"
"""The entry of a saved state that holds the objects' ids."""


@dataclass(frozen=True)
class Sight:
    """A network and how it looks at frames.

    Args:
        follower: network and rules.
        long_edge_px: frames are seen no larger than this.
        halves: whether it computes in half precision.
        name: of the engine, for messages.
    """

    follower: Follower
    long_edge_px: int
    halves: bool
    name: str

    @property
    def device(self) -> torch.device:
        return next(self.follower.network.parameters()).device

    def seen(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size (height, width) at which frames of a size are seen."""
        aligned = self.follower.network.variant.align_corners
        return network_size(size, align_corners=aligned, long_edge_px=self.long_edge_px)


class AssociationTracker:
    """Objects on their way through a shot in one direction, a `JoinableTracker`; numbered from 1 as they came.

    Args:
        sight: the network.
        frames: the shot.
        start: keys that the walk starts from.
    """

    def __init__(self, sight: Sight, frames: Frames, start: Sequence[Key]) -> None:
        self._sight = sight
        self._follower = sight.follower
        self._frames = frames
        self._objects = [key.object_id for key in start]
        self._seen = sight.seen(frames.size)
        self._device = sight.device
        self._uploads = Uploads(self._prepared, frames.frames, self._device)
        self._known = Following(())
        self._last: int | None = None
        self._shown: tuple[Scene, Tensor] | None = None

    @torch.inference_mode()
    def learn(self, key_frames: Sequence[Sequence[Key]]) -> None:
        """Takes in frames whose masks are given, the start frame last; on each a key for every object, in order."""
        known = None
        for keys in key_frames:
            frame = keys[0].frame
            label = torch.zeros(self._frames.size, dtype=torch.int64, device=self._device)
            numbered = list(enumerate(keys, start=1))
            with self._watched(frame):
                label = self._drawn(label, numbered)
                with half_precision(self._device, halves=self._sight.halves):
                    scene = self._follower.network.encode(self._uploads.take(frame))
                    known = self._follower.begin(scene, label, object_count=len(keys), known=known)
            self._last = frame
        assert known is not None, "there is a start frame"
        self._known = known

    @torch.inference_mode()
    def join(self, keys: Sequence[Key]) -> None:
        """Learns keys on the frame of the last step; see `JoinableTracker.join`."""
        refuse_unusable_keys(keys, self._frames.size)
        assert self._shown is not None, "keys join on the frame of a step"
        scene, label = self._shown
        self._objects += [key.object_id for key in keys if key.object_id not in self._objects]
        numbered = [(1 + self._objects.index(key.object_id), key) for key in keys]
        for number, _ in numbered:
            label = label.masked_fill(label == number, 0)
        with self._watched(keys[0].frame), half_precision(self._device, halves=self._sight.halves):
            drawn = self._drawn(label, numbered)
            count = len(self._objects)
            self._known = self._follower.begin(scene, drawn, object_count=count, known=self._known)

    def _drawn(self, label: Tensor, numbered: Sequence[tuple[int, Key]]) -> Tensor:
        """Draws keys over labels [H, W] and reduces them to what the network sees."""
        label = shrink_label(draw_keys(label, numbered), self._seen)
        for number, key in numbered:
            if not (label == number).any():
                raise MaskError(
                    f"object {key.object_id} on frame {key.frame} ({np.count_nonzero(key.mask)} pixels) is too small,"
                    f" or hidden by another, where {self._sight.name} sees the frame at {self._seen[1]} x"
                    f" {self._seen[0]}; follow it on its own, with --effort best or --engine propagator=embedded"
                )
        return label

    @torch.inference_mode()
    def step(self, frame: int) -> Alpha:
        """Follows to the next frame; see `Tracker.step`.

        On a GPU nothing waits but for the masks, and the next frame is read and sent meanwhile.
        """
        with self._watched(frame):
            fetched = Fetched(self._advance(frame))
            if self._last is not None:
                self._uploads.send_ahead(2 * frame - self._last)
            self._last = frame
            return fetched.take()

    def _advance(self, frame: int) -> Tensor:
        """Orders all of a frame's work: float32 [N, H, W] on the device."""
        with half_precision(self._device, halves=self._sight.halves):
            scene = self._follower.network.encode(self._uploads.take(frame))
            known, glimpse = self._follower.look(self._known, scene)
            logits = self._follower.decode(known, glimpse, self._frames.size)
            chances = logits.softmax(1)[0, : 1 + len(self._objects)]
            label = chances.argmax(0)
            self._known = self._follower.remember(known, glimpse, shrink_label(label, self._seen))
        self._shown = scene, label
        return chances[1:]

    def save(self) -> bytes:
        """All state after the last step, as tensors by name."""
        target = io.BytesIO()
        torch.save({_OBJECTS: torch.tensor(self._objects), **pack(self._known)}, target)
        return target.getvalue()

    def resume(self, saved: bytes) -> None:
        """Goes on from what ``save`` gave."""
        tensors: dict[str, Tensor] = torch.load(io.BytesIO(saved), map_location=self._device, weights_only=True)
        self._objects = [int(each) for each in tensors[_OBJECTS].tolist()]
        self._known = unpack(tensors)

    def _prepared(self, frame: int) -> Tensor:
        # what lies beyond black and white was never seen in training
        rgb = np.clip(np.nan_to_num(self._frames.rgb(frame)), 0.0, 1.0).astype(np.float32)
        return prepare_picture(rgb, self._seen)

    def _watched(self, frame: int) -> AbstractContextManager[None]:
        where = f"at frame {frame} ({len(self._objects)} objects, seen at {self._seen[1]} x {self._seen[0]})"
        return propagation_watched(self._sight.name, self._device, where)


def draw_keys(label: Tensor, numbered: Sequence[tuple[int, Key]]) -> Tensor:
    """Draws keys with their numbers over labels int64 [H, W]; where keys overlap the smaller object wins."""
    for number, key in sorted(numbered, key=lambda each: -int(np.count_nonzero(each[1].mask))):
        # torch wants an array that may be written to
        label = label.masked_fill(torch.from_numpy(key.mask.copy()).to(label.device), number)
    return label
