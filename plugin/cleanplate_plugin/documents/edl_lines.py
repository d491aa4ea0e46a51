"""Lines of a CMX3600 EDL: events, speeds and comments, each kept as it was written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timecodes import can_drop, frames_of, timecode_of

_TIMECODE = r"\d{1,2}[:;.,]\d{2}[:;.,]\d{2}[:;.,]\d{2,3}"
_EVENT = re.compile(
    r"\s*(?P<number>\d{1,6})\s+(?P<reel>\S.*?)\s+(?P<channels>NONE|[ABV0-9/]+)\s+(?P<effect>C|D|W\d{1,3}|K[BO]?)"
    rf"(?:\s+(?P<length>\d{{1,4}}))?\s+(?P<source_in>{_TIMECODE})\s+(?P<source_out>{_TIMECODE})"
    rf"\s+(?P<record_in>{_TIMECODE})\s+(?P<record_out>{_TIMECODE})\s*",
    re.IGNORECASE,
)
_EVENT_LIKE = re.compile(rf"\s*\d{{1,6}}\s.*\s{_TIMECODE}\s")
_SPEED = re.compile(
    rf"\s*M2\s+(?P<reel>\S.*?)\s+(?P<speed>[+-]?\d{{1,6}}(?:\.\d{{0,6}})?)\s+(?P<trigger>{_TIMECODE})\s*", re.IGNORECASE
)
_COMMENT = re.compile(r"\s*\*\s*(?P<tag>[A-Z][A-Z /]*?)\s*:\s*(?P<text>.*?)\s*", re.IGNORECASE)
_MODE = re.compile(r"\s*FCM\s*:\s*(?P<mode>NON[- ]?DROP|DROP).*\s*", re.IGNORECASE)
_ROOTED = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")

FROM_NAME, TO_NAME = "FROM CLIP NAME", "TO CLIP NAME"
FILE_TAGS = ("FROM FILE", "SOURCE FILE", "FROM CLIP", "FILE PATH", "SOURCE FILE PATH")
"""Comments in which programs name a file: Nucoda, Premiere and Resolve, Avid, Final Cut."""
TO_FILE_TAGS = ("TO FILE", "TO CLIP")
_BLACK = frozenset(("BL", "BLK", "BLACK"))
_NTSC_TENTHS = Fraction(6, 1000)
"""29.97 in an M2 line is 30/1.001; two decimals are written."""


@dataclass(frozen=True)
class Event:
    """An event's line.

    Args:
        found: the line's parts.
        mode: whether ``FCM`` says drop-frame where it stands; None where it says nothing.
        line_number: from 1.
    """

    found: re.Match[str]
    mode: bool | None
    line_number: int

    @classmethod
    def read(cls, line: str, *, mode: bool | None, line_number: int) -> Event | None:
        """Reads a line; None when it is no event's.

        Raises:
            TimelineError: it begins like an event's, and is none.
        """
        found = _EVENT.fullmatch(line)
        if found:
            return cls(found, mode, line_number)
        if _EVENT_LIKE.match(line):
            raise TimelineError(f"line {line_number} of the EDL, '{line.strip()[:60]}', is no whole event; correct it")
        return None

    @property
    def number(self) -> str:
        """As it is written, with leading zeros."""
        return self.found["number"]

    @property
    def reel(self) -> str:
        """Name of the source's tape or file."""
        return self.found["reel"]

    @property
    def is_video(self) -> bool:
        """Whether it holds picture: V, or B and AA/V with sound."""
        return "V" in self.channels or self.channels == "B"

    @property
    def has_sound(self) -> bool:
        """Whether it holds sound too, or alone."""
        return self.channels in ("B",) or "A" in self.channels

    @property
    def channels(self) -> str:
        """What it holds."""
        return self.found["channels"].upper()

    @property
    def track(self) -> int:
        """Video track: V2 is 2."""
        digits = re.search(r"V(\d{1,2})$", self.channels)
        return int(digits[1]) if digits else 1

    @property
    def effect(self) -> str:
        """C for a cut, D a dissolve, W a wipe, K a key."""
        return self.found["effect"][0].upper()

    @property
    def is_empty(self) -> bool:
        """Whether it fills no record frames: it stands for the clip that a dissolve leaves."""
        return self.found["record_in"] == self.found["record_out"]

    @property
    def is_black(self) -> bool:
        """Whether it is black, not footage."""
        return self.reel.upper() in _BLACK

    def length(self) -> int:
        """Frames of its transition."""
        return int(self.found["length"] or 0) if self.effect in "DW" else 0

    def frames(self, field: str, rate: Fraction) -> int:
        """One of its four timecodes, as frames since 00:00:00:00.

        Raises:
            TimelineError: no such timecode at this rate.
        """
        parts = re.split(r"[:;.,]", self.found[field])
        text = ":".join(parts[:3]) + (";" if self.drops(field, rate) else ":") + parts[3]
        try:
            return frames_of(text, rate)
        except TimelineError as error:
            raise TimelineError(f"event {self.number}, line {self.line_number}: {error.sentence}") from error

    def drops(self, field: str, rate: Fraction) -> bool:
        """Whether a timecode skips numbers: its last mark says so, or the ``FCM`` above it."""
        said = re.search(r"[;.,]\d{2,3}$", self.found[field]) is not None or bool(self.mode)
        if said and not can_drop(rate):
            raise TimelineError(
                f"event {self.number}, line {self.line_number}: '{self.found[field]}' is drop-frame, which"
                f" {float(rate):g} frames a second do not have; give the EDL's own rate with --rate"
            )
        return said

    def rewrite(self, **parts: str) -> str:
        """The line with some parts changed, the rest as it was written.

        Args:
            parts: by the names of its parts.
        """
        text, moved = self.found.string, 0
        for name in sorted(parts, key=lambda part: self.found.start(part)):
            start, end = self.found.span(name)
            text = text[: start + moved] + parts[name] + text[end + moved :]
            moved += len(parts[name]) - (end - start)
        return text

    def timecode(self, frames: int, field: str, rate: Fraction) -> str:
        """Writes a timecode with the marks that one of its own has."""
        text = timecode_of(frames, rate, drop_frame=self.drops(field, rate))
        marks = re.findall(r"[:;.,]", self.found[field])
        return "".join(
            part + mark for part, mark in zip(re.split(r"[:;.,]", text), [*marks, ""], strict=True)
        )  # fmt: skip


@dataclass(frozen=True)
class Speed:
    """An M2 line.

    Args:
        found: the line's parts.
    """

    found: re.Match[str]

    @classmethod
    def read(cls, line: str) -> Speed | None:
        """Reads a line; None when it is no M2."""
        found = _SPEED.fullmatch(line)
        return cls(found) if found else None

    def factor(self, rate: Fraction) -> Fraction:
        """How fast the source plays; its frames a second are written rounded, 24 for 24000/1001."""
        written = Fraction(self.found["speed"])
        whole = Fraction(round(written * Fraction(1001, 1000)))
        ntsc = written.denominator != 1 and abs(written - whole * Fraction(1000, 1001)) < _NTSC_TENTHS
        return (whole if ntsc else written) / round(rate)

    def rewrite(self, *, reel: str | None = None, trigger: str | None = None) -> str:
        """The line with another reel or another timecode."""
        text = self.found.string
        if trigger is not None:
            text = text[: self.found.start("trigger")] + trigger + text[self.found.end("trigger") :]
        if reel is not None:
            text = text[: self.found.start("reel")] + reel + text[self.found.end("reel") :]
        return text


@dataclass(frozen=True)
class Comment:
    """A comment with a tag, such as ``* FROM CLIP NAME: A001``.

    Args:
        found: the line's parts.
    """

    found: re.Match[str]

    @classmethod
    def read(cls, line: str) -> Comment | None:
        """Reads a line; None when it is no such comment."""
        found = _COMMENT.fullmatch(line)
        return cls(found) if found else None

    @property
    def tag(self) -> str:
        """In capitals."""
        return self.found["tag"].upper()

    @property
    def text(self) -> str:
        """What it says."""
        return self.found["text"]

    def rewrite(self, text: str) -> str:
        """The line with another text."""
        line = self.found.string
        return line[: self.found.start("text")] + text + line[self.found.end("text") :]


def read_mode(line: str) -> bool | None:
    """Reads an ``FCM`` line: whether it says drop-frame; None when it is none."""
    found = _MODE.fullmatch(line)
    return None if found is None else found["mode"].upper() == "DROP"


def read_path(text: str) -> Path | None:
    """The file that a comment names; None for a bare name, which may lie anywhere."""
    if not _ROOTED.match(text):
        return None
    return Path(text if text.startswith("/") else text.replace("\\", "/"))


def split_lines(text: str) -> list[str]:
    """Lines with their ends; only the ends that files have, as names may hold other separators."""
    return re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+", text)
