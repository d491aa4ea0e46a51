"""SAM 2.1 and SAM 3 loaded from a local folder: no network, no code from the folder, no pickles."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from cleanplate_server.errors import DeviceMemoryError, EngineError, InputError
from cleanplate_server.models.networks.sam.library import (
    ImageNetwork,
    Images,
    Look,
    SessionMaker,
    TrackNetwork,
    Tracks,
)

_log = logging.getLogger(__name__)
_INSTALL = "pip install 'cleanplate[sam2]'"
_NAMED_ENTRIES = 3
"""Entries that a message names at most."""
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALVES = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


class _Part(Protocol):
    """A network's section of the configuration."""

    def to_dict(self) -> dict[str, object]: ...


class _Config(Protocol):
    vision_config: object
    prompt_encoder_config: _Part
    mask_decoder_config: _Part
    num_maskmem: int
    max_object_pointers_in_encoder: int


class _LoadedTracks(TrackNetwork, Protocol):
    image_size: int
    config: _Config

    def state_dict(self) -> dict[str, Tensor]: ...

    def eval(self) -> _LoadedTracks: ...

    def to(self, device: torch.device) -> _LoadedTracks: ...


class _LoadedImages(ImageNetwork, Protocol):
    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state_dict: Mapping[str, Tensor], strict: bool) -> object: ...

    def eval(self) -> _LoadedImages: ...

    def to(self, device: torch.device) -> _LoadedImages: ...


class _FromFolder(Protocol):
    """``from_pretrained`` as it is used here; the second answer names entries that did not fit."""

    def __call__(
        self,
        folder: Path,
        *,
        local_files_only: bool,
        use_safetensors: bool,
        dtype: torch.dtype,
        output_loading_info: bool,
    ) -> tuple[_LoadedTracks, Mapping[str, Collection[str]]]: ...


class _ImageConfigMaker(Protocol):
    def __call__(
        self,
        *,
        vision_config: object,
        prompt_encoder_config: dict[str, object],
        mask_decoder_config: dict[str, object],
    ) -> object: ...


@dataclass(frozen=True)
class _Family:
    """One generation: what its folders call themselves, how it sees pictures, and the library's classes."""

    title: str
    model_types: tuple[str, ...]
    colours: tuple[tuple[float, float, float], tuple[float, float, float]]
    read_tracks: _FromFolder
    begin: SessionMaker
    image_config: _ImageConfigMaker
    build_images: Callable[[object], _LoadedImages]


def load_tracks(name: str, folder: Path, *, device: str) -> Tracks:
    """Builds a published network for shots with its weights.

    Args:
        name: of the weights; those that begin with ``sam3`` are SAM 3.
        folder: with ``config.json`` and ``model.safetensors``, proved beforehand.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        EngineError: the library is not installed, or too old.
        InputError: the folder does not hold this network.
        DeviceMemoryError: it does not fit the device's memory.
    """
    family = _family(name)
    network = _read(family, name, folder)
    config = network.config
    try:
        placed = network.eval().to(torch.device(device))
    except torch.OutOfMemoryError as error:
        raise _too_large(name, device, kind="propagator") from error
    return Tracks(
        placed,
        Look(network.image_size, *family.colours),
        torch.device(device),
        family.begin,
        memory_frames=config.num_maskmem - 1,
        pointer_frames=config.max_object_pointers_in_encoder - 1,
    )


def load_images(name: str, folder: Path, *, device: str) -> Images:
    """Builds a published network for single pictures with its weights; see ``load_tracks``.

    Its entries are those of the network for shots without the memory.
    """
    family = _family(name)
    whole = _read(family, name, folder)
    config = whole.config
    network = family.build_images(
        family.image_config(
            vision_config=config.vision_config,
            prompt_encoder_config=_settings(config.prompt_encoder_config),
            mask_decoder_config=_settings(config.mask_decoder_config),
        )
    )
    entries = whole.state_dict()
    network.load_state_dict({entry: entries[entry] for entry in network.state_dict()}, strict=True)
    try:
        placed = network.eval().to(torch.device(device))
    except torch.OutOfMemoryError as error:
        raise _too_large(name, device, kind="segmenter") from error
    return Images(placed, Look(whole.image_size, *family.colours), torch.device(device))


def _family(name: str) -> _Family:
    """Imports the library's classes; it takes seconds, and is an optional extra."""
    title = "SAM 3" if name.startswith("sam3") else "SAM 2"
    try:
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        if title == "SAM 3":
            return _Family(
                title,
                ("sam3_video", "sam3_tracker_video"),
                _HALVES,
                transformers.Sam3TrackerVideoModel.from_pretrained,
                transformers.Sam3TrackerVideoInferenceSession,
                transformers.Sam3TrackerConfig,
                transformers.Sam3TrackerModel,
            )
        return _Family(
            title,
            ("sam2_video",),
            _IMAGENET,
            transformers.Sam2VideoModel.from_pretrained,
            transformers.Sam2VideoInferenceSession,
            transformers.Sam2Config,
            transformers.Sam2Model,
        )
    except ImportError as error:
        raise EngineError(f"{name} needs transformers 5 or newer ({error}); install it with {_INSTALL}") from error
    except AttributeError as error:
        raise EngineError(
            f"{name} needs transformers 5 or newer, and {transformers.__version__} has no {title}; {_INSTALL} -U"
        ) from error


def _read(family: _Family, name: str, folder: Path) -> _LoadedTracks:
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    _refuse_other_models(family, name, folder)
    try:
        network, report = family.read_tracks(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, StrictDataclassError, SafetensorError) as error:
        raise _wrong(name, folder, str(error).strip().split("\n", 1)[0][:160]) from error
    missing = sorted(map(str, report["missing_keys"]))
    if missing:
        named = ", ".join(missing[:_NAMED_ENTRIES])
        raise _wrong(name, folder, f"{len(missing)} of its entries are missing, such as {named}")
    if report["unexpected_keys"]:
        _log.warning("%s holds %d entries that %s has no use for", folder, len(report["unexpected_keys"]), name)
    return network


def _refuse_other_models(family: _Family, name: str, folder: Path) -> None:
    file = folder / "config.json"
    try:
        config: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(name, folder, f"config.json cannot be read ({error})") from error
    found = config.get("model_type") if isinstance(config, dict) else None
    if found not in family.model_types:
        raise _wrong(name, folder, f"config.json says '{found}', and '{family.model_types[0]}' is needed")


def _settings(part: _Part) -> dict[str, object]:
    return {name: value for name, value in part.to_dict().items() if name != "model_type"}


def _wrong(name: str, folder: Path, why: str) -> InputError:
    return InputError(
        f"{folder} does not hold {name}: {why}; get its files anew with `cleanplate weights pull {name}`",
        reason="WRONG_WEIGHTS",
        metadata={"weights": name},
    )


def _too_large(name: str, device: str, *, kind: str) -> DeviceMemoryError:
    return DeviceMemoryError(
        f"{name} does not fit the memory of {device};"
        f" choose a smaller one with --engine {kind}=sam2.1-tiny, or --engine {kind}=embedded",
    )
