"""From prompts to a mask for every frame, window by window, so that a stopped job goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.clip import ClipRange
from cleanplate_server.errors import MaskError, MediaError
from cleanplate_server.models.protocols import Frames, JoinableTracker, Key, Mask, Prompt, Propagator
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.stages.composite import grow
from cleanplate_server.stages.given_masks import FollowedMasks
from cleanplate_server.stages.plates import MaskSource
from cleanplate_server.stages.propagate import Walk, join_directions, plan_shared_walks, plan_walks
from cleanplate_server.stages.segment import ClipSession, SegmenterFactory, join_prompts
from cleanplate_server.stages.windows import (
    Array,
    MaskFiles,
    cut_windows,
    pack_alpha,
    read_arrays,
    unpack_alpha,
    window_name,
    write_arrays,
    write_bytes,
    write_mask,
)


def segment_prompts(
    clip: ClipRange, prompts: Sequence[Prompt], segmenters: SegmenterFactory, *, engine: str, ledger: Ledger
) -> list[Key]:
    """Answers every prompt once; the answers are kept as pictures in the job's folder."""
    joined = join_prompts(prompts)
    keys = []
    with ClipSession(clip.media, segmenters) as session:
        for done, prompt in enumerate(joined, start=1):
            name = f"object-{prompt.object_id}-frame-{prompt.frame:06d}"
            file = ledger.finished("segment", name)
            if file is None:
                file = ledger.folder / "segment" / f"{name}.png"
                write_mask(file, session.key(prompt, engine).mask)
                ledger.finish("segment", name, file)
            keys.append(Key(prompt.frame, prompt.object_id, _read_mask(file)))
            ledger.progress("segment", done, len(joined))
        for sentence in session.remarks(engine):
            ledger.note(sentence)
    return keys


class ShotTracking:
    """Follows the objects of one shot.

    Args:
        frames: the shot.
        keys: of all objects, on frames of the shot.
        ledger: keeps the windows.
        given: masks that were followed before, by object; only what they leave open is walked.
        together: whether objects are followed together even where their keys lie apart (`SharedPropagator`).
    """

    def __init__(
        self, frames: Frames, keys: Sequence[Key], ledger: Ledger, *,
        given: Mapping[int, FollowedMasks] | None = None, together: bool = False,
    ) -> None:  # fmt: skip
        self._frames = frames
        self._keys = keys
        self._given = given or {}
        self._ledger = ledger
        self._folder = ledger.folder / "propagate"
        self._files: dict[Walk, list[tuple[range, Path]]] = {}
        planned = (plan_shared_walks if together else plan_walks)(keys, frames.frames)
        self.walks = [walk for whole in planned if (walk := self._open_part(whole)).frames]

    def _open_part(self, walk: Walk) -> Walk:
        """A walk up to its last frame without a given mask or a key."""
        missing = [i for i, frame in enumerate(walk.frames) if self._is_open(walk, frame)]
        return replace(walk, frames=walk.frames[: missing[-1] + 1 if missing else 0])

    def _is_open(self, walk: Walk, frame: int) -> bool:
        keyed = {key.object_id for key in walk.joined_on(frame)}
        objects = [object_id for object_id in walk.objects_on(frame) if object_id not in keyed]
        return any(each not in self._given or frame not in self._given[each].frames for each in objects)

    @property
    def step_count(self) -> int:
        """Frames to be walked in all."""
        return sum(len(walk.frames) for walk in self.walks)

    def follow(self, propagator: Propagator, done_before: int, total: int) -> None:
        """Walks every span; a window that is already there is not walked again."""
        done = done_before
        for walk in self.walks:
            windows = list(cut_windows(walk.frames))
            files = [self._file(walk, window) for window in windows]
            self._files[walk] = list(zip(windows, files, strict=True))
            kept = self._kept_count(walk, windows)
            done += sum(len(window) for window in windows[:kept])
            self._ledger.progress("propagate", done, total)
            if kept == len(windows):
                continue
            saved = _state(files[kept - 1]).read_bytes() if kept else None
            tracker = propagator.follow(self._frames, self._keys_of(walk), walk.starts, saved)
            for number in range(kept, len(windows)):
                arrays: dict[str, Array] = {}
                for frame in windows[number]:
                    for object_id, alpha in zip(walk.objects_on(frame), tracker.step(frame), strict=True):
                        arrays |= pack_alpha(alpha, f"{object_id}-{frame}")
                    if joined := walk.joined_on(frame):
                        assert isinstance(tracker, JoinableTracker), "objects are followed together by engines that can"
                        tracker.join(joined)
                    done += 1
                    self._ledger.progress("propagate", done, total)
                write_arrays(files[number], arrays)
                if number + 1 < len(windows):
                    write_bytes(_state(files[number]), tracker.save())
                self._ledger.finish("propagate", self._name(walk, windows[number]), files[number])
                if number:
                    _state(files[number - 1]).unlink(missing_ok=True)  # a network's may take 100 MB

    def _kept_count(self, walk: Walk, windows: Sequence[range]) -> int:
        """How many windows from the walk's start need not be walked again: all, or those with a state to go on from."""
        names = [self._name(walk, window) for window in windows]
        kept = 0
        while kept < len(names) and self._ledger.finished("propagate", names[kept]) is not None:
            kept += 1
        if kept == len(windows) or (kept and _state(self._file(walk, windows[kept - 1])).is_file()):
            return kept
        return 0

    def _name(self, walk: Walk, window: range) -> str:
        return f"{walk.name}/{window_name(window)}"

    def _file(self, walk: Walk, window: range) -> Path:
        return self._folder / f"{self._name(walk, window)}.npz"

    def _keys_of(self, walk: Walk) -> list[Key]:
        """Every key of the objects that a walk follows."""
        objects = {key.object_id for key in (*walk.starts, *walk.joins)}
        return [key for key in self._keys if key.object_id in objects]

    def masks(self) -> dict[int, MaskFiles]:
        """The joined masks of each object; frames that nothing reached have none."""
        return {object_id: self._join(object_id) for object_id in sorted({key.object_id for key in self._keys})}

    def _join(self, object_id: int) -> MaskFiles:
        masks = MaskFiles(self._frames.size)
        for window in cut_windows(self._frames.frames):
            name = f"object-{object_id}/{window_name(window)}"
            file = self._ledger.finished("masks", name)
            if file is None:
                file = self._ledger.folder / "masks" / f"{name}.npz"
                write_arrays(file, self._joined_window(object_id, window))
                self._ledger.finish("masks", name, file)
            masks.add(window, file)
        return masks

    def _joined_window(self, object_id: int, window: range) -> dict[str, Array]:
        keyed = {key.frame: key.mask for key in self._keys if key.object_id == object_id}
        given = self._given.get(object_id)
        forward = self._found(object_id, window, step=1)
        backward = self._found(object_id, window, step=-1)
        arrays: dict[str, Array] = {}
        for frame in window:
            mask = keyed.get(frame)
            if mask is None and given is not None and frame in given.frames:
                mask = given.mask(frame)
            if mask is None:
                mask = join_directions(frame, forward.get(frame), backward.get(frame))
            arrays |= pack_alpha(mask.astype(np.float32), str(frame))
        return arrays

    def _found(self, object_id: int, window: range, *, step: int) -> dict[int, tuple[int, NDArray[np.uint8]]]:
        """By frame: the key's frame and the probability that came from it in one direction."""
        found = {}
        for walk, files in self._files.items():
            if walk.frames.step != step:
                continue
            for walked, file in files:
                origins = {frame: walk.origin(object_id, frame) for frame in walked if frame in window}
                reached = {frame: origin for frame, origin in origins.items() if origin is not None}
                arrays = read_arrays(file) if reached else {}
                for frame, origin in reached.items():
                    found[frame] = origin, unpack_alpha(arrays, f"{object_id}-{frame}", self._frames.size)
        return found


def make_holes(
    sources: Sequence[MaskSource], frames: range, size: tuple[int, int], *, grow_px: int, ledger: Ledger
) -> MaskFiles:
    """The union of masks, grown: what is to be filled.

    Args:
        sources: masks of objects, of the picture's size.
        frames: frames of the shot.
        size: (height, width).
        grow_px: radius of the growth.
    """
    holes = MaskFiles(size)
    for window in cut_windows(frames):
        name = window_name(window)
        file = ledger.finished("holes", name)
        if file is None:
            arrays: dict[str, Array] = {}
            for frame in window:
                union = np.zeros(size, np.bool_)
                for source in sources:
                    if source.box(frame) is not None:
                        union |= source.mask(frame)
                arrays |= pack_alpha(grow(union, grow_px).astype(np.float32), str(frame))
            file = ledger.folder / "holes" / f"{name}.npz"
            write_arrays(file, arrays)
            ledger.finish("holes", name, file)
        holes.add(window, file)
    return holes


def _read_mask(file: Path) -> Mask:
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise MediaError(f"{file} cannot be read as a picture; delete the job and submit it again")
    if not picture.any():
        raise MaskError(f"the mask {file} is empty; delete the job and prompt again")
    return np.asarray(picture >= 128, np.bool_)


def _state(window_file: Path) -> Path:
    """Where what a tracker knew after a window is kept, until the next window is done."""
    return window_file.with_suffix(".state")
