"""SAM 2.1 and SAM 3 as propagators: key masks to masks on all frames, with bounded memory.

What is remembered of each object: the start key and up to three more of its keys, the nearest ones; the masks of the
last six followed frames; and what the object looked like on the last fifteen. The published networks never look farther
back, so that forgetting the rest changes nothing. Pictures are forgotten once they are encoded. So a long shot needs no
more memory than a short one. Objects are followed each for itself, and share the encoded picture.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from cleanplate_server.errors import DeviceMemoryError
from cleanplate_server.models.networks.sam.library import Outputs, Session, Tracks, to_bytes
from cleanplate_server.models.networks.uploads import Fetched, Uploads, half_precision
from cleanplate_server.models.prompt_checks import refuse_unusable_keys
from cleanplate_server.models.protocols import Alpha, EngineInfo, Frames, Key

_MORE_KEYS = 3
_OBJECT = 1
"""Each session has one object."""
_KEYS, _FOLLOWED = "cond_frame_outputs", "non_cond_frame_outputs"
_NEVER_REMEMBERED = "high_res_masks"


class SamPropagator:
    """Key masks to masks on all frames, a `Propagator`. Every effort works alike: the network sees one size only.

    Args:
        tracks: the network.
        info: name, licence, weights.
        halves: whether the encoder works in half precision; None where that is fast, on a GPU.
    """

    def __init__(self, tracks: Tracks, info: EngineInfo, *, halves: bool | None = None) -> None:
        self._tracks = tracks
        self._info = info
        self._halves = tracks.device.type == "cuda" if halves is None else halves

    @property
    def info(self) -> EngineInfo:
        return self._info

    def follow(
        self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None
    ) -> SamTracker:
        """Starts to follow objects; see `Propagator.follow`.

        Raises:
            MaskError: a key of another size, or an empty one.
            DeviceMemoryError: the network and its memory do not fit the device's memory.
        """
        refuse_unusable_keys((*keys, *start), frames.size)
        tracker = SamTracker(self._tracks, frames, start=start, name=self._info.name, halves=self._halves)
        if saved is not None:
            tracker.resume(saved)
        else:
            tracker.learn([choose_keys(keys, own) for own in start])
        return tracker


class SamTracker:
    """Objects on their way through a shot in one direction, a `Tracker`.

    Args:
        tracks: the network.
        frames: the shot.
        start: the keys to start from, one for each object.
        name: of the engine, for messages.
        halves: whether the encoder works in half precision.
    """

    def __init__(self, tracks: Tracks, frames: Frames, *, start: Sequence[Key], name: str, halves: bool) -> None:
        self._tracks = tracks
        self._halves = halves
        self._frames = frames
        self._first = start[0].frame
        self._name = name
        self._sessions = [_begin(tracks) for _ in start]
        self._uploads = Uploads(
            lambda frame: torch.from_numpy(to_bytes(frames.rgb(frame))), frames.frames, tracks.device
        )

    @torch.inference_mode()
    def learn(self, keys: Sequence[Sequence[Key]]) -> None:
        """Takes in masks that a person confirmed: for each object its keys, in the order in which they count."""
        asked = sorted({key.frame for own in keys for key in own})
        with self._memory_in_words(self._first):
            for frame in asked:
                pixels = self._encode(frame)
                for session, own in zip(self._sessions, keys, strict=True):
                    for key in own:
                        if key.frame == frame:
                            self._show(session, key, pixels)
        for session, own in zip(self._sessions, keys, strict=True):
            known = _outputs(session)[_KEYS]
            _outputs(session)[_KEYS] = {key.frame: known[key.frame] for key in own}
            _forget_pictures(session)

    def step(self, frame: int) -> Alpha:
        """Follows to the next frame; see `Tracker.step`.

        Raises:
            DeviceMemoryError: the device's memory is too small.
        """
        with torch.inference_mode(), self._memory_in_words(frame):
            pixels = self._encode(frame)
            found = [self._follow(session, frame, pixels) for session in self._sessions]
            logits = torch.cat(found).float()
            alphas = torch.nn.functional.interpolate(logits, size=self._frames.size, mode="bilinear").sigmoid()
            fetched = Fetched(alphas[:, 0])
            self._uploads.send_ahead(frame + (1 if frame > self._first else -1))
            return fetched.take()

    def save(self) -> bytes:
        """All state after the last step, as tensors by name."""
        tensors: dict[str, Tensor] = {}
        for number, session in enumerate(self._sessions):
            tensors |= {f"{number}/{place}": tensor for place, tensor in _pack(_outputs(session)).items()}
        target = io.BytesIO()
        torch.save(tensors, target)
        return target.getvalue()

    def resume(self, saved: bytes) -> None:
        """Goes on from what ``save`` gave."""
        tensors: dict[str, Tensor] = torch.load(io.BytesIO(saved), map_location=self._tracks.device, weights_only=True)
        for number, session in enumerate(self._sessions):
            own = {place.partition("/")[2]: t for place, t in tensors.items() if place.startswith(f"{number}/")}
            session.output_dict_per_obj[0] = _unpack(own)

    def _encode(self, frame: int) -> Tensor:
        """Encodes a frame once for all sessions; gives what the network sees."""
        tracks = self._tracks
        pixels = tracks.look.prepare(self._uploads.take(frame))
        with half_precision(tracks.device, halves=self._halves):
            features = tracks.network.get_image_features(pixels, return_dict=True)
        known = {
            "vision_feats": [level.float() for level in features.fpn_hidden_states],
            "vision_pos_embeds": [level.float() for level in features.fpn_position_encoding],
        }
        for session in self._sessions:
            session.cache.cache_vision_features(frame, known)
        return pixels

    def _show(self, session: Session, key: Key, pixels: Tensor) -> None:
        """Has the network remember a mask as the truth."""
        side = self._tracks.look.side_px
        mask = torch.from_numpy(key.mask)[None, None].to(self._tracks.device).float()
        square = torch.nn.functional.interpolate(mask, size=(side, side), mode="bilinear", antialias=True)
        # what is thinner than half a pixel of the square must not vanish from it
        session.add_mask_inputs(0, key.frame, (square >= min(0.5, float(square.max()))).float())
        session.obj_with_new_inputs = [_OBJECT]
        self._tracks.network(inference_session=session, frame_idx=key.frame, frame=pixels, reverse=False)
        session.remove_mask_inputs(0, key.frame)

    def _follow(self, session: Session, frame: int, pixels: Tensor) -> Tensor:
        """Logits [1, 1, s, s] of one object on the next frame; what is too far back is forgotten."""
        backward = frame < self._first
        found = self._tracks.network(inference_session=session, frame_idx=frame, frame=pixels, reverse=backward)
        _forget_pictures(session)
        self._forget_frames(_outputs(session), frame)
        return found.pred_masks

    def _forget_frames(self, outputs: Outputs, frame: int) -> None:
        followed = outputs[_FOLLOWED]
        for earlier in list(followed):
            away = abs(frame - earlier)
            if away >= self._tracks.pointer_frames:
                del followed[earlier]
            elif away >= self._tracks.memory_frames:
                followed[earlier] = {"object_pointer": followed[earlier]["object_pointer"]}

    @contextmanager
    def _memory_in_words(self, frame: int) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise DeviceMemoryError(
                f"{self._name} ran out of memory on {self._tracks.device} at frame {frame} ({len(self._sessions)}"
                " objects); choose --engine propagator=sam2.1-tiny or --engine propagator=embedded",
            ) from error


def choose_keys(keys: Sequence[Key], start: Key) -> list[Key]:
    """The keys to learn an object from: the start key, first, and the nearest others of the same object."""
    others = [key for key in keys if key.object_id == start.object_id and key.frame != start.frame]
    nearest = sorted(others, key=lambda key: (abs(key.frame - start.frame), key.frame))
    return [start, *nearest[:_MORE_KEYS]]


def _begin(tracks: Tracks) -> Session:
    device = tracks.device
    session = tracks.begin(
        inference_device=device, inference_state_device=device, video_storage_device=device, dtype=torch.float32
    )
    session.obj_id_to_idx(_OBJECT)
    return session


def _outputs(session: Session) -> Outputs:
    return session.output_dict_per_obj[0]


def _forget_pictures(session: Session) -> None:
    """Drops pictures, large masks, and the list of frames that were followed, which would grow with the shot."""
    session.processed_frames = None
    session.frames_tracked_per_obj[0].clear()
    for frames in _outputs(session).values():
        for outputs in frames.values():
            outputs.pop(_NEVER_REMEMBERED, None)


def _pack(outputs: Outputs) -> dict[str, Tensor]:
    """Names every tensor that is remembered of an object, and keeps the order of frames, which rounding depends on."""
    tensors: dict[str, Tensor] = {}
    for kind, frames in outputs.items():
        tensors[f"{kind}/frames"] = torch.tensor(list(frames), dtype=torch.int64)
        for frame, known in frames.items():
            # views would be saved with all that they are cut from
            tensors |= {f"{kind}/{frame}/{name}": value.clone() for name, value in known.items()}
    return tensors


def _unpack(tensors: Mapping[str, Tensor]) -> Outputs:
    """Puts together what ``_pack`` named."""
    outputs: Outputs = {}
    for kind in (_KEYS, _FOLLOWED):
        outputs[kind] = {}
        for frame in map(int, tensors[f"{kind}/frames"]):
            start = f"{kind}/{frame}/"
            outputs[kind][frame] = {p.removeprefix(start): t for p, t in tensors.items() if p.startswith(start)}
    return outputs
