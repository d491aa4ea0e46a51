"""Prompts, and what answers them."""

from __future__ import annotations

import math

import numpy as np
from cleanplate.v1 import prompt_pb2

from cleanplate_server.errors import PromptError
from cleanplate_server.messages.paths import Admit
from cleanplate_server.messages.pictures import encode_mask, mask_from_message
from cleanplate_server.models.protocols import Box, Candidate, NameHit, Point, Prompt, Stroke

_SIDES = {prompt_pb2.Point.SIDE_INSIDE: True, prompt_pb2.Point.SIDE_OUTSIDE: False}


def prompt_from_message(message: prompt_pb2.Prompt, *, admit: Admit) -> Prompt:
    """A prompt; what depends on the media is not checked here.

    Raises:
        PromptError: an unspecified side, a brush without width, a negative object, hit or outline.
        MaskError, NotFoundError: see ``mask_from_message``.
    """
    if message.object_id < 0:
        raise PromptError(f"object {message.object_id} makes no sense; objects are numbered from 1")
    if message.name_hit < 0:
        raise PromptError(f"hit {message.name_hit} makes no sense; hits of a name are numbered from 1, and 0 is all")
    if message.candidate < 0:
        raise PromptError(f"outline {message.candidate} makes no sense; outlines are numbered from 1, 0 is the best")
    frame = message.frame
    return Prompt(
        frame=frame,
        object_id=message.object_id or 1,
        points=tuple(Point(point.x, point.y, _inside(point.side, frame)) for point in message.points),
        box=_box_from_message(message.box) if message.HasField("box") else None,
        strokes=tuple(stroke_from_message(stroke, frame) for stroke in message.strokes),
        mask=mask_from_message(message.mask, frame=frame, admit=admit) if message.HasField("mask") else None,
        name=message.object_name.strip(),
        name_hit=message.name_hit,
        every_shot=message.every_shot,
        candidate=message.candidate,
    )


def prompt_to_message(prompt: Prompt) -> prompt_pb2.Prompt:
    """A prompt with its mask inline."""
    message = prompt_pb2.Prompt(
        frame=prompt.frame, object_id=prompt.object_id, object_name=prompt.name, name_hit=prompt.name_hit,
        every_shot=prompt.every_shot, candidate=prompt.candidate,
    )  # fmt: skip
    message.points.extend(prompt_pb2.Point(x=p.x, y=p.y, side=_side(p.inside)) for p in prompt.points)
    for stroke in prompt.strokes:
        points = [prompt_pb2.Point(x=x, y=y) for x, y in stroke.points]
        message.strokes.add(points=points, radius_px=stroke.radius_px, side=_side(stroke.inside))
    if prompt.box is not None:
        message.box.CopyFrom(box_to_message(prompt.box))
    if prompt.mask is not None:
        message.mask.png = encode_mask(prompt.mask)
    return message


def stroke_from_message(message: prompt_pb2.Stroke, frame: int) -> Stroke:
    """A brush line on a frame.

    Raises:
        PromptError: no point, no width, no side.
    """
    if not (message.radius_px > 0 and math.isfinite(message.radius_px)) or not message.points:
        raise PromptError(
            f"a stroke on frame {frame} has {len(message.points)} points and a radius of {message.radius_px:g} px;"
            " give at least one point and a radius greater than 0"
        )
    points = tuple((point.x, point.y) for point in message.points)
    return Stroke(points, message.radius_px, _inside(message.side, frame))


def box_to_message(box: Box) -> prompt_pb2.Box:
    """A half-open box with both corners in it, as the wire has it."""
    return prompt_pb2.Box(x0=box.x0, y0=box.y0, x1=box.x1 - 1, y1=box.y1 - 1)


def candidate_to_message(candidate: Candidate) -> prompt_pb2.MaskCandidate:
    """A candidate with its mask as PNG; the box is unset where the mask is empty."""
    message = prompt_pb2.MaskCandidate(score=candidate.score)
    message.mask.png = encode_mask(candidate.mask)
    rows, columns = np.flatnonzero(candidate.mask.any(axis=1)), np.flatnonzero(candidate.mask.any(axis=0))
    if rows.size:
        box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        message.box.CopyFrom(box_to_message(box))
    return message


def hit_to_message(hit: NameHit) -> prompt_pb2.NameHit:
    """A hit of a name without its mask; the box is a prompt that gives a better one."""
    return prompt_pb2.NameHit(box=box_to_message(hit.box), score=hit.score, label=hit.label)


def _inside(side: int, frame: int) -> bool:
    if side not in _SIDES:
        raise PromptError(f"a click or stroke on frame {frame} has no side; give SIDE_INSIDE or SIDE_OUTSIDE")
    return _SIDES[prompt_pb2.Point.Side.ValueType(side)]


def _side(inside: bool) -> prompt_pb2.Point.Side.ValueType:
    return prompt_pb2.Point.SIDE_INSIDE if inside else prompt_pb2.Point.SIDE_OUTSIDE


def _box_from_message(message: prompt_pb2.Box) -> Box:
    return Box(message.x0, message.y0, message.x1 + 1, message.y1 + 1)
