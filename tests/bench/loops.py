"""Media of any length for the benches, quickly made: one loop drawn, then the same packets again.

A camera that swings over a textured wall, something round that passes before it, H.264 8 bit 4:2:0 at 24 frames a
second. A loop is 10 s long and ends where it begins, so that loops join without a cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from cleanplate_server.models.protocols import Box, Mask
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

RATE = 24
LOOP_FRAMES = 240
SIZES = {"480p": (480, 854), "1080p": (1080, 1920), "4K": (2160, 3840)}


class BallMasks:
    """The round thing's own place in each frame (``stages.plates.MaskSource``)."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size

    def mask(self, frame: int) -> Mask:
        """bool [H, W]."""
        canvas = np.zeros(self._size, np.uint8)
        x, y = ball_centre(frame, self._size)
        cv2.circle(canvas, (round(x), round(y)), ball_radius(self._size) + 2, 1, -1)
        return canvas.astype(np.bool_)

    def box(self, frame: int) -> Box:
        """Bounding box."""
        x, y = (round(value) for value in ball_centre(frame, self._size))
        reach = ball_radius(self._size) + 2
        return Box(x - reach, y - reach, x + reach + 1, y + reach + 1)


def ball_radius(size: tuple[int, int]) -> int:
    """Pixels, for a picture of (height, width)."""
    return size[0] // 9


def ball_centre(frame: int, size: tuple[int, int]) -> tuple[float, float]:
    """Where the round thing is, (x, y); the way closes after a loop, so that loops join without a cut."""
    turn = 2 * np.pi * frame / LOOP_FRAMES
    return size[1] * (0.5 + 0.3 * float(np.sin(turn))), size[0] * (0.5 + 0.2 * float(np.cos(turn)))


def make_loop(path: Path, size: tuple[int, int]) -> Path:
    """Writes one loop as H.264 without B-frames."""
    height, width = size
    wall = _wall((height * 5 // 4, width * 5 // 4))
    ball = np.asarray(cv2.applyColorMap(cv2.resize(wall[..., 0], (width, height)), cv2.COLORMAP_HOT), np.uint8)
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "crf": "16", "bf": "0", "g": "48"}
        stream = container.add_stream("libx264", rate=Fraction(RATE), options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for number in range(LOOP_FRAMES):
            frame = av.VideoFrame.from_ndarray(_picture(wall, ball, number, size), format="bgr24")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return path


def _picture(wall: Bytes, ball: Bytes, number: int, size: tuple[int, int]) -> Bytes:
    turn = 2 * np.pi * number / LOOP_FRAMES
    shift = [size[1] * (0.11 + 0.1 * np.cos(turn)), size[0] * (0.11 + 0.04 * np.sin(turn))]
    view = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(wall, view, (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_REFLECT)
    x, y = (round(value) for value in ball_centre(number, size))
    disc = np.zeros(size, np.uint8)
    cv2.circle(disc, (x, y), ball_radius(size), 255, -1, cv2.LINE_AA)
    cv2.copyTo(ball, disc, picture)
    return np.asarray(picture, np.uint8)


def _wall(size: tuple[int, int]) -> Bytes:
    """Clouds of several sizes with panels on them: structure at every scale."""
    rng = np.random.default_rng(5)
    picture = np.zeros((*size, 3), np.float32)
    for octave in range(2, 8):
        small = rng.random((2**octave, 2**octave, 3), np.float32)
        picture += cv2.resize(small, (size[1], size[0]), interpolation=cv2.INTER_CUBIC) / octave
    picture = (picture - picture.min()) / (picture.max() - picture.min()) * 200 + 20
    for _ in range(160):
        x, y = int(rng.integers(size[1])), int(rng.integers(size[0]))
        w, h = (int(value) for value in rng.integers(size[0] // 40, size[0] // 8, 2))
        cv2.rectangle(picture, (x, y), (x + w, y + h), rng.uniform(20, 230, 3).tolist(), max(1, size[0] // 300))
    return np.asarray(picture, np.uint8)


def repeat(path: Path, target: Path, times: int) -> Path:
    """The same packets one loop after the other."""
    with av.open(str(target), "w") as out:
        output = None
        for number in range(times):
            with av.open(str(path)) as loop:
                source = loop.streams.video[0]
                output = output or out.add_stream_from_template(source)
                for packet in _packets(loop):
                    assert packet.pts is not None
                    packet.pts += round(number * Fraction(LOOP_FRAMES, RATE) / packet.time_base)
                    packet.dts = packet.pts  # there are no B-frames
                    packet.stream = output
                    out.mux(packet)
    return target


def _packets(container: InputContainer) -> Iterator[av.Packet[VideoStream]]:
    return (packet for packet in container.demux(video=0) if packet.size)


def write_masks(folder: Path, size: tuple[int, int], repeats: int) -> Path:
    """Writes the round thing's mask for every frame as ``%05d.png``; loops after the first are links to it."""
    folder.mkdir()
    masks = BallMasks(size)
    for number in range(LOOP_FRAMES * repeats):
        file = folder / f"{number:05d}.png"
        if number < LOOP_FRAMES:
            cv2.imwrite(str(file), masks.mask(number).astype(np.uint8) * 255)
        else:
            file.hardlink_to(folder / f"{number % LOOP_FRAMES:05d}.png")
    return folder
