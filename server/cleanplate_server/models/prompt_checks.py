"""What every segmenter asks of a prompt, and every propagator of keys."""

from __future__ import annotations

from collections.abc import Iterable

from cleanplate_server.errors import MaskError, PromptError
from cleanplate_server.models.protocols import Key, Mask, Prompt


def refuse_unusable_keys(keys: Iterable[Key], size: tuple[int, int]) -> None:
    """Refuses keys that no propagator can start from; the values are in the message.

    Args:
        keys: masks on frames.
        size: (height, width) of the frames.

    Raises:
        MaskError: a mask of another size, or an empty one.
    """
    for key in keys:
        if key.mask.shape != size:
            raise MaskError(
                f"the key on frame {key.frame} is {key.mask.shape}, the frames are {size};"
                " give a mask of the frames' size"
            )
        if not key.mask.any():
            raise MaskError(f"the key on frame {key.frame} is empty; mark object {key.object_id} there")


def refuse_unusable(prompt: Prompt, previous: Mask | None, size: tuple[int, int]) -> None:
    """Refuses a prompt that no segmenter can answer; the values are in the message.

    Args:
        prompt: what a person said.
        previous: the mask that it corrects.
        size: (height, width) of the picture.

    Raises:
        PromptError: nothing positive, or outside the picture.
        MaskError: a mask of another size, or an empty one.
    """
    height, width = size
    places = [(p.x, p.y) for p in prompt.points] + [xy for s in prompt.strokes for xy in s.points]
    for x, y in places:
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            raise PromptError(
                f"the point ({x:g}, {y:g}) is outside the picture, which is {width} wide and {height} high;"
                " click inside it"
            )
    if any(not s.points for s in prompt.strokes):
        raise PromptError(f"a stroke on frame {prompt.frame} has no point; give it at least one (x, y)")
    box = prompt.box
    if box is not None and (min(box.x1, width) <= max(box.x0, 0) or min(box.y1, height) <= max(box.y0, 0)):
        raise PromptError(
            f"the box from ({box.x0}, {box.y0}) to ({box.x1}, {box.y1}) holds nothing of the picture, which is"
            f" {width} wide and {height} high; draw it around the object"
        )
    for mask in (prompt.mask, previous):
        if mask is not None and mask.shape != (height, width):
            raise MaskError(
                f"the mask is {mask.shape}, the frame is {(height, width)}; give a mask of the frame's size"
            )
    if prompt.mask is not None and not prompt.mask.any():
        raise MaskError(f"the mask for frame {prompt.frame} is empty; mark the object in it")
    positive = any(p.inside for p in prompt.points) or any(s.inside for s in prompt.strokes)
    shown = prompt.mask is not None or (previous is not None and bool(previous.any()))
    if not (positive or box is not None or shown):
        raise PromptError(
            f"the prompt on frame {prompt.frame} has no click, stroke or box on the object"
            f" ({len(prompt.points)} clicks, all outside it); click on the object first"
        )
