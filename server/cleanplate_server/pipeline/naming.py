"""Names among a job's prompts: looked for once, every hit told, those that are meant made prompts for the segmenter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cleanplate_server.clip import ClipRange
from cleanplate_server.models.protocols import Box, EngineInfo, EngineKind, NameFinder, NameHit, Prompt
from cleanplate_server.pipeline.job import Job
from cleanplate_server.stages.color import to_rgb
from cleanplate_server.stages.naming import (
    describe_hits,
    fitting_hits,
    frames_to_look,
    hit_prompt,
    is_pointed,
    not_found,
    taken_hits,
)
from cleanplate_server.stages.plates import PlateCache
from cleanplate_server.stages.windows import Array, pack_alpha, read_arrays, unpack_alpha, write_arrays

_STAGE = "name"


@dataclass(frozen=True)
class Named:
    """A job's prompts without names.

    Args:
        prompts: those that had none, and one for each hit that is meant.
        engines: which looked; none where there was no name.
    """

    prompts: tuple[Prompt, ...]
    engines: tuple[tuple[EngineKind, EngineInfo], ...] = ()


@dataclass(frozen=True)
class _Found:
    """A frame that shows a name, and the hits that are meant, each with its object."""

    frame: int
    hits: tuple[tuple[int, NameHit], ...]


@dataclass
class _Objects:
    """Numbers of objects, so that no two hits in a shot have the same.

    Args:
        spoken_of: by prompts of any kind.
        assigned: to hits, by shot.
    """

    spoken_of: frozenset[int]
    assigned: dict[range, set[int]] = field(default_factory=dict)

    def numbers(self, prompt: Prompt, shot: range, count: int) -> list[int]:
        """The prompt's own first, unless another name has it, then those that nobody speaks of."""
        here = self.assigned.get(shot, set())
        numbers = [] if prompt.object_id in here else [prompt.object_id]
        candidate = prompt.object_id
        while len(numbers) < count:
            candidate += 1
            if candidate not in here and candidate not in self.spoken_of:
                numbers.append(candidate)
        return numbers[:count]

    def assign(self, shot: range, found: _Found) -> None:
        self.assigned.setdefault(shot, set()).update(number for number, _ in found.hits)


def resolve_names(job: Job, clip: ClipRange, prompts: Sequence[Prompt]) -> Named:
    """Makes prompts for the segmenter out of names; a job that goes on keeps what was found before.

    Raises:
        PromptError: a name that is not known, is nowhere to be seen, or has fewer hits than are asked for.
        EngineError: no name finder can run.
    """
    named = [prompt for prompt in prompts if prompt.name]
    if not named:
        return Named(tuple(prompts))
    finder = job.engines.name_finder(job.spec.engines.get("name-finder", ""), job.spec.effort)
    made = [prompt for prompt in prompts if not prompt.name]
    objects = _Objects(frozenset(prompt.object_id for prompt in prompts))
    shots = job.shots(clip)
    with job.plates(clip.media) as plates:
        for number, prompt in enumerate(named, start=1):
            job.ledger.progress(_STAGE, number - 1, len(named))
            file = job.ledger.finished(_STAGE, str(number))
            if file is None:
                found = _Search(job, clip, plates, finder, objects).look(prompt)
                file = job.ledger.folder / _STAGE / f"{number}.npz"
                write_arrays(file, _packed(found))
                job.ledger.finish(_STAGE, str(number), file)
            for place in _unpacked(file, clip.media.size):
                objects.assign(next(shot for shot in shots if place.frame in shot), place)
                made += [hit_prompt(hit, prompt, frame=place.frame, object_id=k) for k, hit in place.hits]
    job.ledger.progress(_STAGE, len(named), len(named))
    return Named(tuple(made), (("name-finder", finder.info),))


@dataclass(frozen=True)
class _Search:
    """Looks for names in a clip.

    Args:
        job: hears what was found.
        clip: the range.
        plates: of its media.
        finder: the engine.
        objects: numbers for hits.
    """

    job: Job
    clip: ClipRange
    plates: PlateCache
    finder: NameFinder
    objects: _Objects

    def look(self, prompt: Prompt) -> list[_Found]:
        """Looks in the shot of the prompt's frame, or in every shot.

        Raises:
            PromptError: it is nowhere to be seen, or has fewer hits than are asked for.
        """
        looked: list[int] = []
        remarks: list[str] = []
        found = []
        for shot in self.job.shots(self.clip):
            if prompt.frame in shot or (prompt.every_shot and not is_pointed(prompt)):
                found += list(self._in_shot(prompt, shot, looked, remarks))
        if not found:
            raise not_found(prompt.name, looked, self.clip.media.path.name, next(iter(remarks), ""))
        for remark in dict.fromkeys(remarks):
            self.job.note(remark)
        return found

    def _in_shot(self, prompt: Prompt, shot: range, looked: list[int], remarks: list[str]) -> Iterator[_Found]:
        """The first frame of a shot that shows the name, if one does; adds to what was looked at and remarked."""
        media = self.clip.media
        for frame in frames_to_look(prompt, shot):
            rgb = to_rgb(self.plates.plate(frame).planes, media.format, media.tags)
            answer = self.finder.find(rgb, prompt.name)
            self.job.ledger.progress(_STAGE, 0, 1)
            looked.append(frame)
            remarks += [answer.remark] if answer.remark else []
            hits = fitting_hits(answer, prompt)
            if hits:
                taken = taken_hits(hits, prompt)
                numbers = self.objects.numbers(prompt, shot, len(taken))
                self._tell(prompt, frame, hits, dict(zip(numbers, (number for number, _ in taken), strict=True)))
                yield _Found(frame, tuple(zip(numbers, (hit for _, hit in taken), strict=True)))
                return

    def _tell(self, prompt: Prompt, frame: int, hits: Sequence[NameHit], taken: dict[int, int]) -> None:
        """Says where a name was found, every hit, and which object each hit is that was taken."""
        where = f"on frame {frame}"
        if frame != prompt.frame and not prompt.every_shot:
            where += f" and not on frame {prompt.frame}"
        objects = ", ".join(f"{number} is object {object_id}" for object_id, number in taken.items())
        self.job.note(f"'{prompt.name}' was found {where}: {describe_hits(hits)}; of these {objects}")


def _packed(found: Sequence[_Found]) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    rows = []
    for place in found:
        for object_id, hit in place.hits:
            corners = [hit.box.x0, hit.box.y0, hit.box.x1, hit.box.y1]
            rows.append([place.frame, object_id, corners, hit.score, hit.label])
            if hit.mask is not None:
                arrays |= pack_alpha(hit.mask.astype(np.float32), f"{place.frame}-{object_id}")
    return arrays | {"hits": np.frombuffer(json.dumps(rows).encode(), np.uint8)}


def _unpacked(file: Path, size: tuple[int, int]) -> list[_Found]:
    arrays = read_arrays(file)
    hits: dict[int, list[tuple[int, NameHit]]] = {}
    for frame, object_id, corners, score, label in json.loads(arrays["hits"].tobytes()):
        name = f"{frame}-{object_id}"
        mask = np.asarray(unpack_alpha(arrays, name, size) >= 128) if f"alpha-{name}" in arrays else None
        hits.setdefault(frame, []).append((object_id, NameHit(Box(*corners), score, label, mask)))
    return [_Found(frame, tuple(placed)) for frame, placed in hits.items()]
