"""Puts takes into an OTIO timeline and takes them out again, so that all else in it stays as it was.

A clip keeps its original reference; a take stands beside it under a key of its own, and the active key is switched. A
part is cut out of its clip in place first. A patch or a matte goes on a track of ours above the clip's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from opentimelineio.schema import Clip, Timeline, Track

from cleanplate_plugin.documents.otio_items import Setting, is_own_track, read_written
from cleanplate_plugin.documents.otio_media import (
    has_takes,
    next_take_key,
    original_key,
    own_metadata,
    remove_takes,
    take_reference,
)
from cleanplate_plugin.documents.otio_overlays import lay, lift
from cleanplate_plugin.documents.otio_pieces import cut_off, join_pieces, next_family
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import Span, Take, Use


@dataclass(frozen=True)
class Slot:
    """Where a clip stands.

    Args:
        clip: the object in the timeline.
        track: that it lies on.
        timeline: that holds the track.
        setting: in which the timeline's numbers are meant.
    """

    clip: Clip
    track: Track
    timeline: Timeline
    setting: Setting


def replace_clip(slot: Slot, use: Use, take: Take) -> None:
    """Lets a clip show a take.

    Args:
        slot: of the clip.
        use: the clip as it shows its original, settled.
        take: holds all that it shows.

    Raises:
        TimelineError: the take does not fit; nothing has changed.
    """
    use.with_take(take)
    clip, setting = slot.clip, slot.setting
    written, media_rate = read_written(clip, clip.media_reference, setting)
    first = setting.dialect.played(written, media_rate / setting.rate).first
    key, shown_before = next_take_key(clip), original_key(clip)
    references = dict(clip.media_references())
    # The clip's range stays; so the take begins where its first frame lies in the range's own coordinates.
    references[key] = take_reference(take, first - use.source_start + take.source_start, setting.dialect)
    clip.set_media_references(references, key)
    own_metadata(clip)["original_key"] = shown_before


def replace_part(slot: Slot, use: Use, take: Take, part: Span) -> None:
    """Cuts a part out of a clip in place and lets it show a take.

    Args:
        slot: of the clip.
        use: the clip as it shows its original, settled.
        take: holds all that the part shows.
        part: record frames from the clip's start; it is widened where it reaches into a dissolve.

    Raises:
        TimelineError: the take does not fit; nothing has changed.
    """
    part = use.whole_part(part)
    if part == Span(0, use.frame_count):
        replace_clip(slot, use, take)
        return
    meant = use.part(part)
    meant.with_take(take)
    tail = Span(part.stop_frame, use.frame_count - part.stop_frame)
    spans = [span for span in (Span(0, part.start_frame), part, tail) if span.frame_count]
    family = next_family(slot.timeline)
    pieces = [cut_off(slot.clip, span, slot.setting, family=family) for span in spans]
    index = next(i for i, item in enumerate(slot.track) if item is slot.clip)
    del slot.track[index]
    for offset, piece in enumerate(pieces):
        slot.track.insert(index + offset, piece)
    clean = pieces[spans.index(part)]
    replace_clip(Slot(clean, slot.track, slot.timeline, slot.setting), meant, take)


def lay_above(slot: Slot, use: Use, take: Take, part: Span | None, *, enabled: bool) -> None:
    """Lays a patch or a matte above a clip.

    Args:
        slot: of the clip.
        use: the clip as it shows its original, settled.
        take: holds all that is covered.
        part: record frames from the clip's start; None is all.
        enabled: whether it is seen.

    Raises:
        TimelineError: the take does not fit, or a patch would lie on a dissolve; nothing has changed.
    """
    covered = part or Span(0, use.frame_count)
    if enabled and use.mixes(covered):
        raise TimelineError(
            f"a patch over the dissolve of clip '{use.name}' would not dissolve with it;"
            " put the whole plate in the clip's place, or leave the dissolve's frames out"
        )
    # A matte lies from cut to cut: what transitions show beyond is not asked of it.
    meant = replace(use.part(covered), head_frames=0, tail_frames=0)
    lay(slot.timeline, slot.track, meant, take, like=slot.clip, enabled=enabled, setting=slot.setting)


def restore_all(timeline: Timeline, setting: Setting) -> int:
    """Takes out all takes, patches and mattes, joins what was cut, and leaves no trace.

    Args:
        timeline: is changed.
        setting: in which its numbers are meant.

    Returns:
        How many clips had takes, and how many patches and mattes there were.

    Raises:
        TimelineError: a clip has lost its original; nothing has changed.
    """
    own = [track for track in timeline.video_tracks() if is_own_track(track)]
    clips = [clip for clip in timeline.find_clips() if not any(clip.parent() is track for track in own)]
    _check_originals(clips)
    return lift(timeline, setting) + _restore(timeline, clips, setting)


def restore_one(slot: Slot, use: Use) -> int:
    """Takes out the takes of one clip and the patches and mattes that lie above it and nothing else.

    Args:
        slot: of the clip.
        use: the clip.

    Returns:
        How many there were, as for ``restore_all``.

    Raises:
        TimelineError: the clip has lost its original; nothing has changed.
    """
    _check_originals([slot.clip])
    lifted = lift(slot.timeline, slot.setting, below=slot.track, within=use.record_span)
    return lifted + _restore(slot.timeline, [slot.clip], slot.setting)


def _check_originals(clips: Sequence[Clip]) -> None:
    for clip in clips:
        key = original_key(clip)
        if has_takes(clip) and key not in clip.media_references():
            raise TimelineError(f"clip '{clip.name}' has lost its original, '{key}'; open an earlier version")


def _restore(timeline: Timeline, clips: Sequence[Clip], setting: Setting) -> int:
    changed = [clip for clip in clips if has_takes(clip)]
    for clip in changed:
        remove_takes(clip)
    for track in timeline.video_tracks():
        join_pieces(track, setting)
    return len(changed)
