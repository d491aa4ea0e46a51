"""OSVOS as a propagator: a network for each object, trained on all of its keys, and each frame for itself.

The number of updates is the dial between time and accuracy: 0 is the parent network alone, which finds whatever stands
out. Held are a network for each object, while training the pictures of a few keys, and while following one frame.
Training is seeded: the same keys give the same network again.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cleanplate_server.errors import MaskError
from cleanplate_server.models.networks.device_memory import propagation_watched
from cleanplate_server.models.networks.osvos import (
    LEARNING_RATE,
    PASSES_PER_UPDATE,
    Lesson,
    Osvos,
    draw_lessons,
    prepare_picture,
    train,
)
from cleanplate_server.models.networks.uploads import Fetched, Uploads
from cleanplate_server.models.prompt_checks import refuse_unusable_keys
from cleanplate_server.models.protocols import RGB, Alpha, Effort, EngineInfo, Frames, Key, Mask, Tick

UPDATES: Mapping[Effort, int] = {"fast": 100, "balanced": 500, "best": 2000}
"""The authors' own number is 2000; 100 take seconds on a GPU."""

_RATE_PIXELS = 854 * 480
"""The learning rate fits a sum over so many pixels."""
_THRESHOLD = 162 / 255
"""Of the published program; moved to one half, where all propagators are cut."""
_SEED = 0
_HELD_PICTURES = 8
_LEAST_LONG_EDGE_PX = 320
_SMALLER = 0.7


class OsvosPropagator:
    """Key masks to masks on all frames, a `LearningPropagator` that can do with less memory.

    Args:
        parent: the parent network's weights, on the CPU.
        info: name, licence, weights.
        device: ``cpu`` or ``cuda:N``.
        updates: of the training on an object's keys.
        long_edge_px: frames are seen no larger than this.
    """

    def __init__(
        self, parent: Mapping[str, Tensor], info: EngineInfo, *, device: str, updates: int, long_edge_px: int
    ) -> None:
        self._parent = parent
        self._plain_info = info
        self._device = torch.device(device)
        self._updates = updates
        self._long_edge_px = long_edge_px
        self._learned: dict[str, Osvos] = {}

    @property
    def info(self) -> EngineInfo:
        """Its name says how many updates there were, as in ``--engine``."""
        return replace(self._plain_info, name=f"{self._plain_info.name}:updates={self._updates}")

    def smaller(self, size: tuple[int, int]) -> OsvosPropagator | None:
        """The same at a smaller size; see `ShrinkingPropagator`."""
        before = min(self._long_edge_px, max(size))
        edge = max(_LEAST_LONG_EDGE_PX, int(before * _SMALLER))
        if edge >= before:
            return None
        return OsvosPropagator(
            self._parent, self._plain_info, device=str(self._device), updates=self._updates, long_edge_px=edge
        )

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size (height, width) at which frames of a size are seen; see `ShrinkingPropagator`."""
        share = min(1.0, self._long_edge_px / max(size))
        return max(1, round(size[0] * share)), max(1, round(size[1] * share))

    def update_count(self, keys: Sequence[Key]) -> int:
        """Updates for these keys; see `LearningPropagator`."""
        return self._updates * len({key.object_id for key in keys})

    def learn(self, frames: Frames, keys: Sequence[Key], folder: Path, tick: Tick) -> OsvosPropagator:
        """Trains a network for each object; see `LearningPropagator.learn`."""
        refuse_unusable_keys(keys, frames.size)
        learned: dict[str, Osvos] = {}
        for number, object_id in enumerate(sorted({key.object_id for key in keys})):
            done = number * self._updates
            pictures = KeyPictures(frames, _keys_of(object_id, keys), self.working_size(frames.size))
            name = self._fingerprint(pictures)
            file = folder / f"object-{object_id}-{name}.pth"
            if file.is_file():
                learned[name] = self._load(file)
            else:
                learned[name] = self._train(pictures, partial(_tick_after, done, tick))
                _write(learned[name], file)
            tick(done + self._updates)
        self._learned = learned
        return self

    def follow(
        self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None
    ) -> OsvosTracker:
        """Starts to follow objects; see `Propagator.follow`. What was not learned before is learned now."""
        refuse_unusable_keys((*keys, *start), frames.size)
        seen = self.working_size(frames.size)
        networks = []
        for key in start:
            pictures = KeyPictures(frames, _keys_of(key.object_id, keys) or [key], seen)
            name = self._fingerprint(pictures)
            if name not in self._learned:
                self._learned[name] = self._train(pictures, lambda updates: None)
            networks.append(self._learned[name])
        return OsvosTracker(networks, frames, seen, name=self.info.name)

    def _train(self, pictures: KeyPictures, tick: Tick) -> Osvos:
        """Trains from the parent; ``tick`` gets the updates done after each pass."""
        network = Osvos()
        network.load_state_dict(self._parent)
        height, width = pictures.size
        rate = LEARNING_RATE * _RATE_PIXELS / (height * width)
        lessons = draw_lessons(pictures.shown(), count=self._updates * PASSES_PER_UPDATE, seed=_SEED)
        doing = f"while it learned object {pictures.object_id} (seen at {width} x {height})"
        with propagation_watched(self.info.name, self._device, doing), _repeatable(), torch.enable_grad():
            network.to(self._device)
            sent = (Lesson(each.picture.to(self._device), each.mask.to(self._device)) for each in lessons)
            for number, _ in enumerate(train(network, sent, learning_rate=rate), start=1):
                tick(number // PASSES_PER_UPDATE)
        return network.eval().requires_grad_(False)

    def _load(self, file: Path) -> Osvos:
        network = Osvos()
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        with propagation_watched(self.info.name, self._device, f"with what it learned in {file.name}"):
            return network.to(self._device).eval().requires_grad_(False)

    def _fingerprint(self, pictures: KeyPictures) -> str:
        """A name for what is learned: the same for the same parent, updates, keys and their frames."""
        digest = hashlib.sha256(f"{self._updates} {_SEED} {pictures.size}".encode())
        for name in ("fuse.weight", "stages.0.0.weight"):
            digest.update(self._parent[name].numpy().tobytes())
        for shown in pictures.shown():
            rgb, mask = shown()
            digest.update(rgb.tobytes())
            digest.update(np.packbits(mask).tobytes())
        return digest.hexdigest()[:16]


class KeyPictures:
    """The frames and masks of an object's keys at working size; a few pictures are held.

    Args:
        frames: the shot.
        keys: of one object, at least one.
        size: (height, width) at which they are seen.

    Raises:
        MaskError: a mask has no pixel at that size.
    """

    def __init__(self, frames: Frames, keys: Sequence[Key], size: tuple[int, int]) -> None:
        self._frames = frames
        self._held: OrderedDict[int, RGB] = OrderedDict()
        self._masks = {key.frame: _reduced_mask(key, size) for key in keys}
        self.object_id = keys[0].object_id
        self.size = size

    def shown(self) -> list[Callable[[], tuple[RGB, Mask]]]:
        """One for each key, in order of frames."""
        return [partial(self._look_at, frame) for frame in sorted(self._masks)]

    def _look_at(self, frame: int) -> tuple[RGB, Mask]:
        if frame not in self._held:
            self._held[frame] = reduced(self._frames.rgb(frame), self.size)
            while len(self._held) > _HELD_PICTURES:
                self._held.popitem(last=False)
        self._held.move_to_end(frame)
        return self._held[frame], self._masks[frame]


class OsvosTracker:
    """Objects on each frame for itself, a `Tracker`.

    Args:
        networks: one for each object, trained.
        frames: the shot.
        seen: size (height, width) at which frames are seen.
        name: of the engine, for messages.
    """

    def __init__(self, networks: Sequence[Osvos], frames: Frames, seen: tuple[int, int], *, name: str) -> None:
        self._networks = networks
        self._frames = frames
        self._seen = seen
        self._name = name
        self._device = next(networks[0].parameters()).device
        self._uploads = Uploads(self._prepared, frames.frames, self._device)
        self._last: int | None = None

    @torch.inference_mode()
    def step(self, frame: int) -> Alpha:
        """Finds the objects on a frame; see `Tracker.step`."""
        with self._watched(frame):
            fetched = Fetched(self._chances(self._uploads.take(frame)))
            if self._last is not None:
                self._uploads.send_ahead(2 * frame - self._last)
            self._last = frame
            return fetched.take()

    def save(self) -> bytes:
        """A word: frames know nothing of each other, and what was learned is kept or learned again alike."""
        return b"osvos"

    def _chances(self, picture: Tensor) -> Tensor:
        """float32 [N, H, W]; where several objects are likely the likeliest has the pixel."""
        # in float32: pictures enter unscaled, and what comes of them may leave half precision's range
        logits = torch.cat([network(picture).fused for network in self._networks], 1)
        if self._seen != self._frames.size:
            logits = functional.interpolate(logits, self._frames.size, mode="bilinear", align_corners=False)
        chances = (logits[0] - math.log(_THRESHOLD / (1 - _THRESHOLD))).sigmoid()
        best, owner = chances.max(0)
        owned = torch.arange(len(self._networks), device=chances.device)[:, None, None] == owner
        return torch.where(owned, chances, torch.minimum(chances, (1 - best).clamp(max=0.49)))

    def _prepared(self, frame: int) -> Tensor:
        return prepare_picture(reduced(self._frames.rgb(frame), self._seen))

    def _watched(self, frame: int) -> AbstractContextManager[None]:
        where = f"at frame {frame} ({len(self._networks)} objects, seen at {self._seen[1]} x {self._seen[0]})"
        return propagation_watched(self._name, self._device, where)


def reduced(rgb: RGB, size: tuple[int, int]) -> RGB:
    """A frame float32 [H, W, 3] at (height, width), within black and white: nothing else was seen in training."""
    shown = np.clip(np.nan_to_num(rgb), 0.0, 1.0).astype(np.float32)
    if shown.shape[:2] != size:
        shown = np.asarray(cv2.resize(shown, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    return shown


def _reduced_mask(key: Key, size: tuple[int, int]) -> Mask:
    mask = key.mask
    if mask.shape != size:
        shares = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
        mask = np.asarray(shares >= 0.5, np.bool_)
    if not mask.any():
        raise MaskError(
            f"object {key.object_id} on frame {key.frame} ({np.count_nonzero(key.mask)} pixels) is too small where"
            f" osvos sees the frame at {size[1]} x {size[0]}; choose --effort best or --engine propagator=embedded"
        )
    return mask


def _tick_after(before: int, tick: Tick, done: int) -> None:
    tick(before + done)


def _keys_of(object_id: int, keys: Sequence[Key]) -> list[Key]:
    return [key for key in keys if key.object_id == object_id]


def _write(network: Osvos, file: Path) -> None:
    """Writes what was learned beside its place and renames it."""
    part = file.with_suffix(".part")
    torch.save({name: value.cpu() for name, value in network.state_dict().items()}, part)
    part.replace(file)


def _repeatable() -> AbstractContextManager[object]:
    """Lets a GPU choose its algorithms so that they give the same sums each time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
