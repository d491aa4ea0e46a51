"""What an object and its surroundings look like, learned while it is followed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Features = NDArray[np.float32]
Arrays = dict[str, NDArray[np.float32]]

_COLOUR_SCALES_PX = (0, 2, 6, 14)
_TEXTURE_SCALES_PX = (3, 8)
_ORIENTATION_COUNT = 4


def describe(lab: Picture) -> Features:
    """Describes each pixel by its colour and texture at several scales.

    Args:
        lab: float32 [H, W, 3], CIE L*a*b* over 100.

    Returns:
        float32 [H, W, F]: colour means, lightness contrast, and gradient energy by orientation.
    """
    parts: list[Picture] = []
    light = np.ascontiguousarray(lab[..., 0])
    for radius in _COLOUR_SCALES_PX:
        parts.append(_mean(lab, radius))
    dx, dy = cv2.Scharr(light, cv2.CV_32F, 1, 0) / 16.0, cv2.Scharr(light, cv2.CV_32F, 0, 1) / 16.0
    length = np.sqrt(dx * dx + dy * dy) + np.float32(1e-4)
    turns = np.pi * np.arange(_ORIENTATION_COUNT, dtype=np.float32) / _ORIENTATION_COUNT
    along = [np.square(dx * np.cos(t) + dy * np.sin(t)) / length for t in turns]
    energy = np.stack(along, -1).astype(np.float32)
    for radius in _TEXTURE_SCALES_PX:
        parts.append(np.sqrt(np.maximum(_mean(energy, radius), 0.0)) * np.float32(2.0))
        spread = _mean(light * light, radius) - np.square(_mean(light, radius))
        parts.append(np.sqrt(np.maximum(spread, 0.0))[..., None] * np.float32(3.0))
    return np.concatenate(parts, -1)


def _mean(picture: Picture, radius: int) -> Picture:
    if radius == 0:
        return picture
    size = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.blur(picture, size, borderType=cv2.BORDER_REFLECT), np.float32)


FEATURE_COUNT = 3 * len(_COLOUR_SCALES_PX) + (_ORIENTATION_COUNT + 1) * len(_TEXTURE_SCALES_PX)

_HIDDEN = (48, 24)
_RATE, _MOMENTUM, _SECOND, _DECAY = 5e-3, 0.9, 0.999, 1e-4
_KEPT = 0.95
"""Part of the running mean of weights that a step keeps."""
_BLOCK_ROWS = 128
"""Rows multiplied at a time. The BLAS inside NumPy calls up a thread for each core for larger products, and these wait
for one another far longer than they work: a product of 40 us took 7 ms where others used the cores too."""
_CHUNK_ROWS = 32 * _BLOCK_ROWS
"""Rows taken through all layers at a time, so that what lies between the layers stays in the processor's cache."""
_SOFTEST = 0.03
"""Labels are pulled in by this much, so that log odds stay within what evidence can bear."""


def multiply_rows(rows: Features, matrix: Features) -> Features:
    """Gives ``rows @ matrix`` in one thread: float32 [M, K] and [K, N], M many and the others few."""
    result = np.empty((len(rows), matrix.shape[1]), np.float32)
    whole = len(rows) - len(rows) % _BLOCK_ROWS
    blocks = (-1, _BLOCK_ROWS, rows.shape[1])
    np.matmul(rows[:whole].reshape(blocks), matrix, out=result[:whole].reshape(-1, _BLOCK_ROWS, matrix.shape[1]))
    np.matmul(rows[whole:], matrix, out=result[whole:])
    return result


def multiply_columns(left: Features, right: Features) -> Features:
    """Gives ``left.T @ right`` in one thread: float32 [M, K] and [M, N], M many and the others few."""
    whole = len(left) - len(left) % _BLOCK_ROWS
    lefts, rights = (m[:whole].reshape(-1, _BLOCK_ROWS, m.shape[1]) for m in (left, right))
    total = np.matmul(lefts.transpose(0, 2, 1), rights).sum(0) + left[whole:].T @ right[whole:]
    return np.asarray(total, np.float32)


@dataclass
class PixelClassifier:
    """A small perceptron from pixel features to log odds of the object, trained by Adam (Kingma and Ba, ICLR 2015).

    Args:
        weights: float32 layers ``w0 b0 w1 b1 w2 b2``, their running means over the last steps (``mean_*``; Polyak and
            Juditsky, SIAM J. Control Optim. 1992), the features' ``shift`` and ``gain``, and Adam's moments (``m_*``,
            ``v_*``).
        steps_done: training steps so far.
    """

    weights: Arrays
    steps_done: int = 0

    @classmethod
    def untrained(cls, features: Features, seed: int) -> PixelClassifier:
        """Draws first weights; features float32 [M, F] give the scale of the input."""
        draw = np.random.default_rng(seed)
        sizes = (features.shape[1], *_HIDDEN, 1)
        arrays: Arrays = {
            "shift": features.mean(0).astype(np.float32),
            "gain": (1.0 / (features.std(0) + 0.02)).astype(np.float32),
        }
        for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            arrays[f"w{i}"] = (draw.standard_normal((fan_in, fan_out)) * np.sqrt(2.0 / fan_in)).astype(np.float32)
            arrays[f"b{i}"] = np.zeros(fan_out, np.float32)
        for name in ("w0", "b0", "w1", "b1", "w2", "b2"):
            arrays["m_" + name], arrays["v_" + name] = np.zeros_like(arrays[name]), np.zeros_like(arrays[name])
            arrays["mean_" + name] = arrays[name].copy()
        return cls(arrays)

    def log_odds(self, features: Features) -> Picture:
        """Gives float32 [M] log odds of the object for float32 [M, F] features, ignoring how large it is."""
        w = self.weights
        slope = w["gain"][:, None] * w["mean_w0"]
        base = w["mean_b0"] - (w["shift"] * w["gain"]) @ w["mean_w0"]
        result = np.empty(len(features), np.float32)
        for start in range(0, len(features), _CHUNK_ROWS):
            rows = features[start : start + _CHUNK_ROWS]
            first = np.maximum(multiply_rows(rows, slope) + base, 0.0)
            second = np.maximum(multiply_rows(first, w["mean_w1"]) + w["mean_b1"], 0.0)
            result[start : start + _CHUNK_ROWS] = (multiply_rows(second, w["mean_w2"]) + w["mean_b2"])[:, 0]
        return result

    def train(self, features: Features, labels: NDArray[np.float32]) -> None:
        """Takes one step on float32 [M, F] features with float32 [M] labels of 0 or 1."""
        x, first, second, out = self._forward(features)
        w = self.weights
        target = np.clip(labels, _SOFTEST, 1.0 - _SOFTEST)
        d_out = ((1.0 / (1.0 + np.exp(-out[:, 0])) - target) / np.float32(len(labels)))[:, None]
        d_second = (d_out * w["w2"].T) * (second > 0)
        d_first = multiply_rows(d_second, w["w1"].T) * (first > 0)
        slopes = {
            "w2": multiply_columns(second, d_out),
            "b2": d_out.sum(0),
            "w1": multiply_columns(first, d_second),
            "b1": d_second.sum(0),
            "w0": multiply_columns(x, d_first),
            "b0": d_first.sum(0),
        }
        self._descend(slopes)

    def _forward(self, features: Features) -> tuple[Features, Features, Features, Features]:
        w = self.weights
        x = (features - w["shift"]) * w["gain"]
        first = np.maximum(multiply_rows(x, w["w0"]) + w["b0"], 0.0)
        second = np.maximum(multiply_rows(first, w["w1"]) + w["b1"], 0.0)
        return x, first, second, multiply_rows(second, w["w2"]) + w["b2"]

    def _descend(self, slopes: Arrays) -> None:
        self.steps_done += 1
        w = self.weights
        bias_1, bias_2 = 1.0 - _MOMENTUM**self.steps_done, 1.0 - _SECOND**self.steps_done
        for name, slope in slopes.items():
            m, v = w["m_" + name], w["v_" + name]
            m += np.float32(1.0 - _MOMENTUM) * (slope - m)
            v += np.float32(1.0 - _SECOND) * (slope * slope - v)
            step = np.float32(_RATE / bias_1) * m / (np.sqrt(v / np.float32(bias_2)) + np.float32(1e-8))
            w[name] -= step + np.float32(_RATE * _DECAY) * w[name]
            w["mean_" + name] += np.float32(1.0 - _KEPT) * (w[name] - w["mean_" + name])
