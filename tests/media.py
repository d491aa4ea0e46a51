"""Tiny real media for tests, made with PyAV alone and none of the code under test."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

SIZE = (64, 96)
NTSC = Fraction(30000, 1001)
BT709 = {"color_primaries": "1", "color_trc": "1", "colorspace": "1", "color_range": "1", "chroma_sample_location": "1"}
X264 = {"preset": "ultrafast", "crf": "10"}
_BLOCK = 8


@dataclass(frozen=True)
class Recipe:
    """How to make a video file; every field has a plain default.

    Args:
        options: of the encoder; ``container`` those of the muxer.
        pts: of each frame in ``time_base``; frame numbers when empty.
        audio: encoder name, empty for none; one second of it for each second of picture, and a bit more.
    """

    encoder: str = "libx264"
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = SIZE
    count: int = 24
    rate: Fraction = NTSC
    time_base: Fraction | None = None
    pts: Sequence[int] = ()
    options: dict[str, str] = field(default_factory=lambda: {**X264, **BT709})
    container: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    timecode: str = ""
    reel: str = ""
    audio: str = ""
    filters: str = ""
    gop: int = 12
    frames: Sequence[av.VideoFrame] = ()


def write_video(path: Path, recipe: Recipe) -> Path:
    """Makes a video file whose frames carry their own numbers (see ``read_number``)."""
    time_base = recipe.time_base or 1 / recipe.rate
    pts = recipe.pts or range(recipe.count)
    with av.open(str(path), "w", format=recipe.format, options=recipe.container) as container:
        stream = container.add_stream(recipe.encoder, rate=recipe.rate, options=recipe.options)
        stream.height, stream.width = recipe.size
        stream.pix_fmt = recipe.pix_fmt
        stream.codec_context.time_base = time_base
        if recipe.encoder not in ("prores_ks", "ffv1", "dnxhd", "rawvideo"):
            stream.codec_context.gop_size = recipe.gop
        sound = container.add_stream(recipe.audio, rate=48000) if recipe.audio else None
        for metadata in (container.metadata, stream.metadata):
            metadata.update({k: v for k, v in (("timecode", recipe.timecode), ("reel_name", recipe.reel)) if v})
        graph = _graph(recipe, time_base) if recipe.filters else None
        for number, moment in enumerate(pts):
            frame = recipe.frames[number] if recipe.frames else numbered_frame(number, recipe.pix_fmt, recipe.size)
            frame.pts, frame.time_base = moment, time_base
            if graph:
                graph.vpush(frame)
                frame = graph.vpull()
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound:
            seconds = Fraction(pts[-1] + 1) * time_base + Fraction(1, 4)
            for frame in _noise(int(seconds * 48000), sound.codec_context.format.name, sound.codec_context.layout.name):
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def _graph(recipe: Recipe, time_base: Fraction) -> av.filter.Graph:
    graph = av.filter.Graph()
    height, width = recipe.size
    pix_fmt = av.VideoFormat(recipe.pix_fmt)
    chain = [graph.add_buffer(width=width, height=height, format=pix_fmt, time_base=time_base)]
    chain += [graph.add(*part.split("=", 1)) for part in recipe.filters.split(",")] + [graph.add("buffersink")]
    for before, after in itertools.pairwise(chain):
        before.link_to(after)
    graph.configure()
    return graph


def _noise(sample_count: int, sample_format: str, layout: str) -> Iterable[av.AudioFrame]:
    generator = np.random.default_rng(7)
    for start in range(0, sample_count, 1024):
        frame = av.AudioFrame(sample_format, layout, 1024)
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        for plane in frame.planes:
            if "flt" in sample_format:
                data = (generator.random(plane.buffer_size // 4, dtype=np.float32) - 0.5) * 0.2
            else:
                data = generator.integers(0, 255, plane.buffer_size, dtype=np.uint8)
            plane.update(data.tobytes())
        yield frame


def numbered_frame(number: int, pix_fmt: str, size: tuple[int, int] = SIZE) -> av.VideoFrame:
    """A frame with its number as black and white blocks in the top rows, over a slope that moves."""
    height, width = size
    gray = ((np.arange(width) * 2 + np.arange(height)[:, None] + number * 5) % 128 + 60).astype(np.uint8)
    for bit in range(8):
        gray[:_BLOCK, bit * _BLOCK : (bit + 1) * _BLOCK] = 235 if number >> bit & 1 else 16
    frame = av.VideoFrame(width, height, "gray")
    _fill(frame.planes[0], gray)
    return frame.reformat(format=pix_fmt)


def read_number(plane: NDArray[np.generic]) -> int:
    """The number that ``numbered_frame`` wrote, from a luma, green or gray plane of any depth."""
    peak = float(plane.max())
    means = [float(plane[1 : _BLOCK - 1, b * _BLOCK + 1 : (b + 1) * _BLOCK - 1].mean()) for b in range(8)]
    return sum(1 << bit for bit, mean in enumerate(means) if mean > peak / 2)


def random_frame(pix_fmt: str, size: tuple[int, int] = SIZE, *, seed: int = 1) -> av.VideoFrame:
    """A frame whose every sample is random over all code values of its format."""
    generator = np.random.default_rng(seed)
    frame = av.VideoFrame(size[1], size[0], pix_fmt)
    bits = frame.format.components[0].bits
    for plane in frame.planes:
        if "f32" in pix_fmt:
            data = generator.uniform(-0.5, 6, plane.buffer_size // 4).astype("<f4")
        elif bits > 8:
            shift = 16 - bits if pix_fmt.startswith("p0") or pix_fmt.startswith("p2") else 0
            order = ">u2" if pix_fmt.endswith("be") else "<u2"
            data = (generator.integers(0, 1 << bits, plane.buffer_size // 2) << shift).astype(order)
        else:
            data = generator.integers(0, 1 << bits, plane.buffer_size, dtype=np.uint8)
        plane.update(data.tobytes())
    return frame


def _fill(plane: av.video.plane.VideoPlane, values: NDArray[np.uint8]) -> None:
    lines = np.zeros((values.shape[0], plane.line_size), np.uint8)
    lines[:, : values.shape[1]] = values
    plane.update(lines.tobytes())


def write_image(path: Path, encoder: str, frame: av.VideoFrame, options: dict[str, str] | None = None) -> Path:
    """Encodes one image file."""
    context = av.CodecContext.create(encoder, "w")
    context.height, context.width, context.pix_fmt = frame.height, frame.width, frame.format.name
    context.time_base = Fraction(1, 24)
    context.options = options or {}
    frame.pts = 0
    path.write_bytes(b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)]))
    return path


def write_images(folder: Path, pattern: str, encoder: str, frames: Sequence[av.VideoFrame], *, first: int = 1) -> Path:
    """Encodes numbered images, ``pattern`` as in ``shot.%04d.exr``."""
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(frames, start=first):
        write_image(folder / (pattern % number), encoder, frame)
    return folder
