"""What each codec and container can hold, and how its encoder is set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cleanplate_server.clip import ColorTags, Media, PixelFormat
from cleanplate_server.errors import OutputError
from cleanplate_server.stages import sequences
from cleanplate_server.stages.convert import adapted_tags
from cleanplate_server.stages.formats import pixel_format

CONTAINERS = {".mov": "mov", ".mp4": "mp4", ".m4v": "mp4", ".mkv": "matroska", ".mxf": "mxf", ".nut": "nut"}
"""FFmpeg's muxer for each ending."""


@dataclass(frozen=True)
class Encoder:
    """One of our codecs in FFmpeg's words.

    Args:
        name: FFmpeg's encoder.
        options: its settings.
        endings: of the files that may hold it; empty for image sequences.
        holds_alpha: whether a patch can be written.
        interlaced_flags: encoder flags for interlaced pictures.
        holds_full_range: whether a file says so of Y'CbCr; where not, values are brought to video range.
        tag: code in a QuickTime or MP4 file where FFmpeg's own choice is not read everywhere.
    """

    name: str
    options: tuple[tuple[str, str], ...]
    endings: tuple[str, ...] = ()
    holds_alpha: bool = False
    interlaced_flags: str = ""
    holds_full_range: bool = True
    tag: str = ""


ENCODERS = {
    "prores422hq": Encoder(
        "prores_ks",
        (("profile", "3"), ("vendor", "apl0")),
        (".mov",),
        interlaced_flags="+ildct",
        holds_full_range=False,
    ),
    "prores4444": Encoder(
        "prores_ks",
        (("profile", "4"), ("vendor", "apl0"), ("alpha_bits", "16")),
        (".mov",),
        holds_alpha=True,
        interlaced_flags="+ildct",
        holds_full_range=False,
    ),
    "dnxhr-hqx": Encoder("dnxhd", (("profile", "dnxhr_hqx"),), (".mxf", ".mov"), holds_full_range=False),
    "ffv1": Encoder(
        "ffv1",
        (("level", "3"), ("g", "1"), ("slices", "16"), ("slicecrc", "1"), ("coder", "range_def")),
        (".mkv", ".nut"),
        holds_alpha=True,
    ),
    "h264": Encoder(
        "libx264",
        (("crf", "16"), ("preset", "medium")),
        (".mp4", ".m4v", ".mov", ".mkv"),
        interlaced_flags="+ildct+ilme",
    ),
    "hevc": Encoder(
        "libx265",
        (("crf", "16"), ("preset", "fast"), ("x265-params", "log-level=none")),
        (".mp4", ".m4v", ".mov", ".mkv"),
        tag="hvc1",
    ),
    "png": Encoder("png", (("pred", "up"), ("compression_level", "1")), holds_alpha=True),
    "exr": Encoder("exr", (("compression", "rle"), ("format", "float")), holds_alpha=True),
}


def choose_codec(path: Path, media: Media, deliver: str) -> str:
    """The codec that follows from a target's ending, the source's depth and what is delivered.

    Args:
        deliver: ``plate``, ``patch`` or ``matte``.

    Raises:
        OutputError: an ending that no codec has.
    """
    ending = path.suffix.lower()
    if sequences.is_pattern(path) or ending in sequences.CODECS:
        if ending in (".png", ".exr"):
            return ending[1:]
        raise OutputError(f"{path.name} asks for {ending[1:]} images, which are not written; use .png or .exr")
    if not ending or path.is_dir():
        return "exr" if media.format.is_float else "png"
    if ending == ".mov":
        full = media.format.model != "gray" and media.format.chroma_shift == (0, 0)
        return "prores4444" if deliver != "plate" or full or media.format.has_alpha else "prores422hq"
    if ending in (".mp4", ".m4v"):
        return "hevc" if media.format.bit_depth > 8 else "h264"
    if ending in (".mkv", ".nut"):
        return "ffv1"
    if ending == ".mxf":
        return "dnxhr-hqx"
    raise OutputError(f"no media is written as {path.name}; end its name in .mov, .mp4, .mkv, .mxf, .png or .exr")


def delivery_format(codec: str, media: Media, deliver: str) -> PixelFormat:
    """The pixel format that frames must have when they are given to the writer.

    Raises:
        OutputError: the codec cannot hold it.
    """
    if codec not in ENCODERS:
        raise OutputError(f"{codec} is not a codec; choose one of {', '.join(ENCODERS)}")
    if deliver == "patch" and not ENCODERS[codec].holds_alpha:
        raise OutputError(f"{codec} holds no alpha, which a patch needs; choose prores4444, ffv1, png or exr")
    build = {"png": _png, "exr": _exr, "ffv1": _ffv1, "h264": _h26x, "hevc": _h26x}.get(codec, _mezzanine)
    return pixel_format(build(codec, media, deliver))


def _mezzanine(codec: str, media: Media, deliver: str) -> str:
    if codec != "prores4444":
        return "yuv422p10le"
    has_alpha = deliver == "patch" or (deliver == "plate" and media.format.has_alpha)
    return "yuva444p10le" if has_alpha else "yuv444p10le"


def _h26x(codec: str, media: Media, deliver: str) -> str:
    odd = media.size[0] % 2 or media.size[1] % 2
    return ("yuv444p" if odd else "yuv420p") + ("10le" if codec == "hevc" else "")


def _png(codec: str, media: Media, deliver: str) -> str:
    deep = media.format.bit_depth > 8
    if deliver == "matte":
        return "gray16be" if deep else "gray"
    has_alpha = deliver == "patch" or media.format.has_alpha
    if media.format.model == "gray" and deliver == "plate":
        return ("ya16be" if deep else "ya8") if has_alpha else ("gray16be" if deep else "gray")
    return ("rgba64be" if deep else "rgba") if has_alpha else ("rgb48be" if deep else "rgb24")


def _exr(codec: str, media: Media, deliver: str) -> str:
    if deliver == "matte" or (deliver == "plate" and media.format.model == "gray" and not media.format.has_alpha):
        return "grayf32le"
    return "gbrapf32le" if deliver == "patch" or media.format.has_alpha else "gbrpf32le"


def _ffv1(codec: str, media: Media, deliver: str) -> str:
    depth = media.format.bit_depth
    if deliver == "matte":
        return "gray" if depth == 8 else "gray16le"
    if media.format.is_float:
        raise OutputError(f"ffv1 is not written for float pictures ({media.format.name}); choose exr")
    has_alpha = deliver == "patch" or media.format.has_alpha
    model = media.format.model
    if model == "gray" and not has_alpha:
        return _with_depth("gray", depth)
    if model == "rgb":
        return _ffv1_rgb(depth, has_alpha)
    subsampling = media.format.chroma_shift if deliver == "plate" and model == "yuv" else (0, 0)
    names = {(0, 0): "444", (1, 0): "422", (1, 1): "420", (0, 1): "440", (2, 0): "411", (2, 2): "410"}
    return _with_depth(f"yuv{'a' if has_alpha else ''}{names[subsampling]}p", depth)


def _ffv1_rgb(depth: int, has_alpha: bool) -> str:
    if depth <= 8:
        return "bgra" if has_alpha else "bgr0"
    return _with_depth("gbrap" if has_alpha else "gbrp", depth)


def _with_depth(stem: str, depth: int) -> str:
    return stem if depth == 8 else f"{stem}{depth}le"


def delivery_tags(codec: str, media: Media, deliver: str) -> ColorTags:
    """The colour tags of what is written: the source's, but for what the delivery format changes by its nature.

    A codec whose files cannot say full range gets video range.
    """
    return written_tags(codec, media, delivery_format(codec, media, deliver))


def written_tags(codec: str, media: Media, format: PixelFormat) -> ColorTags:
    """As ``delivery_tags``, for a delivery format that is known."""
    tags = adapted_tags(media.tags, media.format, format)
    if format.model == "yuv" and tags.full_range and not ENCODERS[codec].holds_full_range:
        return replace(tags, full_range=False)
    return tags
