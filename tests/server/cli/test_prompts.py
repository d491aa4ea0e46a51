from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import click
import pytest
from cleanplate.v1 import prompt_pb2
from cleanplate_server.cli.operations import MediaCommand, MediaOptions, media_commands
from cleanplate_server.cli.prompts import PromptPart, mask_folders, ordered_parts, to_prompts
from cleanplate_server.cli.times import MediaTimeline
from cleanplate_server.clip import Timecode
from cleanplate_server.errors import PromptError

RATE = Fraction(25)
TIMELINE = MediaTimeline("/m/a.mov", RATE, 200, Timecode.parse("01:00:00:00", RATE))


def _prompts(*arguments: str, first_frame: int = 0) -> list[prompt_pb2.Prompt]:
    return to_prompts(_parts(*arguments), TIMELINE, first_frame)


def _parts(*arguments: str) -> list[tuple[int, PromptPart]]:
    command = next(command for command in media_commands() if command.name == "remove")
    assert isinstance(command, MediaCommand)
    context = command.make_context("remove", ["a.mov", "-o", "b.mov", *arguments])
    options = MediaOptions(**context.params)
    values = {name: getattr(options, name) for name in ("click", "outside", "box", "mask", "name", "object")}
    return ordered_parts(context.meta["cleanplate.option_order"], values)


def test_clicks_on_one_frame_are_one_prompt_in_the_order_written() -> None:
    (prompt,) = _prompts("--click", "15@600,430", "--not", "15@10.5,20", "--click", "15@1,2")
    assert (prompt.frame, prompt.object_id) == (15, 1)
    assert [(point.x, point.y) for point in prompt.points] == [(600, 430), (10.5, 20), (1, 2)] or len(
        prompt.points
    ) == 3
    assert [point.side for point in prompt.points] == [
        prompt_pb2.Point.SIDE_INSIDE, prompt_pb2.Point.SIDE_OUTSIDE, prompt_pb2.Point.SIDE_INSIDE,
    ]  # fmt: skip


def test_number_after_a_click_or_a_box_is_the_outline_that_is_meant() -> None:
    click, box = _prompts("--click", "1@4,5#2", "--not", "1@9,9", "--object", "2", "--box", "1@0,0,9,9#3")
    assert (click.candidate, len(click.points), click.points[0].y) == (2, 2, 5)
    assert (box.candidate, box.box.x1) == (3, 9)


@pytest.mark.parametrize("arguments", [("--click", "1@4,5#0"), ("--click", "1@4,5#two"), ("--not", "1@4,5#2")])
def test_number_that_names_no_outline_is_refused(arguments: tuple[str, str]) -> None:
    with pytest.raises(click.UsageError, match="second outline"):
        _parts(*arguments)


def test_object_holds_for_the_prompts_after_it() -> None:
    prompts = _prompts(
        "--click", "1@1,1", "--object", "2", "--click", "1@2,2", "--box", "1@0,0,9,9", "--object", "3", "--not", "1@3,3"
    )
    assert [(prompt.object_id, len(prompt.points), prompt.HasField("box")) for prompt in prompts] == [
        (1, 1, False), (2, 1, True), (3, 1, False),
    ]  # fmt: skip


def test_object_again_goes_on_with_that_object() -> None:
    prompts = _prompts("--object", "2", "--click", "1@1,1", "--object", "1", "--click", "1@2,2", "--object", "2",
                       "--click", "1@3,3")  # fmt: skip
    assert [(prompt.object_id, len(prompt.points)) for prompt in prompts] == [(2, 2), (1, 1)]


def test_timecode_before_the_at_is_the_medias_frame() -> None:
    (prompt,) = _prompts("--click", "01:00:01:05@6,7")
    assert prompt.frame == 30


@pytest.mark.parametrize(
    ("text", "frame", "words", "hit", "every_shot"),
    [
        ("red car", 12, "red car", 0, True),
        ("红色汽车", 12, "红色汽车", 0, True),
        ("15@dog", 15, "dog", 0, False),
        ("01:00:01:05@dog", 30, "dog", 0, False),
        ("dog#2", 12, "dog", 2, False),
        ("15@ dog #3", 15, "dog", 3, False),
    ],
)
def test_name_without_a_frame_means_all_of_the_range_and_with_one_or_a_hit_its_shot(
    text: str, frame: int, words: str, hit: int, every_shot: bool
) -> None:
    (prompt,) = _prompts("--name", text, first_frame=12)
    assert (prompt.frame, prompt.object_name, prompt.name_hit, prompt.every_shot) == (frame, words, hit, every_shot)


@pytest.mark.parametrize("text", ["", " ", "15@", "dog#", "dog#0", "dog#-1", "dog#x", "x@dog", "@dog"])
def test_malformed_name_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"\[F@\]WORDS\[#N\]|neither a frame"):
        _prompts("--name", text)


def test_second_name_on_a_frame_is_a_prompt_of_its_own_that_later_clicks_refine() -> None:
    dog, cat = _prompts("--name", "0@dog", "--name", "0@cat", "--click", "0@5,6")
    assert [(prompt.object_name, len(prompt.points)) for prompt in (dog, cat)] == [("dog", 0), ("cat", 1)]


def test_mask_path_is_made_absolute_and_its_folder_known(tmp_path: Path) -> None:
    file = tmp_path / "at@home" / "m.png"
    (prompt,) = _prompts("--mask", f"3@{file}")
    assert (prompt.frame, prompt.mask.path) == (3, str(file))
    assert mask_folders(_parts("--mask", f"3@{file}")) == [file.parent]


def test_second_box_on_a_frame_is_refused_with_the_remedy() -> None:
    with pytest.raises(PromptError, match="put --object N before the second"):
        _prompts("--box", "1@0,0,5,5", "--box", "1@8,8,9,9")


@pytest.mark.parametrize("text", ["15", "15@", "15@1", "15@1,2,3", "15@a,b", "x@1,2", "@1,2"])
def test_malformed_click_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"F@X,Y|neither a frame"):
        _prompts("--click", text)
