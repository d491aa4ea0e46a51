"""Checkpoints read as data: tensors by name, and nothing in the file that could run."""

from __future__ import annotations

import hashlib
import pickle
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cleanplate_server.errors import InputError

_NESTS = ("state_dict", "netG", "model", "params", "net")
"""Where published files keep their state dict, when it is not the file itself."""
_WRAPPER = "module."
"""What DataParallel puts before every name."""
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
"""How torch names what it refuses."""
_OPTIONAL = ("num_batches_tracked", "mean", "std", "mean3d")
"""Last parts of names that files may lack: counters of batch norm, and constants of colour."""

# plain numbers in training logs beside the weights; nothing of them can run
_PLAIN_NUMBERS = [np.dtype, np.float64(0).__reduce__()[0], *{type(np.dtype(kind)) for kind in "bBhHiIlLqQefd?"}]


def read_state(path: Path, *, page: str = "") -> dict[str, Tensor]:
    """Reads a checkpoint's state dict on the CPU.

    Args:
        path: of a file that ``torch.save`` wrote.
        page: where a good one is to be had, for the message.

    Returns:
        Tensors by the names that the network has, without the wrapper of parallel training.

    Raises:
        InputError: damaged, no checkpoint, or it holds objects that loading would run; none of them is.
    """
    remedy = f"get the file anew{f' from {page}' if page else ''}"
    try:
        with torch.serialization.safe_globals(_PLAIN_NUMBERS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old pickle protocols; what cannot be read raises
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path, _unsafe(error), remedy) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise _refused(path, f"it is damaged or no checkpoint ({_first_line(error)})", remedy) from error
    state = _state_in(content)
    if state is None:
        raise _refused(path, "it holds no state dict", remedy)
    return state


def layout(entries: Iterable[tuple[str, str, tuple[int, ...]]]) -> str:
    """The fingerprint of a state dict's entries, whatever their values.

    Counters and constants are left out: some published files have them and some do not.

    Args:
        entries: name, dtype such as ``float32``, shape.

    Returns:
        64 hex digits.
    """
    kept = (entry for entry in entries if entry[0].rpartition(".")[2] not in _OPTIONAL)
    lines = sorted(f"{name} {dtype} {','.join(map(str, shape))}" for name, dtype, shape in kept)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def state_layout(state: Mapping[str, Tensor]) -> str:
    """``layout`` of tensors."""
    return layout((name, str(value.dtype).removeprefix("torch."), tuple(value.shape)) for name, value in state.items())


def _state_in(content: object) -> dict[str, Tensor] | None:
    if not isinstance(content, Mapping):
        return None
    for nest in _NESTS:
        if isinstance(content.get(nest), Mapping):
            return _state_in(content[nest])
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if len(state) != len(content) or not state:
        return None
    if all(name.startswith(_WRAPPER) for name in state):
        return {name.removeprefix(_WRAPPER): value for name, value in state.items()}
    return state


def _unsafe(error: pickle.UnpicklingError) -> str:
    """What loading stumbled over: an object that is more than data, or bytes that are no weights."""
    named = _GLOBAL.search(str(error))
    if named:
        return f"it holds {named[1]}, which is code and no weights, and was not run"
    return "it is damaged or no checkpoint (its pickle cannot be read)"


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:160] or type(error).__name__


def _refused(path: Path, why: str, remedy: str) -> InputError:
    return InputError(f"{path} was not loaded: {why}; {remedy}", reason="BAD_WEIGHTS", metadata={"path": str(path)})
