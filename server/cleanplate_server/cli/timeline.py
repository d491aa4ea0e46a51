"""``timeline``: clips of a timeline file, cleaned in their place."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import click
from cleanplate_plugin import takes
from cleanplate_plugin.documents.opening import open_document
from cleanplate_plugin.hosts.protocol import HANDLE_FRAMES
from cleanplate_plugin.timecodes import timecode_of
from cleanplate_plugin.timeline import Document, Refusal, Span, Use

from cleanplate_server.cli.operations import absolute, feather_option, grow_option, voice_options, work_options
from cleanplate_server.cli.prompts import prompt_options
from cleanplate_server.cli.report import Report
from cleanplate_server.cli.timeline_files import EditTarget
from cleanplate_server.cli.timeline_selection import Wanted, fitting, record_timecode
from cleanplate_server.cli.timeline_work import PlaceCommand, TimelineCommand
from cleanplate_server.cli.times import Moment, MomentType, RateType
from cleanplate_server.errors import NotFoundError

_HOSTS = ("resolve", "premiere", "kdenlive", "fcp7")
_COLUMNS = ("TRACK", "CLIP", "RECORD IN", "RECORD OUT", "FRAMES", "SOURCE IN", "SOURCE OUT", "SPEED", "MEDIA", "")


@click.group()
def timeline() -> None:
    """Clean a clip in a timeline file: OpenTimelineIO, FCP 7 XML, EDL, AAF, FCPXML."""


def _edit_argument(name: str = "EDIT") -> click.Parameter:
    return click.Argument(["edit"], metavar=name)


def _rate_option() -> click.Parameter:
    return click.Option(["--rate"], type=RateType(), help="Frames a second of an EDL, which does not say it itself.")


def _output_options(metavar: str) -> list[click.Parameter]:
    return [
        click.Option(["-o", "--output"], required=True, metavar=metavar, help="Timeline file to write."),
        click.Option(["--overwrite"], is_flag=True, help=f"Replace {metavar} if it is there; it may be EDIT itself."),
    ]


def _selection_options() -> list[click.Parameter]:
    return [
        click.Option(["--clip"], default="", metavar="NAME", help="The clip, as `timeline list` names it."),
        click.Option(["--track"], type=click.IntRange(1), metavar="N", help="Its video track, from 1 at the bottom."),
        click.Option(["--at"], type=MomentType(), help="A moment of the timeline within it: record frame or timecode."),
    ]


def _edit_options() -> list[click.Parameter]:
    return [
        *_output_options("EDIT2"),
        *_selection_options(),
        click.Option(["--media"], default="", metavar="FILE", help="Where the clip's media lies now."),
        click.Option(["--for", "hosts"], type=click.Choice(_HOSTS), multiple=True,
                     help="Write a flat .otio beside EDIT2 too, as this program reads it; fcp7 is an .xml of"
                     " the picture alone."),
        _rate_option(),
    ]  # fmt: skip


def _work_options() -> list[click.Parameter]:
    return [
        *_edit_options(),
        click.Option(["--in", "first"], type=MomentType(), help="First frame of the MEDIA to clean, or its timecode."),
        click.Option(["--out", "last"], type=MomentType(), help="Last frame of the MEDIA to clean, included."),
        click.Option(["--record-in", "record_first"], type=MomentType(), help="The same in frames of the TIMELINE."),
        click.Option(["--record-out", "record_last"], type=MomentType(), help="The same, included."),
        click.Option(["--handles"], type=click.IntRange(0), default=HANDLE_FRAMES, metavar="N", show_default=True,
                     help="Spare frames on each side of the take."),
        click.Option(["--takes"], default="", metavar="DIR",
                     help=f"Folder for takes; {takes.FOLDER_NAME} beside the media by default."),
        click.Option(["--codec"], type=click.Choice(list(takes.ENDINGS)), metavar="CODEC",
                     help=f"{', '.join(takes.ENDINGS)}; the source's depth chooses."),
        *work_options(),
    ]  # fmt: skip


def _place_option() -> click.Parameter:
    return click.Option(
        ["--place"], type=click.Choice(["replace", "above"]),
        help="In the clip's place, or on the track above. A plate replaces, a patch goes above.",
    )  # fmt: skip


def _remove_command() -> click.Command:
    deliver = click.Option(
        ["--deliver"], type=click.Choice(["plate", "patch"]), default="plate", show_default=True,
        help="Whole frames, or only what was filled.",
    )  # fmt: skip
    params = [
        _edit_argument(), *prompt_options(), *_work_options(), _place_option(), deliver,
        grow_option("the picture's size chooses, and it is told"), feather_option("the picture's size chooses"),
        *voice_options(),
    ]  # fmt: skip
    text = (
        "Click in a clip of EDIT and write EDIT2, where it is clean. Prompts count frames of the clip's MEDIA from 0,"
        " or its timecode; `timeline list` shows both."
    )
    return TimelineCommand("remove", "remove", params=params, help=text)


def _matte_command() -> click.Command:
    text = (
        "Soft alpha for what the prompts name, laid above the clip and switched off. Prompts count frames of the"
        " clip's MEDIA from 0, or its timecode."
    )
    params = [_edit_argument(), *prompt_options(), *_work_options(), *voice_options()]
    return TimelineCommand("matte", "matte", params=params, help=text)


def _place_command() -> click.Command:
    text = (
        "Put the take of a JOB that has succeeded into a clip: one that was resumed, or whose clip was edited while it"
        " ran. See `cleanplate jobs list`."
    )
    job = click.Argument(["job"], metavar="JOB")
    return PlaceCommand(
        "place", params=[_edit_argument(), job, *_edit_options(), _place_option(), *voice_options()], help=text
    )


@timeline.command("list", params=[_edit_argument(), _rate_option(), *voice_options()])
def list_clips(edit: str, rate: Fraction | None, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Every clip on a video track: what it shows, which have takes, and why some cannot be cleaned.

    SOURCE IN and OUT are frames of the media from 0 with its timecode; RECORD OUT is included.
    """
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    document = open_document(absolute(edit), rate)
    if as_json:
        for item in document.items():
            report.json(_fields(document, item))
        return
    rows = [_COLUMNS, *(_row(document, item) for item in document.items())]
    # What comes last in a row, a state or a reason, may be as long as it likes.
    widths = [max(len(row[column]) for row in rows if column < len(row) - 1) for column in range(len(_COLUMNS) - 1)]
    for row in rows:
        *cells, last = row
        report.result(
            "  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)), last]).rstrip()
        )
    report.say(f"{len(rows) - 1} clips on timeline '{document.name}', {document.rate} frames a second")


def _fields(document: Document, item: Use | Refusal) -> dict[str, object]:
    """One clip for a program."""
    last = item.record_start + item.frame_count - 1
    record: dict[str, object] = {
        "place": item.place, "track": item.track, "name": item.name, "record_start_frame": item.record_start,
        "record_frame_count": item.frame_count, "record_start_timecode": record_timecode(document, item.record_start),
        "record_last_timecode": record_timecode(document, last),
    }  # fmt: skip
    if isinstance(item, Refusal):
        return {**record, "refusal": item.reason}
    use = document.original(item)
    shown = use.source_span(Span(0, use.frame_count))
    take = item.media.path if use != item else None
    known = use.media.start_known  # else frames cannot be counted from the file's first
    return {
        **record, "source_start_frame": shown.start_frame if known else None,
        "source_last_frame": shown.last_frame if known else None,
        "source_start_timecode": _source_timecode(use, shown.start_frame),
        "source_last_timecode": _source_timecode(use, shown.last_frame), "speed": str(use.speed),
        "media": str(use.media.path) if use.media.path else None, "enabled": use.enabled,
        "take": str(take) if take else None,
    }  # fmt: skip


def _row(document: Document, item: Use | Refusal) -> tuple[str, ...]:
    """One clip for a person."""
    record_in, record_out = (
        record_timecode(document, item.record_start + frame) for frame in (0, item.frame_count - 1)
    )
    head = (f"V{item.track}", item.name, record_in, record_out)
    if isinstance(item, Refusal):
        return (*head, item.reason)
    use = document.original(item)
    shown = use.source_span(Span(0, use.frame_count))
    frames = f"{shown.start_frame}-{shown.last_frame}" if use.media.start_known else "-"
    source_in, source_out = (_source_timecode(use, frame) for frame in (shown.start_frame, shown.last_frame))
    media = str(use.media.path) if use.media.path else "no file named"
    return (*head, frames, source_in, source_out, _speed(use), media, _state(item, use))


def _source_timecode(use: Use, frame: int) -> str:
    return timecode_of(use.media.start_frame + frame, use.media.rate, drop_frame=use.media.drop_frame)


def _speed(use: Use) -> str:
    percent = use.speed * 100
    return f"{percent}%" if percent.denominator == 1 else f"{float(percent):.2f}%"


def _state(item: Use, use: Use) -> str:
    number = takes.take_number(item.media.path) if item.media.path else None
    states = []
    if item != use:
        states.append(f"clean (take {number})" if number else "clean")
    elif number:
        states.append(f"take {number}")
    if not item.enabled:
        states.append("disabled")
    return ", ".join(states)


@timeline.command(
    "restore",
    params=[_edit_argument("EDIT2"), *_output_options("EDIT"), *_selection_options(), _rate_option(), *voice_options()],
)
def restore(
    edit: str, output: str, overwrite: bool, clip: str, track: int | None, at: Moment | None, rate: Fraction | None,
    as_json: bool, quiet: bool, verbose: bool,
) -> None:  # fmt: skip
    """Take takes out of EDIT2 again and write EDIT, as it was before. All of them, or those of one clip."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    target = EditTarget(absolute(output), overwrite)
    target.check()
    document = open_document(absolute(edit), rate)
    wanted = Wanted(clip, track, at)
    count = _restore(document, wanted) if wanted != Wanted() else document.restore()
    if not count:
        which = f"clip '{clip}'" if clip else "clip"
        raise NotFoundError(f"no {which} has a take in {absolute(edit)}; see `cleanplate timeline list`")
    written = target.write(document, {})
    report.say("1 take was taken out" if count == 1 else f"{count} takes were taken out")
    _result(report, written, count)


def _restore(document: Document, wanted: Wanted) -> int:
    """Restores every clip that is meant: one that was cut for a take is several of one name, and one again after it."""
    count = 0
    while restored := next((done for use in fitting(document, wanted) if (done := document.restore(use))), 0):
        count += restored
    return count


def _result(report: Report, written: Sequence[Path], count: int) -> None:
    if report.as_json:
        report.json({"edit": str(written[-1]), "restored_count": count})
    else:
        report.result(str(written[-1]))


timeline.add_command(_remove_command())
timeline.add_command(_matte_command())
timeline.add_command(_place_command())
