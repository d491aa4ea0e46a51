"""The demo's shot as a camera would record it: ProRes, stereo sound, timecode.

PyAV is used here too, apart from ``stages``: this makes the test's material and must not lean on what it tests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from cleanplate_server.demo.canvas import Picture

START_TIMECODE = "01:00:00:00"
_SAMPLE_RATE = 48000
_BT709 = 1
_VIDEO_RANGE = 1


def record(path: Path, pictures: Iterable[Picture], *, size: tuple[int, int], rate: Fraction) -> None:
    """Writes ProRes 422 HQ in a QuickTime file: yuv422p10le, BT.709, video range, 24 bit PCM stereo.

    Args:
        path: of the file; replaced if it is there.
        pictures: float32 [H, W, 3] RGB in [0, 1] as displayed.
        size: (height, width) of the pictures.
        rate: frames a second.
    """
    with av.open(str(path), "w", format="mov") as container:
        video = container.add_stream("prores_ks", rate=rate, options={"profile": "3", "vendor": "apl0"})
        video.pix_fmt = "yuv422p10le"
        video.height, video.width = size
        video.time_base = 1 / rate
        video.metadata["timecode"] = START_TIMECODE
        context = video.codec_context
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _VIDEO_RANGE
        audio = container.add_stream("pcm_s24le", rate=_SAMPLE_RATE, layout="stereo")
        tagged = _tagging(size, 1 / rate)
        count = 0
        for number, picture in enumerate(pictures):
            frame = _video_frame(picture)
            frame.pts, frame.time_base = number, 1 / rate
            tagged.push(frame)
            container.mux(video.encode(tagged.pull()))
            count += 1
        container.mux(video.encode(None))
        container.mux(audio.encode(_street_noise(round(count / rate * _SAMPLE_RATE))))
        container.mux(audio.encode(None))


def audio_digest(path: Path) -> str:
    """SHA-256 over the audio packets' bytes, in order; the same for the same sound, wherever it is cut into packets."""
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for packet in container.demux(audio=0):
            digest.update(bytes(packet))
    return digest.hexdigest()


def _video_frame(picture: Picture) -> av.VideoFrame:
    codes = np.rint(np.clip(picture, 0, 1) * 65535).astype(np.uint16)
    rgb = av.VideoFrame.from_ndarray(codes, format="rgb48le")
    return rgb.reformat(
        format="yuv422p10le", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG,
        interpolation="BICUBIC",
    )  # fmt: skip


def _tagging(size: tuple[int, int], time_base: Fraction) -> av.filter.Graph:
    """Writes BT.709 on each frame, from where the ProRes encoder takes it into the bitstream."""
    graph = av.filter.Graph()
    pix_fmt = av.VideoFormat("yuv422p10le")
    source = graph.add_buffer(width=size[1], height=size[0], format=pix_fmt, time_base=time_base)
    tags = graph.add("setparams", "color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv")
    sink = graph.add("buffersink")
    source.link_to(tags)
    tags.link_to(sink)
    graph.configure()
    return graph


def _street_noise(sample_count: int) -> av.AudioFrame:
    """Steps over a low hum, a little different left and right; int32 samples of which 24 bits are kept."""
    rng = np.random.default_rng(3)
    time = np.arange(sample_count) / _SAMPLE_RATE
    steps = np.exp(-40 * (time % 0.55)) * rng.standard_normal(sample_count)
    hum = 0.3 * np.sin(2 * np.pi * 98 * time)
    sides: NDArray[np.float64] = np.stack([0.10 * steps + 0.05 * hum, 0.07 * steps + 0.06 * hum], axis=1)
    samples = (sides * (1 << 23)).astype(np.int32) << 8
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s32", layout="stereo")
    frame.sample_rate = _SAMPLE_RATE
    return frame
