"""Media as the wire describes it."""

from __future__ import annotations

from fractions import Fraction

from cleanplate.v1 import media_pb2

from cleanplate_server.clip import Media
from cleanplate_server.errors import InputError


def clip_to_message(name: str, media: Media) -> media_pb2.Clip:
    """An open clip."""
    tags = media.tags
    ranges = {None: media_pb2.ColorTags.RANGE_UNSPECIFIED, True: media_pb2.ColorTags.RANGE_FULL}
    return media_pb2.Clip(
        name=name,
        path=str(media.path),
        height=media.size[0],
        width=media.size[1],
        frame_rate=rational(media.rate),
        frame_count=media.frame_count,
        start_timecode=str(media.start_timecode or ""),
        pixel_format=media.format.name,
        bit_depth=media.format.bit_depth,
        color_tags=media_pb2.ColorTags(
            primaries=tags.primaries,
            transfer=tags.transfer,
            matrix=tags.matrix,
            range=ranges.get(tags.full_range, media_pb2.ColorTags.RANGE_VIDEO),
            chroma_location=tags.chroma_location,
        ),
        pixel_aspect=rational(media.pixel_aspect),
        rotation_degrees=media.rotation_degrees,
        field_order=media.field_order,
        variable_rate=media.variable_rate,
        audio_track_count=len(media.audio),
        codec=media.codec,
    )


def rate_from_message(message: media_pb2.Rational) -> Fraction | None:
    """Frames a second; None when unset.

    Raises:
        InputError: no rate that media could have.
    """
    if not message.numerator and not message.denominator:
        return None
    if message.numerator <= 0 or message.denominator <= 0 or message.numerator > 1000 * message.denominator:
        raise InputError(
            f"a rate of {message.numerator}/{message.denominator} frames a second makes no sense; give one such as"
            " 24/1 or 30000/1001"
        )
    return Fraction(message.numerator, message.denominator)


def rational(value: Fraction) -> media_pb2.Rational:
    """An exact number."""
    return media_pb2.Rational(numerator=value.numerator, denominator=value.denominator)
