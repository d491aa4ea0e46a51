"""Names among a job's prompts: looked for once, every hit told, those that are meant made prompts for the segmenter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cleanplate_server.clip import ClipRange
from cleanplate_server.models.protocols import Box, EngineInfo, EngineKind, NameAnswer, NameFinder, NameHit, Prompt
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


@dataclass(frozen=True)
class _Looked:
    """What came of one name.

    Args:
        found: in each shot that shows it, one frame.
        notes: what a person is to hear of it.
        frame_count: frames that were looked at.
    """

    found: tuple[_Found, ...]
    notes: tuple[str, ...]
    frame_count: int


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
    done = 0
    with job.plates(clip.media) as plates:
        for number, prompt in enumerate(named, start=1):
            file = job.ledger.finished(_STAGE, str(number))
            if file is None:
                looked = _Search(job, clip, plates, finder, objects, done).look(prompt)
                file = job.ledger.folder / _STAGE / f"{number}.npz"
                write_arrays(file, _packed(looked))
                job.ledger.finish(_STAGE, str(number), file)
            kept = _unpacked(file, clip.media.size)
            done += kept.frame_count
            job.ledger.progress(_STAGE, done, done)
            for sentence in kept.notes:
                job.note(sentence)
            for place in kept.found:
                objects.assign(next(shot for shot in shots if place.frame in shot), place)
                made += [hit_prompt(hit, prompt, frame=place.frame, object_id=k) for k, hit in place.hits]
    return Named(tuple(made), (("name-finder", finder.info),))


@dataclass(frozen=True)
class _Search:
    """Looks for names in a clip.

    Args:
        job: hears how far it is.
        clip: the range.
        plates: of its media.
        finder: the engine.
        objects: numbers for hits.
        done: frames that were looked at for other names.
    """

    job: Job
    clip: ClipRange
    plates: PlateCache
    finder: NameFinder
    objects: _Objects
    done: int

    def look(self, prompt: Prompt) -> _Looked:
        """Looks in the shot of the prompt's frame, or in every shot.

        Raises:
            PromptError: it is nowhere to be seen, or has fewer hits than are asked for.
        """
        frames: list[int] = []
        notes: list[str] = []
        remarks: list[str] = []
        found: list[_Found] = []
        for shot in self.job.shots(self.clip):
            if prompt.frame in shot or (prompt.every_shot and not is_pointed(prompt)):
                for frame in frames_to_look(prompt, shot):
                    self.job.ledger.progress(_STAGE, self.done + len(frames), self.done + len(frames) + 1)
                    frames.append(frame)
                    answer = self._answer(prompt, frame)
                    remarks += [answer.remark] if answer.remark else []
                    hits = fitting_hits(answer, prompt)
                    if hits:
                        found.append(self._taken(prompt, shot, frame, hits))
                        notes.append(_sentence(prompt, hits, found[-1]))
                        break
        if not found:
            raise not_found(prompt.name, frames, self.clip.media.path.name, next(iter(remarks), ""))
        return _Looked(tuple(found), (*notes, *dict.fromkeys(remarks)), len(frames))

    def _answer(self, prompt: Prompt, frame: int) -> NameAnswer:
        media = self.clip.media
        rgb = to_rgb(self.plates.plate(frame).planes, media.format, media.tags)
        return self.finder.find(rgb, prompt.name)

    def _taken(self, prompt: Prompt, shot: range, frame: int, hits: Sequence[NameHit]) -> _Found:
        """The hits that are meant, each with an object's number."""
        taken = [hit for _, hit in taken_hits(hits, prompt)]
        return _Found(frame, tuple(zip(self.objects.numbers(prompt, shot, len(taken)), taken, strict=True)))


def _sentence(prompt: Prompt, hits: Sequence[NameHit], found: _Found) -> str:
    """Where a name was found, every hit, and which object each hit is that was taken."""
    where = f"on frame {found.frame}"
    if found.frame != prompt.frame and not prompt.every_shot:
        where += f" and not on frame {prompt.frame}"
    objects = ", ".join(f"{hits.index(hit) + 1} is object {object_id}" for object_id, hit in found.hits)
    return f"'{prompt.name}' was found {where}: {describe_hits(hits)}; of these {objects}"


def _packed(looked: _Looked) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    rows = []
    for place in looked.found:
        for object_id, hit in place.hits:
            corners = [hit.box.x0, hit.box.y0, hit.box.x1, hit.box.y1]
            rows.append([place.frame, object_id, corners, hit.score, hit.label])
            if hit.mask is not None:
                arrays |= pack_alpha(hit.mask.astype(np.float32), f"{place.frame}-{object_id}")
    text = json.dumps({"hits": rows, "notes": looked.notes, "frame_count": looked.frame_count})
    return arrays | {"text": np.frombuffer(text.encode(), np.uint8)}


def _unpacked(file: Path, size: tuple[int, int]) -> _Looked:
    arrays = read_arrays(file)
    text = json.loads(arrays["text"].tobytes())
    hits: dict[int, list[tuple[int, NameHit]]] = {}
    for frame, object_id, corners, score, label in text["hits"]:
        name = f"{frame}-{object_id}"
        mask = np.asarray(unpack_alpha(arrays, name, size) >= 128) if f"alpha-{name}" in arrays else None
        hits.setdefault(frame, []).append((object_id, NameHit(Box(*corners), score, label, mask)))
    found = tuple(_Found(frame, tuple(placed)) for frame, placed in hits.items())
    return _Looked(found, tuple(text["notes"]), text["frame_count"])
