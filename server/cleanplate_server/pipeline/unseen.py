"""What no frame of the range shows: expected before the fill, known after it, told, and drawn on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cleanplate_server.clip import ClipRange, Media
from cleanplate_server.models.protocols import Mask, Tick
from cleanplate_server.pipeline.job import Job
from cleanplate_server.stages.coverage import Outlook, look_ahead
from cleanplate_server.stages.decode import Decoder
from cleanplate_server.stages.plates import MaskedShot
from cleanplate_server.stages.unseen import Tile, UnseenFiles, check_maps_folder, partial_folder, write_maps
from cleanplate_server.stages.viewing import to_picture
from cleanplate_server.stages.windows import MaskFiles, window_name

WORTH_TELLING = 0.005
WORTH_PAINTING = 0.05
"""Share of the hole pixels from which a person is asked for a painted frame."""
_INODE = "maps-inode"
"""Names the folder of maps in the making, and still does after it has been renamed."""

Shots = Sequence[tuple[range, MaskFiles]]


@dataclass(frozen=True)
class Unseen:
    """What no frame shows, frame by frame.

    Args:
        mask_of: bool [H, W] of a frame.
        count_of: how much of a frame it is, to compare with others.
        share: of all hole pixels; None where it is an estimate, because nothing was filled.
    """

    mask_of: Callable[[int], Mask]
    count_of: Callable[[int], int]
    share: float | None


def survey_folder(job: Job, shot: range) -> Path:
    """Where what is learned of a shot is kept."""
    folder = job.ledger.folder / "survey" / window_name(shot)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def expect(job: Job, shot: MaskedShot, tick: Tick) -> Outlook:
    """What the shot's frames are expected to show of each other's holes; looked for once."""
    name = window_name(shot.frames)
    file = job.ledger.finished("outlook", name)
    if file is None:
        file = job.ledger.folder / "outlook" / f"{name}.npz"
        look_ahead(shot, survey_folder(job, shot.frames), tick).save(file)
        job.ledger.finish("outlook", name, file)
    return Outlook.load(file)


def tell_expected(job: Job, outlooks: Sequence[Outlook]) -> None:
    """Says before the fill how much will have to be invented, and which frame to paint where that is much."""
    hole = sum(outlook.hole_count for outlook in outlooks)
    share = sum(outlook.unseen_count for outlook in outlooks) / max(1, hole)
    if share < WORTH_TELLING:
        return
    sentence = (
        f"an estimate before filling, by the camera's motion: no frame of the range shows what is behind about"
        f" {share:.0%} of the hole"
    )
    worst = max(outlooks, key=lambda outlook: outlook.unseen_count)
    if share >= WORTH_PAINTING and worst.best_frame is not None:
        sentence += (
            f"; to have it your way, paint frame {worst.best_frame} clean, which would show about"
            f" {worst.best_share:.0%} of that{'' if len(outlooks) == 1 else ' in its shot'}, and give it with"
            f" --clean-plate {worst.best_frame}@FILE"
        )
    job.note(sentence)


def tell_unseen(job: Job, share: float) -> None:
    """Says after the fill how much was invented."""
    if share:
        text = f"{share:.1%}" if share >= 0.001 else "under 0.1%"
        job.note(
            f"no frame of the shot shows what is behind {text} of the filled pixels;"
            " they were painted from their surroundings, so look at them"
        )


def filled_unseen(media: Media, files: Sequence[tuple[range, Path]]) -> Unseen:
    """What the fill found that no frame shows, out of its windows."""
    kept = UnseenFiles(media.size)
    for window, file in files:
        kept.add(window, file)
    return Unseen(kept.mask, kept.count, kept.unseen_count / max(1, kept.hole_count))


def expected_unseen(media: Media, outlooks: Sequence[Outlook]) -> Unseen:
    """What is expected before a fill; coarse."""
    by_frame = {frame: outlook for outlook in outlooks for frame in outlook.unseen}

    def mask_of(frame: int) -> Mask:
        outlook = by_frame.get(frame)
        return np.zeros(media.size, np.bool_) if outlook is None else outlook.mask(frame, media.size)

    return Unseen(mask_of, lambda frame: int(mask_of(frame).sum()) if frame in by_frame else 0, None)


def joined_unseen(frames: range, filled: Unseen, expected: Unseen) -> Unseen:
    """What the fill found on some frames, and what is expected on the others."""

    def mask_of(frame: int) -> Mask:
        return (filled if frame in frames else expected).mask_of(frame)

    def count_of(frame: int) -> int:
        return (filled if frame in frames else expected).count_of(frame)

    return Unseen(mask_of, count_of, filled.share)


def check_maps(job: Job) -> None:
    """Refuses a folder that maps cannot go into, before any work.

    Raises:
        OutputError.
    """
    output = job.spec.output
    if output.unseen_path is not None:
        own = _is_own(job, output.unseen_path)
        check_maps_folder(output.unseen_path, overwrite=output.overwrite or own, output=output.path)


def deliver_maps(job: Job, clip: ClipRange, unseen: Unseen | None, shots: Shots) -> Path | None:
    """Writes the maps where the job asks for them, and gives their folder."""
    folder = job.spec.output.unseen_path
    if folder is None or unseen is None:
        return None
    (job.ledger.folder / "partials").write_text(f"{partial_folder(folder)}\n", encoding="utf-8")

    def note_inode(partial: Path) -> None:
        (job.ledger.folder / _INODE).write_text(str(partial.stat().st_ino), encoding="utf-8")

    with Decoder(clip.media) as decoder:
        write_maps(folder, clip.frames, unseen.mask_of, _tiles(decoder, unseen, shots), begun=note_inode)
    return folder


def _is_own(job: Job, folder: Path) -> bool:
    """Whether an earlier run of this job, stopped later, put the folder there."""
    noted = job.ledger.folder / _INODE
    return noted.exists() and folder.exists() and noted.read_text(encoding="utf-8") == str(folder.stat().st_ino)


def _tiles(decoder: Decoder, unseen: Unseen, shots: Shots) -> Iterator[Tile]:
    """Of each shot with something unseen the frame that has most of it."""
    for shot, holes in shots:
        worst = max(shot, key=unseen.count_of)
        if unseen.count_of(worst):
            media = decoder.media
            picture = to_picture(decoder.plate(worst).planes, media.format, media.tags)
            yield Tile(worst, picture, holes.mask(worst), unseen.mask_of(worst))
