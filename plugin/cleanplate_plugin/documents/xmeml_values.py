"""Values of FCP7 XML: rates, numbers, ticks, timecodes and paths, exact and both ways."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote, unquote
from xml.etree.ElementTree import Element

from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timecodes import can_drop, frames_of, timecode_of

TICKS_PER_SECOND = 254_016_000_000
"""Premiere's clock: whole ticks for every frame of every rate that it knows."""

_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{0,18})?")
_ROUNDED_DIGITS = 6
"""A speed of so many decimals is a rounded fraction; one of fewer was typed by a person."""
_HIGHEST_TIMEBASE = 1000
_DRIVE = re.compile(r"/?([A-Za-z])[:|](/.*)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def read_number(text: str | None, what: str) -> Fraction | None:
    """Reads a number, as Hiero writes them with decimals; None where there is none.

    Raises:
        TimelineError: it is no number.
    """
    text = (text or "").strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise TimelineError(f"{what} is '{text[:40]}' where a number belongs; export the timeline again")
    return Fraction(text)


def read_flag(text: str | None, *, otherwise: bool) -> bool:
    """Reads TRUE or FALSE."""
    text = (text or "").strip().upper()
    return text in ("TRUE", "1") if text else otherwise


def read_rate(parent: Element | None, what: str) -> Fraction | None:
    """Reads the frames a second of an element, from its ``rate``; None when it states none.

    Raises:
        TimelineError: it is no rate.
    """
    rate = parent.find("rate") if parent is not None else None
    if rate is None:
        return None
    timebase = read_number(rate.findtext("timebase"), f"the timebase of {what}")
    if timebase is None:
        return None
    if not 1 <= timebase <= _HIGHEST_TIMEBASE:
        raise TimelineError(f"the timebase of {what} is {timebase}; it must be from 1 to {_HIGHEST_TIMEBASE}")
    return timebase * Fraction(1000, 1001) if read_flag(rate.findtext("ntsc"), otherwise=False) else timebase


def rate_element(rate: Fraction) -> Element:
    """Writes frames a second.

    Raises:
        TimelineError: no whole number, nor one slowed by 1000/1001.
    """
    ntsc = rate * Fraction(1001, 1000)
    timebase, slowed = (rate, "FALSE") if rate.denominator == 1 else (ntsc, "TRUE")
    if timebase.denominator != 1:
        raise TimelineError(f"FCP7 XML cannot say {rate} frames a second; write an .otio")
    element = Element("rate")
    element.append(text_element("timebase", str(timebase)))
    element.append(text_element("ntsc", slowed))
    return element


def read_timecode(parent: Element | None, rate: Fraction, what: str) -> tuple[int, bool]:
    """Reads the timecode of a file's or a sequence's first frame.

    Returns:
        Frames of ``rate`` since 00:00:00:00, and whether it is written with dropped numbers.

    Raises:
        TimelineError: it is no timecode.
    """
    timecode = parent.find("timecode") if parent is not None else None
    if timecode is None:
        return 0, False
    own_rate = read_rate(timecode, f"the timecode of {what}") or rate
    text = (timecode.findtext("string") or "").strip()
    drop_frame = (timecode.findtext("displayformat") or "").strip().upper() == "DF" or ";" in text
    frame = read_number(timecode.findtext("frame"), f"the timecode of {what}")
    if frame is None:
        frame = Fraction(frames_of(text, own_rate)) if text else Fraction(0)
    return round(frame * rate / own_rate), drop_frame and can_drop(rate)


def timecode_element(start_frame: int, rate: Fraction, *, drop_frame: bool) -> Element:
    """Writes the timecode of a first frame."""
    element = Element("timecode")
    element.append(rate_element(rate))
    element.append(text_element("string", timecode_of(start_frame, rate, drop_frame=drop_frame)))
    element.append(text_element("frame", str(start_frame)))
    element.append(text_element("displayformat", "DF" if drop_frame else "NDF"))
    return element


def read_speed(text: str | None, what: str) -> Fraction:
    """Reads a percentage as a factor; a fraction that was cut to many decimals is found again.

    Raises:
        TimelineError: it is no number.
    """
    percent = read_number(text, what)
    if percent is None:
        raise TimelineError(f"{what} is not stated; export the timeline again")
    digits = len((text or "").strip().partition(".")[2])
    if digits < _ROUNDED_DIGITS:
        return percent / 100
    half = Fraction(1, 2 * 10**digits)
    return simplest_between((percent - half) / 100, (percent + half) / 100)


def speed_text(speed: Fraction) -> str:
    """Writes a factor as a percentage, with decimals enough to be read back exactly."""
    percent = abs(speed) * 100
    if percent.denominator == 1:
        return str(percent)
    text = f"{float(percent):.12f}"
    short = text.rstrip("0")
    exact = Fraction(text) == percent and len(short.partition(".")[2]) < _ROUNDED_DIGITS
    return short if exact else text


def ticks_of(position: Fraction, rate: Fraction) -> int:
    """Premiere's ticks at a position, frames of ``rate`` from the file's first."""
    return round(position / rate * TICKS_PER_SECOND)


def position_of(ticks: Fraction, rate: Fraction) -> Fraction:
    """The position that ticks stand for: the simplest within half a tick, as they are whole numbers."""
    exact, half = ticks / TICKS_PER_SECOND * rate, rate / TICKS_PER_SECOND / 2
    return simplest_between(exact - half, exact + half)


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction with the smallest denominator in an interval, ends included (Stern and Brocot's tree)."""
    whole = math.ceil(low)
    if whole <= high:
        return Fraction(whole)
    floor = math.floor(low)
    return floor + 1 / simplest_between(1 / (high - floor), 1 / (low - floor))


def number_text(value: Fraction, *, like: str | None) -> str:
    """Writes a frame number, with a decimal point where the document has them, rounded where not."""
    if like is not None and "." in like:
        return repr(float(value))
    return str(round(value))


def path_of(url: str | None) -> Path | None:
    """The file that a ``pathurl`` names; None when it names none.

    Raises:
        TimelineError: it lies elsewhere than in a file system.
    """
    url = (url or "").strip()
    if not url:
        return None
    if url.lower().startswith("file:"):
        path = unquote(url[5:])
        if path.startswith("//"):
            host, _, rest = path[2:].partition("/")
            path = f"/{rest}" if host.lower() in ("", "localhost") else path
    elif _SCHEME.match(url):
        raise TimelineError(f"'{url[:80]}' is not in a file system; make it a file first")
    else:
        path = url
    path = path.replace("\\", "/") if path.startswith("\\\\") or _DRIVE.match(path.replace("\\", "/")) else path
    drive = _DRIVE.fullmatch(path)
    return Path(f"{drive[1]}:{drive[2]}") if drive else Path(path)


def url_of(path: Path, *, like: str | None) -> str:
    """Writes a path as the document writes them: with or without a scheme and a host."""
    text = path.as_posix()
    if like and not like.strip().lower().startswith("file:"):
        return text
    bare = like is not None and like.strip().lower().startswith("file:///") and not like.strip().startswith("file:////")
    host = "" if bare else "localhost"
    if text.startswith("//"):
        return "file:" + quote(text)
    return f"file://{host}/{quote(text.lstrip('/'))}"


def text_element(tag: str, text: str) -> Element:
    """An element that holds text."""
    element = Element(tag)
    element.text = text
    return element
