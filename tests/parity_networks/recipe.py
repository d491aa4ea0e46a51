"""The weights and inputs of parity cases, made from names alone, the same on every machine.

A case holds no weights: it names every tensor of the published state dict, and each name seeds numpy's frozen
`RandomState`. The values are fixed by the cases; not one draw may change its place.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

_WAVE_COUNT = 8
"""Plane waves in one smooth picture."""


class Entry(TypedDict):
    """One line of a state dict's list."""

    shape: list[int]
    dtype: str


def _stream(name: str) -> np.random.RandomState:
    return np.random.RandomState(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little"))


def tensor(name: str, shape: Sequence[int], dtype: str = "float32", gain: float = 1.0) -> NDArray[np.generic]:
    """Makes one entry of a state dict.

    Args:
        name: seeds it, and says by its ending what it is.
        shape: matrices and kernels are normal with deviation gain * sqrt(2 / fan in); of vectors a ``running_var`` lies
            in [0.5, 1.5], a ``weight`` in [0.8, 1.2], all others are normal with deviation 0.05.
        dtype: integers are zero.
        gain: factor on kernels.
    """
    stream = _stream(name)
    if not dtype.startswith("float"):
        return np.zeros(shape, dtype)
    if len(shape) >= 2:
        fan_in = max(1, int(np.prod(shape[1:])))
        return np.asarray(stream.standard_normal(shape) * gain * np.sqrt(2.0 / fan_in), dtype)
    if name.endswith("running_var"):
        return np.asarray(stream.uniform(0.5, 1.5, shape), dtype)
    if name.endswith("weight"):
        return np.asarray(stream.uniform(0.8, 1.2, shape), dtype)
    return np.asarray(stream.standard_normal(shape) * 0.05, dtype)


def fill(entries: Mapping[str, Entry], gains: Mapping[str, float] | None = None) -> dict[str, NDArray[np.generic]]:
    """Makes a whole state dict.

    Args:
        entries: shape and dtype by name.
        gains: factors by the names' beginnings; the longest that fits counts.
    """
    factors = gains or {}

    def gain(name: str) -> float:
        fitting = [start for start in factors if name.startswith(start)]
        return factors[max(fitting, key=len)] if fitting else 1.0

    return {name: tensor(name, e["shape"], e.get("dtype", "float32"), gain(name)) for name, e in entries.items()}


def noise(name: str, shape: Sequence[int], low: float = 0.0, high: float = 1.0) -> NDArray[np.float32]:
    """Makes smooth pictures with a little grain: float32 [..., H, W] from low to high."""
    stream = _stream(name)
    *lead, height, width = shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = np.zeros((int(np.prod(lead)) if lead else 1, height, width))
    for plane in planes:
        for _ in range(_WAVE_COUNT):
            fy, fx = stream.uniform(-0.15, 0.15, 2)
            strength = stream.standard_normal()
            plane += strength * np.sin(2 * np.pi * (fy * y + fx * x) + stream.uniform(0, 2 * np.pi))
        plane += 0.1 * stream.standard_normal((height, width))
    planes = (planes - planes.min()) / (planes.max() - planes.min())
    return np.asarray((low + planes * (high - low)).reshape(shape), np.float32)


def mask(name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """Makes masks of one ellipse each, drifting to the right: float32 [..., H, W] of 0 and 1."""
    stream = _stream(name)
    *lead, height, width = shape
    count = int(np.prod(lead)) if lead else 1
    y, x = np.mgrid[0:height, 0:width]
    cy, cx = stream.uniform(0.35, 0.65) * height, stream.uniform(0.25, 0.45) * width
    ry, rx = stream.uniform(0.12, 0.22) * height, stream.uniform(0.12, 0.22) * width
    planes = [((y - cy) / ry) ** 2 + ((x - cx - 0.02 * width * i) / rx) ** 2 <= 1.0 for i in range(count)]
    return np.asarray(np.stack(planes).reshape(shape), np.float32)


def call(text: str) -> NDArray[np.float32]:
    """Makes the array of the first call in a text, such as ``recipe.mask('name', (9, 90, 161)) != 0``."""
    first = text[: text.rindex(")") + 1]
    node = next(node for node in ast.walk(ast.parse(first)) if isinstance(node, ast.Call))
    assert isinstance(node.func, ast.Attribute), text
    arguments = [ast.literal_eval(argument) for argument in node.args]
    return {"noise": noise, "mask": mask}[node.func.attr](*arguments)
