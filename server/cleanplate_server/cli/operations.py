"""``remove``, ``track``, ``fill`` and ``matte``: options to a job, the job watched to its end."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import click
from cleanplate.v1 import job_pb2, media_pb2, prompt_pb2
from cleanplate_plugin.client import Client, ClientError, rational

from cleanplate_server.cli.prompts import (
    PromptCommand,
    PromptPart,
    clean_plate_folders,
    clean_plate_option,
    mask_folders,
    prompt_options,
    to_clean_plates,
    to_prompts,
)
from cleanplate_server.cli.report import Report
from cleanplate_server.cli.sessions import Place, connected
from cleanplate_server.cli.times import MediaTimeline, Moment, MomentType, RateType

CODECS = ("prores422hq", "prores4444", "dnxhr-hqx", "ffv1", "h264", "hevc", "png", "exr")
ENGINE_KINDS = ("segmenter", "propagator", "inpainter", "matter", "name-finder")
DELIVERIES = {
    "plate": job_pb2.DELIVERY_PLATE,
    "patch": job_pb2.DELIVERY_PATCH,
    "matte": job_pb2.DELIVERY_MATTE,
}
EFFORTS = {"fast": job_pb2.EFFORT_FAST, "balanced": job_pb2.EFFORT_BALANCED, "best": job_pb2.EFFORT_BEST}


@dataclass(frozen=True)
class MediaOptions:
    """What was given to a command on media; the fields are the names of click's parameters."""

    media: str
    output: str
    masks: str = ""
    first: Moment | None = None
    last: Moment | None = None
    handles: int = 0
    stream: int = 0
    rate: Fraction | None = None
    deliver: str = ""
    codec: str | None = None
    engine: tuple[tuple[str, str], ...] = ()
    effort: str = "balanced"
    grow: int | None = None
    feather: int | None = None
    shadow: bool = False
    clean_plate: tuple[PromptPart, ...] = ()
    unseen: str = ""
    overwrite: bool = False
    click: tuple[PromptPart, ...] = ()
    outside: tuple[PromptPart, ...] = ()
    box: tuple[PromptPart, ...] = ()
    mask: tuple[PromptPart, ...] = ()
    name: tuple[PromptPart, ...] = ()
    object: tuple[int, ...] = ()
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    def folders(self, parts: Sequence[tuple[int, PromptPart]]) -> list[Path]:
        """Folders that a private server may use: those of every file that was named."""
        named = [absolute(path) for path in (self.media, self.masks) if path]
        media = [path if path.is_dir() else path.parent for path in named]
        written = [absolute(path).parent for path in (self.output, self.unseen) if path]
        return [*media, *written, *mask_folders(parts), *clean_plate_folders(self.clean_plate)]


SpecBuilder = Callable[[job_pb2.JobSpec, MediaOptions, list[prompt_pb2.Prompt]], None]
"""Puts the operation into a job."""


class MediaCommand(PromptCommand):
    """A command on media: options in, a job out.

    Args:
        name: of the command.
        build: puts the operation into the job.
        params: arguments and options; each names a field of ``MediaOptions``.
        help: for a person.
        needs_prompts: refused without any.
    """

    def __init__(
        self, name: str, build: SpecBuilder, *, params: list[click.Parameter], help: str, needs_prompts: bool = False
    ) -> None:
        super().__init__(name, params=params, help=help)
        self._build = build
        self._needs_prompts = needs_prompts

    def invoke(self, ctx: click.Context) -> None:
        """Builds the job and runs it."""
        options = MediaOptions(**ctx.params)
        parts = self.given_parts(ctx)
        if options.output == "-":
            raise click.UsageError("media cannot be written to standard output; give -o a file or a folder", ctx)
        if self._needs_prompts:
            refuse_no_prompts(ctx, parts)
        report = Report(as_json=options.as_json, quiet=options.quiet, verbose=options.verbose)
        with connected(ctx.ensure_object(Place), options.folders(parts)) as client:
            clip = client.open_clip(absolute(options.media), stream_index=options.stream, sequence_rate=options.rate)
            spec = self._spec(options, parts, clip)
            client.close_clip(clip.name)
            job = run_to_end(client, spec, report)
        report.result(job.take.path)

    def _spec(
        self, options: MediaOptions, parts: Sequence[tuple[int, PromptPart]], clip: media_pb2.Clip
    ) -> job_pb2.JobSpec:
        timeline = MediaTimeline.of(clip)
        frames = timeline.frame_range(options.first, options.last, options.handles)
        spec = job_pb2.JobSpec(
            path=str(absolute(options.media)),
            stream_index=options.stream,
            range=frames,
            effort=EFFORTS[options.effort],
            sequence_rate=None if options.rate is None else rational(options.rate),
        )
        self._build(spec, options, to_prompts(parts, timeline, frames.start_frame))
        operation = spec.remove if spec.HasField("remove") else spec.fill
        if options.clean_plate:
            operation.clean_plates.extend(to_clean_plates(options.clean_plate, timeline))
        spec.output.unseen_path = str(absolute(options.unseen)) if options.unseen else ""
        spec.output.path = str(absolute(options.output))
        spec.output.codec = options.codec or ""
        spec.output.overwrite = options.overwrite
        if options.deliver:
            spec.output.delivery = DELIVERIES[options.deliver]
        spec.engines.extend(job_pb2.EngineChoice(kind=kind, name=name) for kind, name in options.engine)
        return spec


def run_to_end(client: Client, spec: job_pb2.JobSpec, report: Report) -> job_pb2.Job:
    """Submits a job and watches it; Ctrl-C cancels it.

    Raises:
        ClientError: it was refused, or it failed, or somebody else cancelled it.
    """
    job = client.submit(spec, request_id=uuid.uuid4().hex)
    report.announce(job, client.models())
    return watch_to_end(client, job, report)


def watch_to_end(client: Client, job: job_pb2.Job, report: Report) -> job_pb2.Job:
    """Watches a job until it has succeeded; Ctrl-C cancels it.

    Raises:
        ClientError: it failed or somebody else cancelled it.
    """
    try:
        with report.progress() as view:
            for state in client.watch(job.name):
                view.show(state)
                job.CopyFrom(state)
    except KeyboardInterrupt:
        client.cancel(job.name)
        report.say(f"cancelled; `cleanplate jobs resume {job_id(job)}` goes on where it stopped")
        raise
    if job.state == job_pb2.Job.FAILED:
        raise ClientError.from_status(job.error)
    if job.state == job_pb2.Job.CANCELLED:
        raise click.ClickException(f"job {job_id(job)} was cancelled; `cleanplate jobs resume` goes on with it")
    return job


def refuse_no_prompts(ctx: click.Context, parts: Sequence[tuple[int, PromptPart]]) -> None:
    """Refuses a command that was not told what is meant.

    Raises:
        click.UsageError.
    """
    if not parts:
        raise click.UsageError(
            f"{ctx.info_name} needs to know what is meant; add --click F@X,Y, or --box, --mask, --name", ctx
        )


def job_id(job: job_pb2.Job) -> str:
    """The part of a job's name that a person types."""
    return job.name.removeprefix("jobs/")


def job_name(typed: str) -> str:
    """A job's whole name from what a person types."""
    return typed if typed.startswith("jobs/") else f"jobs/{typed}"


def absolute(path: str) -> Path:
    """The path from the root; links and patterns are left as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.absolute keeps `..`


_ENGINE_HELP = (
    "Engine for a kind; see `models`. propagator=osvos:updates=N trains OSVOS with N updates on each object's keys;"
    " 100, 500 or 2000 by effort, and 0 learns nothing."
)


class EngineType(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.4
    """``KIND=NAME``."""

    name = "KIND=NAME"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        kind, _, engine = value.partition("=")
        if kind not in ENGINE_KINDS or not engine:
            self.fail(
                f"'{value}' is not KIND=NAME with a kind of {', '.join(ENGINE_KINDS)}; see `cleanplate models`",
                param,
                ctx,
            )
        return kind, engine


def voice_options() -> list[click.Parameter]:
    """How much is said; every command has them."""
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="One JSON object a line on stdout."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Say nothing but errors."),
        click.Option(["-v", "--verbose"], is_flag=True, help="Say more."),
    ]


def work_options() -> list[click.Parameter]:
    """Who works, and how thoroughly."""
    return [
        click.Option(["--engine"], type=EngineType(), multiple=True, help=_ENGINE_HELP),
        click.Option(["--effort"], type=click.Choice(list(EFFORTS)), default="balanced", show_default=True),
    ]


def _media_argument() -> click.Parameter:
    return click.Argument(["media"], metavar="MEDIA")


def _job_options() -> list[click.Parameter]:
    return [
        click.Option(["-o", "--output"], required=True, metavar="OUT", help="File, folder or pattern to write."),
        click.Option(["--in", "first"], type=MomentType(), help="First frame, or its timecode."),
        click.Option(["--out", "last"], type=MomentType(), help="Last frame, included, or its timecode."),
        click.Option(["--handles"], type=click.IntRange(0), default=0, metavar="N", help="Spare frames on each side."),
        click.Option(["--rate"], type=RateType(), help="Frames a second of images that name none; 24 by default."),
        click.Option(["--stream"], type=click.IntRange(0), default=0, metavar="N", help="Video stream, from 0."),
        click.Option(["--codec"], type=click.Choice(CODECS), metavar="CODEC",
                     help=f"{', '.join(CODECS)}; OUT's ending and the source's depth choose."),
        *work_options(),
        click.Option(["--overwrite"], is_flag=True, help="Replace OUT if it is there."),
    ]  # fmt: skip


def _deliver_option() -> click.Parameter:
    return click.Option(
        ["--deliver"], type=click.Choice(list(DELIVERIES)), default="plate", show_default=True,
        help="Whole frames, only what was filled, or its alpha.",
    )  # fmt: skip


def grow_option(default: str) -> click.Parameter:
    """How much masks grow; ``default`` says what happens without."""
    return click.Option(
        ["--grow"], type=click.IntRange(0), metavar="PX", help=f"Grow masks by so many pixels; {default}."
    )


def feather_option(default: str) -> click.Parameter:
    """How soft the edge is; ``default`` says what happens without."""
    return click.Option(
        ["--feather"], type=click.IntRange(0), metavar="PX", help=f"Soft edge inside the mask; {default}."
    )


def _unseen_options() -> list[click.Parameter]:
    """What to do where no frame shows the background: show it, give it."""
    return [
        clean_plate_option(),
        click.Option(
            ["--unseen"], default="", metavar="FOLDER",
            help="Maps of what no frame shows, and an overview; with --deliver matte an estimate, without filling.",
        ),
    ]  # fmt: skip


def _build_remove(spec: job_pb2.JobSpec, options: MediaOptions, prompts: list[prompt_pb2.Prompt]) -> None:
    operation = job_pb2.RemoveOperation(
        prompts=prompts, grow_px=options.grow, feather_px=options.feather, with_shadow=options.shadow
    )
    spec.remove.CopyFrom(operation)


def _build_track(spec: job_pb2.JobSpec, options: MediaOptions, prompts: list[prompt_pb2.Prompt]) -> None:
    spec.track.CopyFrom(job_pb2.TrackOperation(prompts=prompts, grow_px=options.grow))


def _build_fill(spec: job_pb2.JobSpec, options: MediaOptions, prompts: list[prompt_pb2.Prompt]) -> None:
    masks = str(absolute(options.masks))
    operation = job_pb2.FillOperation(masks_path=masks, grow_px=options.grow, feather_px=options.feather)
    spec.fill.CopyFrom(operation)


def _build_matte(spec: job_pb2.JobSpec, options: MediaOptions, prompts: list[prompt_pb2.Prompt]) -> None:
    spec.matte.CopyFrom(job_pb2.MatteOperation(prompts=prompts))


def media_commands() -> list[click.Command]:
    """The four commands on media."""
    return [
        MediaCommand(
            "remove", _build_remove, needs_prompts=True,
            params=[_media_argument(), *prompt_options(), *_job_options(), _deliver_option(),
                    grow_option("the picture's size chooses, and it is told"),
                    feather_option("the picture's size chooses"),
                    click.Option(["--shadow"], is_flag=True, help="Masks also grow to the shadow that objects cast."),
                    *_unseen_options(), *voice_options()],
            help="Click to clean media: find the object, follow it, fill what was behind it.",
        ),
        MediaCommand(
            "track", _build_track, needs_prompts=True,
            params=[_media_argument(), *prompt_options(), *_job_options(), grow_option("0 by default"),
                    *voice_options()],
            help="Masks alone: a folder of %05d.png (255 is object) or a matte file.",
        ),
        MediaCommand(
            "fill", _build_fill,
            params=[_media_argument(), click.Argument(["masks"], metavar="MASKS"), *_job_options(), _deliver_option(),
                    grow_option("0 by default, so nothing outside MASKS changes"),
                    feather_option("0 by default"), *_unseen_options(), *voice_options()],
            help="Fill under given masks: a folder, a pattern or a matte file, one mask for each frame.",
        ),
        MediaCommand(
            "matte", _build_matte,
            params=[_media_argument(), *prompt_options(), *_job_options(), *voice_options()],
            help="Soft alpha for what the prompts name; without any, for the people in the picture.",
        ),
    ]  # fmt: skip
