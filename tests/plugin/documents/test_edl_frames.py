"""Every record frame shows the same source frame before and after an EDL was edited, at all rates."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from cleanplate_plugin.documents.edl import EdlDocument
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timecodes import timecode_of
from cleanplate_plugin.timeline import SourceMedia, Span, Take, Use
from hypothesis import given, settings
from hypothesis import strategies as st

NTSC = Fraction(1000, 1001)
RATES = [
    (24 * NTSC, False), (Fraction(24), False), (Fraction(25), False), (30 * NTSC, False), (30 * NTSC, True),
    (Fraction(30), False), (Fraction(50), False), (60 * NTSC, False), (60 * NTSC, True), (Fraction(60), False),
]  # fmt: skip
SPEEDS = [Fraction(text) for text in ("1", "1", "1/2", "2", "3/2", "-1", "-2", "0")]


@st.composite
def _written(draw: st.DrawFn) -> tuple[str, Fraction, list[Use]]:
    """An EDL, and what it means: cuts and dissolves, some retimed, on one track."""
    rate, drop = draw(st.sampled_from(RATES))
    start = at = draw(st.integers(0, 2_000_000))
    lines, uses = ["TITLE: drawn"], list[Use]()

    def tc(frames: int) -> str:
        return timecode_of(frames, rate, drop_frame=drop)

    for number in range(1, draw(st.integers(1, 5)) + 1):
        speed = draw(st.sampled_from(SPEEDS))
        count = draw(st.integers(1, 40)) * 2
        length = 1 if speed == 0 else int(count * abs(speed))
        source = draw(st.integers(1000, 1_000_000))
        plain = bool(uses) and uses[-1].speed == 1
        fade = draw(st.sampled_from([0, 0, min(8, count)])) if plain else 0
        at += 0 if fade else draw(st.sampled_from([0, 0, 5]))
        times = f"{tc(source)} {tc(source + length)} {tc(at)} {tc(at + count)}"
        if fade:
            before = uses[-1]
            left = int(before.source_start) + before.frame_count
            uses[-1] = replace(before, tail_frames=fade)
            lines.append(f"{number:03d}  R{number - 1} V C        {tc(left)} {tc(left)} {tc(at)} {tc(at)}")
        lines.append(f"{number:03d}  R{number} V {f'D    {fade:03d}' if fade else 'C       '} {times}")
        if speed != 1:
            lines.append(f"M2   R{number}  {float(speed * round(rate)):05.1f}  {tc(source)}")
        lines.append(f"* {'TO' if fade else 'FROM'} CLIP NAME: clip {number}")
        media = SourceMedia(None, rate, drop_frame=drop, start_known=False, counts_timecode=True)
        first = Fraction(source + length - 1 if speed < 0 else source)
        uses.append(
            Use(f"clip {number}", "", 1, at, count, rate, media, first, speed, fade_in_frames=fade)
        )  # fmt: skip
        at += count
    start = uses[0].record_start
    return "\n".join(lines), rate, [replace(use, record_start=use.record_start - start) for use in uses]


@settings(max_examples=100, deadline=None)
@given(_written(), st.data())
def test_frames_of_an_edl_are_the_same_before_and_after_a_take(
    drawn: tuple[str, Fraction, list[Use]], data: st.DataObject
) -> None:
    text, rate, uses = drawn
    document = EdlDocument(text, rate, encoding="utf-8", what="cut.edl")
    assert [replace(use, place="") for use in _items(document)] == uses
    use = data.draw(st.sampled_from(_items(document)))
    first = data.draw(st.integers(0, use.frame_count - 1))
    part = data.draw(st.sampled_from([None, Span(first, data.draw(st.integers(1, use.frame_count - first)))]))
    known = replace(use, media=replace(use.media, start_known=True))
    before = _by_record(document)
    sentence = _try_replace(document, known, part)
    assert not sentence or ("between two source frames" in sentence and use.speed.denominator != 1)
    assert _by_record(document) == before

    document.restore()

    assert [replace(held, place="") for held in _items(document)] == uses


def _try_replace(document: EdlDocument, use: Use, part: Span | None) -> str:
    """Lets a clip show a take with handles; the sentence when the EDL cannot say it."""
    needed = use.source_span()
    media = SourceMedia(Path("/t/A_cp001.mov"), use.rate, needed.start_frame - 9, needed.frame_count + 18)
    try:
        document.replace(use, Take(media, needed.start_frame - 9, "A_cp001", {}), part)
    except TimelineError as error:
        return error.sentence
    return ""


def _items(document: EdlDocument) -> list[Use]:
    return [item for item in document.items() if isinstance(item, Use)]


def _by_record(document: EdlDocument) -> dict[int, int]:
    """Source timecode, in frames, by record frame between cuts."""
    return {
        use.record_start + k: use.source_frame(k) + use.media.start_frame
        for use in _items(document)
        for k in range(use.frame_count)
    }
