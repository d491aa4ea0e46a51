"""What a job is asked to do and what it gives back: plain values, no wire, no files open."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from cleanplate_server.models.protocols import Effort, EngineInfo, EngineKind, Prompt

Delivery = Literal["plate", "patch", "matte"]


@dataclass(frozen=True)
class CleanPlate:
    """A frame that somebody painted or shot without the object: an image file of the picture's size."""

    frame: int
    path: Path


@dataclass(frozen=True)
class FollowedObject:
    """Masks of one object that were followed before: a folder of ``%05d.png``, frames numbered from 0 in the media."""

    object_id: int
    masks_path: Path


@dataclass(frozen=True)
class RemoveOperation:
    """Find objects, follow them, fill what was behind them.

    Args:
        prompts: at least one.
        grow_px: masks are grown by so much before filling; None lets the picture's size choose.
        feather_px: width of the soft edge inside the grown mask; None lets the picture's size choose.
        clean_plates: at most one for each frame.
        with_shadow: masks grow to the shadow that the objects cast, too.
        followed: masks that are taken as they are; what they leave open is followed from the prompts.
        preview: fill these frames alone and write them as pictures to look at; None delivers the whole range.
    """

    prompts: tuple[Prompt, ...]
    grow_px: int | None = None
    feather_px: int | None = None
    clean_plates: tuple[CleanPlate, ...] = ()
    with_shadow: bool = False
    followed: tuple[FollowedObject, ...] = ()
    preview: range | None = None


@dataclass(frozen=True)
class TrackOperation:
    """Find objects and follow them."""

    prompts: tuple[Prompt, ...]
    grow_px: int = 0


@dataclass(frozen=True)
class FillOperation:
    """Fill under given masks: a folder of PNGs, a pattern, or a matte file. Nothing outside changes unless grown."""

    masks_path: Path
    grow_px: int = 0
    feather_px: int = 0
    clean_plates: tuple[CleanPlate, ...] = ()


@dataclass(frozen=True)
class MatteOperation:
    """Soft alpha for objects; without prompts, for the people in the picture."""

    prompts: tuple[Prompt, ...] = ()


Operation = RemoveOperation | TrackOperation | FillOperation | MatteOperation


@dataclass(frozen=True)
class Output:
    """Where and how media is written.

    Args:
        path: file, folder or pattern.
        codec: empty lets the path's ending and the source's depth choose.
        delivery: what is written.
        overwrite: whether a file that is there may be replaced.
        omit_audio: leave the source's sound out of a plate.
        unseen_path: folder for maps of what no frame shows; None writes none.
    """

    path: Path
    codec: str = ""
    delivery: Delivery = "plate"
    overwrite: bool = False
    omit_audio: bool = False
    unseen_path: Path | None = None

    def keeps_audio(self, delivery: Delivery) -> bool:
        """Whether the source's sound goes along; patches and mattes lie above a clip that has its own."""
        return delivery == "plate" and not self.omit_audio


@dataclass(frozen=True)
class JobSpec:
    """One piece of work on one clip range.

    Args:
        path: media file, folder of images or pattern.
        operation: what to do.
        output: where it goes.
        stream_index: counted among the video streams.
        sequence_rate: frames a second of images that name none themselves; None is 24.
        start_frame, frame_count: the range without handles; None is up to the end of the media.
        handle_count: spare frames on each side.
        engines: chosen engines by kind; the registry chooses the others.
        effort: time against quality.
    """

    path: Path
    operation: Operation
    output: Output
    stream_index: int = 0
    sequence_rate: Fraction | None = None
    start_frame: int = 0
    frame_count: int | None = None
    handle_count: int = 0
    engines: dict[EngineKind, str] = field(default_factory=dict)
    effort: Effort = "balanced"


@dataclass(frozen=True)
class EngineUse:
    """An engine that ran, for the manifest."""

    kind: EngineKind
    info: EngineInfo


@dataclass(frozen=True)
class Take:
    """One finished result of a clip.

    Args:
        path: the media.
        manifest_path: JSON beside it: engines, licences, parameters, prompts, time, machine.
        masks_path: folder of the masks that were used, None when none were kept.
        frame_count: frames in the media.
        start_timecode: of its first frame, empty when the source has none.
        engines: which ran.
        notes: sentences worth telling the user.
        unseen_path: folder of the maps of what no frame shows, None when none were asked for.
        unseen_share: share of the hole pixels that no frame shows, None where nothing was filled.
    """

    path: Path
    manifest_path: Path
    masks_path: Path | None
    frame_count: int
    start_timecode: str
    engines: tuple[EngineUse, ...]
    notes: tuple[str, ...] = ()
    unseen_path: Path | None = None
    unseen_share: float | None = None
