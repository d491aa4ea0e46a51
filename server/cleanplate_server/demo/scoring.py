"""How near a result comes to the truth that the demo's shot was made with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.clip import Media
from cleanplate_server.demo.recording import audio_digest
from cleanplate_server.errors import MediaError
from cleanplate_server.models.protocols import Mask
from cleanplate_server.stages.composite import grow
from cleanplate_server.stages.decode import Decoder, probe

Gray = NDArray[np.float32]

_TELEA_RADIUS_PX = 5
_LEAST_IOU = 0.5


@dataclass(frozen=True)
class Figures:
    """What was measured; every figure is printed by ``cleanplate demo``.

    Args:
        mask_iou: mean over the frames of intersection over union with the truth's object and shadow, both grown.
        body_covered, shadow_covered: share of the truth's pixels that lie under the masks.
        psnr_db, ssim: luma of the clean media under the truth's grown masks, against the truth.
        telea_psnr_db, telea_ssim: the same for OpenCV's per-frame Telea fill, which is given the true masks.
        outside_max: greatest difference of code values outside the masks, all planes, in the lossless run.
        same_frames, same_audio, same_timecode, same_tags: clean media against the source.
    """

    mask_iou: float
    body_covered: float
    shadow_covered: float
    psnr_db: float
    ssim: float
    telea_psnr_db: float
    telea_ssim: float
    outside_max: int
    same_frames: bool
    same_audio: bool
    same_timecode: bool
    same_tags: bool

    def failures(self) -> list[str]:
        """Sentences for what is not as it must be."""
        checks = {
            f"the masks agree with the truth to {self.mask_iou:.3f} only": self.mask_iou >= _LEAST_IOU,
            f"the fill ({self.psnr_db:.2f} dB) is no better than Telea's": self.psnr_db > self.telea_psnr_db,
            f"pixels outside the masks changed by up to {self.outside_max}": self.outside_max == 0,
            "the number of frames changed": self.same_frames,
            "the sound changed": self.same_audio,
            "the timecode changed": self.same_timecode,
            "the colour tags changed": self.same_tags,
        }
        return [sentence for sentence, passed in checks.items() if not passed]


@dataclass(frozen=True)
class Answer:
    """The truth of the shot.

    Args:
        body, shadow: bool [T, H, W].
        grow_px: what masks are grown by.
    """

    body: Mask
    shadow: Mask
    grow_px: int

    def hole(self, frame: int) -> Mask:
        """bool [H, W]: what must go, grown."""
        return grow(self.body[frame] | self.shadow[frame], self.grow_px)


def score(folder: Path, answer: Answer, masks: Sequence[Path], *, lossless: Path, lossless_frames: range) -> Figures:
    """Measures a finished demo.

    Args:
        folder: holds plate.mov, truth.mov and clean.mov.
        answer: the truth.
        masks: PNG files of the grown masks that were used, one for each frame.
        lossless: the same fill of some frames in a lossless codec.
        lossless_frames: which frames it holds.
    """
    plate, clean = probe(folder / "plate.mov"), probe(folder / "clean.mov")
    used = np.stack([read_mask(file) for file in masks])
    holes = [answer.hole(frame) for frame in range(len(used))]
    truth, result, source = (list(_lumas(folder / name)) for name in ("truth.mov", "clean.mov", "plate.mov"))
    telea = [_telea(luma, hole) for luma, hole in zip(source, holes, strict=True)]
    same_count = len(result) == len(truth)
    return Figures(
        mask_iou=float(np.mean([_iou(mask, hole) for mask, hole in zip(used, holes, strict=True)])),
        body_covered=float((used & answer.body).sum() / answer.body.sum()),
        shadow_covered=float((used & answer.shadow).sum() / answer.shadow.sum()),
        psnr_db=_psnr(result, truth, holes) if same_count else 0.0,
        ssim=_ssim(result, truth, holes) if same_count else 0.0,
        telea_psnr_db=_psnr(telea, truth, holes),
        telea_ssim=_ssim(telea, truth, holes),
        outside_max=outside_max(plate, probe(lossless), lossless_frames, used),
        same_frames=same_count and clean.rate == plate.rate,
        same_audio=audio_digest(clean.path) == audio_digest(plate.path),
        same_timecode=clean.start_timecode == plate.start_timecode,
        same_tags=clean.tags == plate.tags and clean.pixel_aspect == plate.pixel_aspect,
    )


def outside_max(plate: Media, result: Media, frames: range, masks: Mask) -> int:
    """The greatest difference of code values where a mask is empty.

    Args:
        plate: the source.
        result: frames of it, in a lossless codec, in the source's own pixel format.
        frames: which.
        masks: bool [T, H, W] by the source's frame number.
    """
    if result.format.name != plate.format.name:
        raise MediaError(
            f"{result.path.name} is {result.format.name} and the source {plate.format.name}, which cannot be compared;"
            " deliver the source's own format"
        )
    greatest = 0
    with Decoder(plate) as before, Decoder(result) as after:
        pairs = zip(before.plates(frames), after.plates(range(len(frames))), strict=True)
        for old, new in pairs:
            for number, (a, b) in enumerate(zip(old.planes, new.planes, strict=True)):
                clear = _clear(masks[old.frame], a.shape, subsampled=number > 0)
                difference = np.abs(a.astype(np.int32) - b.astype(np.int32))
                greatest = max(greatest, int(difference[clear].max(initial=0)))
    return greatest


def read_mask(file: Path) -> Mask:
    """bool [H, W] from a PNG, 128 and above is object.

    Raises:
        MediaError: it cannot be read.
    """
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise MediaError(f"{file} cannot be read as a picture; run the demo again")
    return np.asarray(picture >= 128, np.bool_)


def _clear(mask: Mask, shape: tuple[int, ...], *, subsampled: bool) -> Mask:
    """Samples none of whose pixels lie under the mask; the chroma of 4:2:2 stands for two pixels side by side."""
    if not subsampled:
        return ~mask
    return np.asarray(~mask.reshape(shape[0], shape[1], -1).any(axis=2), np.bool_)


def _lumas(path: Path) -> Iterable[Gray]:
    """float32 [H, W] luma of each frame in 8 bit units, video range."""
    media = probe(path)
    with Decoder(media) as decoder:
        for plate in decoder.plates(range(media.frame_count)):
            yield (plate.planes[0].astype(np.float32) / (1 << (media.format.bit_depth - 8))).astype(np.float32)


def _telea(luma: Gray, hole: Mask) -> Gray:
    """A. Telea, An image inpainting technique based on the fast marching method, 2004."""
    codes = np.rint(luma).astype(np.uint8)
    filled = cv2.inpaint(codes, hole.astype(np.uint8), _TELEA_RADIUS_PX, cv2.INPAINT_TELEA)
    return np.where(hole, filled, luma).astype(np.float32)


def _iou(mask: Mask, truth: Mask) -> float:
    union = int((mask | truth).sum())
    return int((mask & truth).sum()) / union if union else 1.0


def _psnr(results: Sequence[Gray], truths: Sequence[Gray], holes: Sequence[Mask]) -> float:
    """dB over all hole pixels together, peak 255."""
    triples = zip(results, truths, holes, strict=True)
    errors = np.concatenate([((a.astype(np.float64) - b) ** 2)[hole] for a, b, hole in triples])
    return float(10 * np.log10(255**2 / max(float(errors.mean()), 1e-6)))


def _ssim(results: Sequence[Gray], truths: Sequence[Gray], holes: Sequence[Mask]) -> float:
    """Mean structural similarity of the hole pixels (Wang et al. 2004: Gaussian 11x11, sigma 1.5)."""
    triples = zip(results, truths, holes, strict=True)
    return float(np.mean([_ssim_map(a, b)[hole].mean() for a, b, hole in triples if hole.any()]))


def _ssim_map(first: Gray, second: Gray) -> NDArray[np.float64]:
    a, b = first.astype(np.float64), second.astype(np.float64)
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a, var_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    map_: NDArray[np.float64] = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return map_ / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))


def _blurred(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5), np.float64)
