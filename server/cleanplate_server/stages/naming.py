"""An object's name to prompts that a segmenter answers: which frames are looked at, and which hits are taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cleanplate_server.errors import PromptError
from cleanplate_server.models.protocols import Box, NameAnswer, NameHit, Prompt

_LATER_COUNT, _EARLIER_COUNT = 8, 4
"""Frames that are looked at beside the one that was meant; a finder may take seconds for each."""


def frames_to_look(prompt: Prompt, shot: range) -> tuple[int, ...]:
    """The frames of a shot on which a name is looked for, until one shows it.

    That of the prompt, or the shot's first where it lies in another shot, then some spread over what follows, then some
    over what comes before. A prompt that points at something means its own frame alone.
    """
    start = prompt.frame if prompt.frame in shot else shot.start
    if is_pointed(prompt):
        return (start,)
    later = _spread(start, shot.stop - 1, _LATER_COUNT)
    earlier = _spread(start, shot.start, _EARLIER_COUNT)
    return (start, *later, *earlier)


def is_pointed(prompt: Prompt) -> bool:
    """Whether a prompt says where its name is, and so means one frame."""
    return bool(prompt.points or prompt.strokes or prompt.box)


def fitting_hits(answer: NameAnswer, prompt: Prompt) -> tuple[NameHit, ...]:
    """The hits that a prompt can mean: those under its clicks and strokes, and with their middle in its box."""
    return tuple(hit for hit in answer.hits if _fits(hit, prompt))


def taken_hits(hits: Sequence[NameHit], prompt: Prompt) -> tuple[tuple[int, NameHit], ...]:
    """The hits that a prompt asks for, each with its number from 1.

    Raises:
        PromptError: there are fewer.
    """
    numbered = tuple(enumerate(hits, start=1))
    if prompt.name_hit > len(hits):
        raise PromptError(
            f"hit {prompt.name_hit} of '{prompt.name}' is asked for and there"
            f" {'is 1' if len(hits) == 1 else f'are {len(hits)}'}; give a number up to {len(hits)},"
            f" or leave it out to take all: {describe_hits(hits)}",
            reason="NO_SUCH_HIT",
            metadata={"name": prompt.name, "hit_count": str(len(hits))},
        )
    return (numbered[prompt.name_hit - 1],) if prompt.name_hit else numbered


def hit_prompt(hit: NameHit, prompt: Prompt, *, frame: int, object_id: int) -> Prompt:
    """What a segmenter is asked for a hit: its box, its rough mask, and what else the prompt says."""
    return replace(
        prompt, frame=frame, object_id=object_id, box=hit.box, mask=hit.mask, name="", name_hit=0, every_shot=False
    )


def describe_hits(hits: Sequence[NameHit]) -> str:
    """Every hit with number, label, score and box, for a person."""
    return "; ".join(
        f"{number}. {hit.label} {hit.score:.2f} at {hit.box.x0},{hit.box.y0},{hit.box.x1 - 1},{hit.box.y1 - 1}"
        for number, hit in enumerate(hits, start=1)
    )


def not_found(name: str, frames: Sequence[int], media_name: str, remark: str = "") -> PromptError:
    """The refusal of a name that no frame shows."""
    where = f"frame {frames[0]}" if len(frames) == 1 else f"frames {', '.join(map(str, sorted(frames)))}"
    return PromptError(
        f"no '{name}' was found on {where} of {media_name}{f' ({remark})' if remark else ''}; say it in other words,"
        f" name a frame that shows it with --name F@WORDS, or click on it with --click F@X,Y",
        reason="NAME_NOT_FOUND",
        metadata={"name": name, "frames": ",".join(map(str, sorted(frames)))},
    )


def _spread(start: int, end: int, count: int) -> list[int]:
    """Up to so many frames from after one to another, even steps, the nearest first."""
    distance = abs(end - start)
    steps = sorted({round(distance * k / count) for k in range(1, count + 1)} - {0})
    return [start + step if end > start else start - step for step in steps]


def _fits(hit: NameHit, prompt: Prompt) -> bool:
    places = [(p.x, p.y) for p in prompt.points if p.inside]
    places += [place for stroke in prompt.strokes if stroke.inside for place in stroke.points]
    middle = ((hit.box.x0 + hit.box.x1 - 1) / 2, (hit.box.y0 + hit.box.y1 - 1) / 2)
    return all(_holds(hit.box, place) for place in places) and (prompt.box is None or _holds(prompt.box, middle))


def _holds(box: Box, place: tuple[float, float]) -> bool:
    return box.x0 - 0.5 <= place[0] <= box.x1 - 0.5 and box.y0 - 0.5 <= place[1] <= box.y1 - 0.5
