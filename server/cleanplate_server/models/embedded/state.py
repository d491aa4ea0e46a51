"""An engine's state as bytes: named arrays, no pickles."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Stored = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int64]


def pack_arrays(arrays: Mapping[str, Stored]) -> bytes:
    """Writes named arrays as an ``.npz``: the names first, then the arrays in their order."""
    target = io.BytesIO()
    np.savez(target, np.array(list(arrays)), *arrays.values(), allow_pickle=False)
    return target.getvalue()


def unpack_arrays(data: bytes) -> dict[str, Stored]:
    """Reads what `pack_arrays` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        return {str(name): stored[f"arr_{i}"] for i, name in enumerate(stored["arr_0"], start=1)}
