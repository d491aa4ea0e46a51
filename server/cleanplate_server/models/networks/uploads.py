"""Frames on their way to a GPU and masks on their way back, while it computes.

On a CPU there is nothing to send: a frame is prepared when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Uploads:
    """Pictures for a network, the next one sent while the last one computes.

    Args:
        prepare: makes the network's input of a frame, on the CPU.
        frames: frames that there are.
        device: where the network is.
    """

    def __init__(self, prepare: Callable[[int], Tensor], frames: range, device: torch.device) -> None:
        self._prepare = prepare
        self._frames = frames
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._ahead: tuple[int, Tensor] | None = None

    def take(self, frame: int) -> Tensor:
        """A frame's input on the device."""
        ahead, self._ahead = self._ahead, None
        if self._stream is None:
            return self._prepare(frame)
        sent = ahead[1] if ahead is not None and ahead[0] == frame else self._send(frame, self._stream)
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._stream)
        sent.record_stream(computing)
        return sent

    def send_ahead(self, frame: int) -> None:
        """Sends the frame that is asked for next; call it once the last one's work has been ordered."""
        if self._stream is not None and frame in self._frames:
            self._ahead = frame, self._send(frame, self._stream)

    def _send(self, frame: int, stream: torch.cuda.Stream) -> Tensor:
        picture = self._prepare(frame).pin_memory()
        with torch.cuda.stream(stream):
            return picture.to(self._device, non_blocking=True)


class Fetched:
    """A result on its way from the device; nothing waits for it until it is taken.

    Args:
        result: float32 on any device, not changed from here on.
    """

    def __init__(self, result: Tensor) -> None:
        self._arrived: torch.cuda.Event | None = None
        self._host = result
        if result.device.type == "cuda":
            self._host = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
            self._host.copy_(result, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record(torch.cuda.current_stream(result.device))

    def take(self) -> NDArray[np.float32]:
        """Waits for it: float32, of the result's shape."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return np.asarray(self._host.numpy(), np.float32)


def half_precision(device: torch.device, *, halves: bool) -> AbstractContextManager[object]:
    """Lets a network compute in half precision where that is safe; sums and norms stay in float32."""
    return torch.autocast(device.type, dtype=torch.float16, enabled=halves)
