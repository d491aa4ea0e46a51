#!/usr/bin/env python3
"""Scores the embedded inpainter on shots whose clean plate is known.

    fill_quality.py SHOTS_DIR [-o OUT_DIR] [--effort fast|balanced|best] [--shot NAME] [--every N]

SHOTS_DIR holds a folder for each shot with plate.mkv, truth.mkv (FFV1, yuv420p) and masks/%05d.png (255 in the hole).
Each shot is filled through the Inpainter protocol; the hole's pixels alone are pasted into the plate's own planes, and
OUT_DIR/NAME.mkv gets the result. Prints for each shot, over the holes:

    psnr_y, ssim_y   of the luma code values
    warp             luma change along the truth's motion, as a ratio to the truth's own (1 is as steady)
    outside          greatest code-value difference outside the holes, all planes
    gain             dB of psnr_y over OpenCV's Telea fill of each frame
    cpu              processor seconds for each frame filled, the first pass included: steady on a shared machine
    fps              frames with a hole filled in a second of wall clock

``--every N`` fills and scores every Nth frame only, without warp and without a file: for trials.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
from cleanplate_server.models.embedded.inpainter import PlateInpainter
from cleanplate_server.models.protocols import RGB, Box, CleanRegion, Luma, Mask
from numpy.typing import NDArray

Planes = NDArray[np.uint8]
"""uint8 [H * 3 / 2, W]: the three planes of yuv420p under one another, as PyAV gives them."""


class BenchShot:
    """A shot held as planes; pictures are made when asked for (MaskedFrames)."""

    def __init__(self, folder: Path) -> None:
        self.plates = read_planes(folder / "plate.mkv")
        paths = sorted((folder / "masks").glob("*.png"))
        self.holes = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127 for path in paths]
        self.frames = range(len(self.plates))
        self.size: tuple[int, int] = self.holes[0].shape
        self._rgb = lru_cache(maxsize=48)(lambda frame: to_rgb(self.plates[frame]))

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        picture = self._rgb(frame)
        return picture if box is None else picture[box.slices]

    def luma(self, frame: int) -> Luma:
        return (self.plates[frame][: self.size[0]].astype(np.float32) - 16) / 219

    def mask(self, frame: int) -> Mask:
        return self.holes[frame]

    def hole_box(self, frame: int) -> Box | None:
        rows, columns = np.nonzero(self.holes[frame])
        if not len(rows):
            return None
        return Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


@dataclass(frozen=True)
class Figures:
    """One line of the table."""

    psnr_y: float
    ssim_y: float
    warp: float
    outside: int
    gain: float
    cpu: float
    fps: float


def read_planes(path: Path) -> list[Planes]:
    with av.open(str(path)) as media:
        return [frame.to_ndarray() for frame in media.decode(video=0)]


def write_planes(path: Path, planes: Sequence[Planes]) -> None:
    with av.open(str(path), "w") as media:
        stream = media.add_stream("ffv1", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = planes[0].shape[1], planes[0].shape[0] * 2 // 3, "yuv420p"
        for index, plane in enumerate(planes):
            frame = av.VideoFrame.from_ndarray(plane, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 24)
            media.mux(stream.encode(frame))
        media.mux(stream.encode())


def split_planes(planes: Planes) -> tuple[Planes, Planes, Planes]:
    """Views of Y [H, W], Cb and Cr [H / 2, W / 2]."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    quarter = height // 4
    cb, cr = (
        planes[height + i * quarter : height + (i + 1) * quarter].reshape(height // 2, width // 2) for i in (0, 1)
    )
    return planes[:height], cb, cr


def to_rgb(planes: Planes) -> RGB:
    """Video-range BT.601 code values to float32 [H, W, 3], not clipped."""
    luma, cb, cr = (plane.astype(np.float32) for plane in split_planes(planes))
    height, width = luma.shape
    y = (luma - 16) / 219
    b, r = (cv2.resize((plane - 128) / 224, (width, height)) for plane in (cb, cr))
    return np.stack([y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b], -1).astype(np.float32)


def paste(planes: Planes, hole: Mask, region: CleanRegion) -> Planes:
    """The plate with the hole's pixels replaced, rounded once; chroma samples that touch the hole are replaced too."""
    out = planes.copy()
    luma, cb, cr = split_planes(out)
    rgb = to_rgb(planes)
    rgb[region.box.slices] = np.where(hole[region.box.slices][..., None], region.rgb, rgb[region.box.slices])
    y = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    luma[hole] = np.clip(np.rint(y * 219 + 16), 0, 255)[hole]
    half = hole.reshape(hole.shape[0] // 2, 2, -1, 2).any((1, 3))
    for plane, channel, span in ((cb, 2, 1.772), (cr, 0, 1.402)):
        chroma = cv2.resize((rgb[..., channel] - y) / span, plane.shape[::-1], interpolation=cv2.INTER_AREA)
        plane[half] = np.clip(np.rint(chroma * 224 + 128), 0, 255)[half]
    return out


def ssim_map(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """SSIM of each pixel (Wang et al. 2004), 11x11 Gaussian of sigma 1.5."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my, xx, yy, xy = (cv2.GaussianBlur(v, (11, 11), 1.5) for v in (x, y, x * x, y * y, x * y))
    top = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2)
    return np.asarray(top / ((mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2)))


def psnr(results: Sequence[Planes], truths: Sequence[Planes], holes: Sequence[Mask]) -> float:
    error, count = 0.0, 0
    for result, truth, hole in zip(results, truths, holes, strict=True):
        height = hole.shape[0]
        error += float(((result[:height].astype(np.float64) - truth[:height]) ** 2)[hole].sum())
        count += int(hole.sum())
    return float(10 * np.log10(255**2 / max(error / max(1, count), 1e-6)))


def ssim(results: Sequence[Planes], truths: Sequence[Planes], holes: Sequence[Mask]) -> float:
    values = [
        ssim_map(result[: hole.shape[0]], truth[: hole.shape[0]])[hole].mean()
        for result, truth, hole in zip(results, truths, holes, strict=True)
        if hole.any()
    ]
    return float(np.mean(values)) if values else 1.0


def warp_ratio(results: Sequence[Planes], truths: Sequence[Planes], holes: Sequence[Mask]) -> float:
    height, width = holes[0].shape
    row, column = np.mgrid[0:height, 0:width].astype(np.float32)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    own, reference = 0.0, 0.0
    for t in range(1, len(results)):
        now, before = (np.ascontiguousarray(truths[i][:height]) for i in (t, t - 1))
        flow = search.calc(now, before, None)
        places = column + flow[..., 0], row + flow[..., 1]
        for planes, is_own in ((results, True), (truths, False)):
            moved = cv2.remap(planes[t - 1][:height], *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            change = float(np.abs(moved.astype(float) - planes[t][:height])[holes[t]].sum())
            own, reference = (own + change, reference) if is_own else (own, reference + change)
    return own / max(reference, 1e-6)


def outside(results: Sequence[Planes], truths: Sequence[Planes], holes: Sequence[Mask]) -> int:
    greatest = 0
    for result, truth, hole in zip(results, truths, holes, strict=True):
        half = hole.reshape(hole.shape[0] // 2, 2, -1, 2).any((1, 3))
        for a, b, covered in zip(split_planes(result), split_planes(truth), (hole, half, half), strict=True):
            greatest = max(greatest, int(np.abs(a.astype(int) - b)[~covered].max(initial=0)))
    return greatest


def telea(planes: Planes, hole: Mask) -> Planes:
    out = planes.copy()
    luma = np.ascontiguousarray(planes[: hole.shape[0]])
    out[: hole.shape[0]] = cv2.inpaint(luma, hole.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    return out


def measure(folder: Path, engine: PlateInpainter, *, every: int, out: Path | None) -> Figures:
    """Fills and scores one shot."""
    shot, truths = BenchShot(folder), read_planes(folder / "truth.mkv")
    chosen = shot.frames[every // 2 :: every]
    started, worked = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as state:
        filler = engine.survey(shot, Path(state), lambda _: None)
        regions = {region.frame: region for region in filler.fill(chosen)}
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    results = [paste(shot.plates[i], shot.holes[i], regions[i]) if i in regions else shot.plates[i] for i in chosen]
    truths, holes = [truths[i] for i in chosen], [shot.holes[i] for i in chosen]
    floor = [telea(shot.plates[i], shot.holes[i]) for i in chosen]
    if out is not None and every == 1:
        write_planes(out / f"{folder.name}.mkv", results)
    quality = psnr(results, truths, holes)
    return Figures(
        psnr_y=quality,
        ssim_y=ssim(results, truths, holes),
        warp=warp_ratio(results, truths, holes) if every == 1 else float("nan"),
        outside=outside(results, truths, holes),
        gain=quality - psnr(floor, truths, holes),
        cpu=worked / max(1, len(regions)),
        fps=len(regions) / seconds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Scores the embedded inpainter.")
    parser.add_argument("shots", type=Path)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--effort", choices=("fast", "balanced", "best"), default="balanced")
    parser.add_argument("--shot", default="", help="only shots whose name holds this")
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    cv2.setNumThreads(1)  # as jobs do
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for folder in sorted(path for path in given.shots.iterdir() if given.shot in path.name):
        figures = measure(folder, PlateInpainter(given.effort), every=given.every, out=given.out)
        lines.append(figures)
        show(folder.name, figures)
    mean = {key: float(np.mean([getattr(line, key) for line in lines])) for key in Figures.__dataclass_fields__}
    show("mean", Figures(**{**mean, "outside": max(line.outside for line in lines)}))


def show(name: str, figures: Figures) -> None:
    sys.stdout.write(
        f"{name:20s} psnr_y {figures.psnr_y:6.2f}  ssim_y {figures.ssim_y:.4f}  warp {figures.warp:6.3f}"
        f"  outside {figures.outside}  gain {figures.gain:+.2f}  cpu {figures.cpu:.2f}  fps {figures.fps:.2f}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
