"""What every operation starts from: the request, the ledger, the engines, and the clip with its shots."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from cleanplate_server.clip import ClipRange, Media
from cleanplate_server.errors import MediaError, RangeError
from cleanplate_server.models.protocols import (
    Effort,
    EngineInfo,
    Inpainter,
    Key,
    Matter,
    NameFinder,
    Prompt,
    Propagator,
    Segmenter,
)
from cleanplate_server.pipeline.executor import LocalExecutor, WindowExecutor
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.spec import JobSpec
from cleanplate_server.stages.cuts import cut_shots, find_cuts
from cleanplate_server.stages.decode import Decoder, probe
from cleanplate_server.stages.plates import PlateCache

PLATE_CACHE_BYTES = 256 << 20
"""Plates kept while a shot is worked on: enough for the neighbours that an engine asks for again, at any length."""


class Engines(Protocol):
    """Gives engines by name, or the preferred one for an empty name (``models.registry.Registry``)."""

    def segmenter(self, name: str = "", effort: Effort = "balanced") -> Segmenter: ...

    def segmenter_info(self, name: str = "") -> EngineInfo: ...

    def propagator(self, name: str = "", effort: Effort = "balanced") -> Propagator: ...

    def inpainter(self, name: str = "", effort: Effort = "balanced") -> Inpainter: ...

    def matter(self, name: str = "", effort: Effort = "balanced") -> Matter: ...

    def name_finder(self, name: str = "", effort: Effort = "balanced") -> NameFinder: ...


@dataclass(frozen=True)
class Job:
    """One run of one job.

    Args:
        spec: what is asked for.
        ledger: progress, finished windows, cancel.
        engines: gives the engines.
        executor: who does the windows.
        plate_cache_bytes: limit of the plates kept.
    """

    spec: JobSpec
    ledger: Ledger
    engines: Engines
    executor: WindowExecutor = field(default_factory=LocalExecutor)
    plate_cache_bytes: int = PLATE_CACHE_BYTES
    notes: list[str] = field(default_factory=list, init=False)

    def note(self, sentence: str) -> None:
        """Tells the user something now, and in the manifest; the same sentence twice is told once."""
        if sentence not in self.notes:
            self.notes.append(sentence)
        self.ledger.note(sentence)

    def open_clip(self) -> ClipRange:
        """Probes the media and checks the range.

        Raises:
            NotFoundError, AccessError, MediaError, RangeError.
        """
        spec = self.spec
        media = probe(spec.path, stream_index=spec.stream_index, sequence_rate=spec.sequence_rate)
        return clip_range(spec, media)

    @contextmanager
    def plates(self, media: Media) -> Iterator[PlateCache]:
        """Opens the media for random access."""
        with Decoder(media) as decoder:
            yield PlateCache(decoder, self.plate_cache_bytes)

    def shots(self, clip: ClipRange) -> list[range]:
        """The clip's frames, with handles, divided at its cuts; looked for once."""
        file = self.ledger.finished("decode", "cuts")
        if file is None:
            file = self.ledger.folder / "cuts.json"
            file.write_text(json.dumps(list(self._look_for_cuts(clip))))
            self.ledger.finish("decode", "cuts", file)
        return cut_shots(clip.frames, json.loads(file.read_text()))

    def _look_for_cuts(self, clip: ClipRange) -> Iterator[int]:
        with Decoder(clip.media) as decoder:
            for frame, is_cut in find_cuts(decoder.plates(clip.frames), clip.media):
                if is_cut:
                    yield frame
                else:
                    self.ledger.progress("decode", frame - clip.frames.start + 1, len(clip.frames))


def clip_range(spec: JobSpec, media: Media) -> ClipRange:
    """The range that a job asks for.

    Raises:
        RangeError: it does not fit the media.
        MediaError: the media is cut off, and the range reaches beyond its last good frame.
    """
    whole = media.frame_count + media.missing_frame_count
    count = spec.frame_count if spec.frame_count is not None else whole - spec.start_frame
    last_good = media.frame_count - 1
    if media.missing_frame_count and count > 0 and last_good < spec.start_frame + count - 1 < whole:
        raise MediaError(
            f"{media.path.name} is cut off: frame {last_good} is the last good one of {whole};"
            f" choose a range that ends there (--out {last_good}), or copy the file again",
            metadata={"last_good_frame": str(last_good)},
        )
    return ClipRange(media, spec.start_frame, count, spec.handle_count)


def check_prompt_frames(prompts: Sequence[Prompt], clip: ClipRange) -> None:
    """Refuses prompts on frames that the job does not work on.

    Raises:
        RangeError.
    """
    for prompt in prompts:
        if prompt.frame not in clip.frames:
            raise RangeError(
                f"the prompt on frame {prompt.frame} is outside the range, frames {clip.frames.start} to"
                f" {clip.frames.stop - 1} with handles; prompt inside it or widen the range"
            )


def keys_of(shot: range, keys: Sequence[Key]) -> list[Key]:
    """The keys on frames of a shot."""
    return [key for key in keys if key.frame in shot]
