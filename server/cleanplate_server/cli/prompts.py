"""Prompts on the command line, where their order matters: ``--object N`` holds for those that follow it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from cleanplate.v1 import job_pb2, prompt_pb2

from cleanplate_server.cli.times import MediaTimeline, Moment, MomentType
from cleanplate_server.errors import PromptError

PROMPT_NAMES = ("click", "outside", "box", "mask", "name", "object")
"""Parameter names of the options that must keep their order."""
_OUTLINED = ("click", "box")
"""Kinds that may say which of the segmenter's answers is meant."""
_ORDER = "cleanplate.option_order"


@dataclass(frozen=True)
class PromptPart:
    """One prompt option as it was written.

    Args:
        kind: click, outside, box, mask or name.
        moment: the frame, None for a name that is looked for in all of the range.
        numbers: x, y of a click; left, top, right, bottom of a box.
        text: file of a mask, words of a name.
        hit: which hit of a name, 0 for all; which outline of a click or a box, 0 for the best.
    """

    kind: str
    moment: Moment | None = None
    numbers: tuple[float, ...] = ()
    text: str = ""
    hit: int = 0


class PromptType(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.4
    """``F@...``: a frame or timecode, then what is there.

    Args:
        kind: of the part that it makes.
        form: how the text after ``@`` is written, for messages.
        number_count: numbers in it; 0 for a file's path.
    """

    def __init__(self, kind: str, form: str, number_count: int) -> None:
        self.kind = kind
        self.name = f"F@{form}"
        self._number_count = number_count

    def convert(self, value: str | PromptPart, param: click.Parameter | None, ctx: click.Context | None) -> PromptPart:
        if isinstance(value, PromptPart):
            return value
        place, at, rest = value.partition("@")
        if not at or not rest:
            self.fail(f"'{value}' is not {self.name}, such as 15@600,430 (frame 15, x 600, y 430)", param, ctx)
        moment = MomentType().read(place, param, ctx)
        if not self._number_count:
            return PromptPart(self.kind, moment, text=rest)
        numbers, mark, outline = rest.partition("#")
        if mark and (self.kind not in _OUTLINED or not outline.isdecimal() or int(outline) == 0):
            self.fail(
                f"'{value}' is not {self.name}; #2 at the end of a click or a box is the second outline", param, ctx
            )
        return PromptPart(self.kind, moment, self._numbers(numbers, value, param, ctx), hit=int(outline or 0))

    def _numbers(
        self, text: str, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        try:
            numbers = tuple(float(number) for number in text.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != self._number_count:
            self.fail(f"'{value}' is not {self.name}: {self._number_count} numbers must follow the @", param, ctx)
        return numbers


class NameType(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.4
    """The words for an object, the frame before them, and which hit is meant after them."""

    name = "[F@]WORDS[#N]"

    def convert(self, value: str | PromptPart, param: click.Parameter | None, ctx: click.Context | None) -> PromptPart:
        if isinstance(value, PromptPart):
            return value
        place, at, rest = value.partition("@")
        moment = MomentType().read(place, param, ctx) if at else None
        words, mark, number = (rest if at else value).partition("#")
        if not words.strip() or (mark and (not number.isdecimal() or int(number) == 0)):
            self.fail(f"'{value}' is not {self.name}, such as dog, 15@dog (frame 15) or dog#2 (the second)", param, ctx)
        return PromptPart("name", moment, text=words.strip(), hit=int(number or 0))


def prompt_options() -> list[click.Parameter]:
    """The prompt options, all repeatable."""
    return [
        click.Option(["--click"], type=PromptType("click", "X,Y", 2), multiple=True,
                     help="On the object; #N at its end takes the N-th outline, where the best is not what is meant."),
        click.Option(["--not", "outside"], type=PromptType("outside", "X,Y", 2), multiple=True, help="Not the object."),
        click.Option(["--box"], type=PromptType("box", "X0,Y0,X1,Y1", 4), multiple=True, help="Around the object."),
        click.Option(["--mask"], type=PromptType("mask", "FILE", 0), multiple=True, help="A picture, white is object."),
        click.Option(["--name"], type=NameType(), multiple=True,
                     help="What it is, such as dog, red car or 人; all that are found, or #N alone."),
        click.Option(
            ["--object"], type=click.IntRange(1, 255), multiple=True, metavar="N",
            help="The prompts that follow are for object N (1 before any --object).",
        ),
    ]  # fmt: skip


class PromptCommand(click.Command):
    """A command that keeps the order of its options too, for ``--object N`` holds for the prompts after it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)

    def given_parts(self, ctx: click.Context) -> list[tuple[int, PromptPart]]:
        """The prompt parts that were given, in order, each with its object."""
        return ordered_parts(ctx.meta[_ORDER], {name: ctx.params[name] for name in PROMPT_NAMES if name in ctx.params})


def ordered_parts(
    order: Iterable[str], values: Mapping[str, Sequence[PromptPart] | Sequence[int]]
) -> list[tuple[int, PromptPart]]:
    """Prompt parts in the order in which they were written, each with its object.

    Args:
        order: parameter names as they came, one for each time that an option was given.
        values: by parameter name, in order.
    """
    waiting: dict[str, Iterator[PromptPart | int]] = {
        name: iter(values[name]) for name in PROMPT_NAMES if name in values
    }
    object_id = 1
    parts = []
    for name in order:
        if name in waiting:
            value = next(waiting[name])
            if isinstance(value, PromptPart):
                parts.append((object_id, value))
            else:
                object_id = value
    return parts


def to_prompts(
    parts: Iterable[tuple[int, PromptPart]], timeline: MediaTimeline, first_frame: int
) -> list[prompt_pb2.Prompt]:
    """One prompt for each object and frame, with all that was said of it there.

    Args:
        parts: of ``ordered_parts``.
        timeline: reads timecodes.
        first_frame: where a name is looked for that says no frame, there and in every other shot.

    Raises:
        RangeError: a timecode that the media does not have.
        PromptError: two boxes or two masks for one object on one frame.
    """
    prompts: list[prompt_pb2.Prompt] = []
    current: dict[tuple[int, int], prompt_pb2.Prompt] = {}
    for object_id, part in parts:
        frame = timeline.frame(part.moment) if part.moment else first_frame
        prompt = current.get((object_id, frame))
        if prompt is None or (part.kind == "name" and prompt.object_name):  # a second name is another object
            prompt = current[object_id, frame] = prompt_pb2.Prompt(frame=frame, object_id=object_id)
            prompts.append(prompt)
        _add(prompt, part)
    return prompts


def _add(prompt: prompt_pb2.Prompt, part: PromptPart) -> None:
    if part.kind in _OUTLINED and part.hit:
        prompt.candidate = part.hit
    if part.kind in ("click", "outside"):
        side = prompt_pb2.Point.SIDE_INSIDE if part.kind == "click" else prompt_pb2.Point.SIDE_OUTSIDE
        prompt.points.append(prompt_pb2.Point(x=part.numbers[0], y=part.numbers[1], side=side))
        return
    _refuse_second(prompt, part.kind)
    if part.kind == "box":
        x0, y0, x1, y1 = (round(number) for number in part.numbers)
        prompt.box.CopyFrom(prompt_pb2.Box(x0=x0, y0=y0, x1=x1, y1=y1))
    elif part.kind == "mask":
        prompt.mask.path = os.path.abspath(part.text)  # noqa: PTH100  # Path.absolute keeps `..`
    else:
        prompt.object_name, prompt.name_hit = part.text, part.hit
        prompt.every_shot = part.moment is None and not part.hit


def _refuse_second(prompt: prompt_pb2.Prompt, kind: str) -> None:
    taken = {"box": prompt.HasField("box"), "mask": prompt.HasField("mask")}
    if taken.get(kind):
        raise PromptError(
            f"object {prompt.object_id} has two of --{kind} on frame {prompt.frame}; leave one out,"
            " or put --object N before the second"
        )


def clean_plate_option() -> click.Option:
    """A frame that somebody painted."""
    return click.Option(
        ["--clean-plate"], type=PromptType("clean plate", "FILE", 0), multiple=True,
        help="A picture of frame F without the object, painted or shot; fills F and is a source for the others.",
    )  # fmt: skip


def to_clean_plates(parts: Iterable[PromptPart], timeline: MediaTimeline) -> list[job_pb2.CleanPlate]:
    """One clean plate for each option.

    Raises:
        RangeError: a timecode that the media does not have.
    """
    plates = []
    for part in parts:
        assert part.moment is not None
        plates.append(job_pb2.CleanPlate(frame=timeline.frame(part.moment), path=os.path.abspath(part.text)))  # noqa: PTH100
    return plates


def mask_folders(parts: Iterable[tuple[int, PromptPart]]) -> list[Path]:
    """Folders of the mask files that were named."""
    return [Path(os.path.abspath(part.text)).parent for _, part in parts if part.kind == "mask"]  # noqa: PTH100


def clean_plate_folders(parts: Iterable[PromptPart]) -> list[Path]:
    """Folders of the clean plates that were named."""
    return [Path(os.path.abspath(part.text)).parent for part in parts]  # noqa: PTH100
