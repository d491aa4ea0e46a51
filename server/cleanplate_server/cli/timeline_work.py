"""``timeline remove`` and ``timeline matte``: a clip of an edit cleaned, and its take put into the edit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import click
from cleanplate.v1 import job_pb2, media_pb2, prompt_pb2
from cleanplate_plugin import cleaning, takes
from cleanplate_plugin.cleaning import Cleaning, Order
from cleanplate_plugin.client import Client
from cleanplate_plugin.documents.opening import open_document
from cleanplate_plugin.errors import StaleClipError, TimelineError
from cleanplate_plugin.timeline import Document, SourceMedia, Span, Take, Use

from cleanplate_server.cli.operations import (
    DELIVERIES,
    EFFORTS,
    absolute,
    job_id,
    job_name,
    refuse_no_prompts,
    watch_to_end,
)
from cleanplate_server.cli.prompts import PromptCommand, PromptPart, mask_folders, to_prompts
from cleanplate_server.cli.report import Report
from cleanplate_server.cli.sessions import Place, connected
from cleanplate_server.cli.timeline_files import EditTarget
from cleanplate_server.cli.timeline_selection import Wanted, choose, media_part, record_part, record_timecode
from cleanplate_server.cli.times import MediaTimeline, Moment
from cleanplate_server.errors import InputError, OutputError

_OFFLINE = "say where it lies with --media FILE"

Parts = Sequence[tuple[int, PromptPart]]


@dataclass(frozen=True)
class WorkOptions:
    """What was given to a command that works on a clip of an edit; the fields are the names of click's parameters."""

    edit: str
    output: str
    job: str = ""
    clip: str = ""
    track: int | None = None
    at: Moment | None = None
    first: Moment | None = None
    last: Moment | None = None
    record_first: Moment | None = None
    record_last: Moment | None = None
    handles: int = 12
    place: str | None = None
    deliver: str = "plate"
    media: str = ""
    takes: str = ""
    hosts: tuple[str, ...] = ()
    rate: Fraction | None = None
    codec: str | None = None
    engine: tuple[tuple[str, str], ...] = ()
    effort: str = "balanced"
    grow: int | None = None
    feather: int | None = None
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

    @property
    def wanted(self) -> Wanted:
        """Which clip."""
        return Wanted(self.clip, self.track, self.at)

    @property
    def target(self) -> EditTarget:
        """Where the edit goes."""
        return EditTarget(absolute(self.output), self.overwrite, self.hosts)

    @property
    def takes_folder(self) -> Path | None:
        """Where takes go; None is the usual place."""
        return absolute(self.takes) if self.takes else None

    def order(self, operation: cleaning.Operation, prompts: Sequence[prompt_pb2.Prompt]) -> Order:
        """What is to be done."""
        return Order(
            prompts=tuple(prompts),
            operation=operation,
            delivery=DELIVERIES[self.deliver],
            effort=EFFORTS[self.effort],
            handle_count=self.handles,
            grow_px=self.grow,
            feather_px=self.feather,
            engines=tuple(job_pb2.EngineChoice(kind=kind, name=name) for kind, name in self.engine),
            codec=self.codec or "",
        )


class TimelineCommand(PromptCommand):
    """A command that cleans a clip of an edit.

    Args:
        name: of the command.
        operation: what is made.
        params: arguments and options; each names a field of ``WorkOptions``.
        help: for a person.
    """

    def __init__(
        self, name: str, operation: cleaning.Operation, *, params: list[click.Parameter], help: str
    ) -> None:  # fmt: skip
        super().__init__(name, params=params, help=help)
        self._operation = operation

    def invoke(self, ctx: click.Context) -> None:
        """Cleans the clip and writes the edit."""
        options = WorkOptions(**ctx.params)
        parts = self.given_parts(ctx)
        _refuse_contradictions(ctx, options)
        if self._operation == "remove":
            refuse_no_prompts(ctx, parts)
        report = Report(as_json=options.as_json, quiet=options.quiet, verbose=options.verbose)
        Work(options, parts, self._operation, report).run(ctx.ensure_object(Place))


class PlaceCommand(click.Command):
    """A command that puts the take of a job into an edit: of one that was resumed, or whose edit was in the way."""

    def invoke(self, ctx: click.Context) -> None:
        """Places the take and writes the edit."""
        options = WorkOptions(**ctx.params)
        _refuse_contradictions(ctx, options)
        report = Report(as_json=options.as_json, quiet=options.quiet, verbose=options.verbose)
        Work(options, (), "remove", report).place(ctx.ensure_object(Place))


def _refuse_contradictions(ctx: click.Context, options: WorkOptions) -> None:
    if not options.clip and options.at is None:
        raise click.UsageError("say which clip is meant with --clip NAME, or with --at and a moment within it", ctx)
    if (options.first or options.last) and (options.record_first or options.record_last):
        raise click.UsageError(
            "--in and --out count in the media, --record-in and --record-out in the timeline; give one pair", ctx
        )
    if options.deliver == "patch" and options.place == "replace":
        raise click.UsageError("a patch holds only what was filled and belongs above; leave --place replace out", ctx)


@dataclass(frozen=True)
class Work:
    """One clip of one edit, from the file to the file.

    Args:
        options: of the command.
        parts: its prompts.
        operation: what is made.
        report: says what happens.
    """

    options: WorkOptions
    parts: Parts
    operation: cleaning.Operation
    report: Report

    @property
    def _usual(self) -> str:
        """Where what is made goes by its nature."""
        return "above" if self.operation == "matte" or self.options.deliver == "patch" else "replace"

    @property
    def _above(self) -> bool:
        return (self.options.place or self._usual) == "above"

    def run(self, place: Place) -> None:
        """Does it.

        Raises:
            PluginError, CleanplateError, ClientError: one sentence; the edit is as it was.
        """
        target = self.options.target
        target.check()
        document = self._open()
        found = choose(document, self.options.wanted)
        original = document.original(found)
        media = self._media(original)
        with connected(place, self._folders(media, document)) as client:
            work = self._prepare(client, _open_clip(client, media, original.media.rate), document, original)
            files = _known_files(client, document) if target.hosts else {}
            self._put(document, work.use, work, work.planned)
            target.rehearse(document, files)
            take = work.run(client, lambda job: self._watch(client, job))
        with _keeping(take):
            document = self._open()
            again = cleaning.same_clip(document, found)
            self._put(document, replace(work.use, place=again.place), work, take)
            written = target.write(document, files)
        self._tell(document, work, take, written)

    def place(self, place: Place) -> None:
        """Puts the take of a job that has succeeded into the clip.

        Raises:
            PluginError, CleanplateError, ClientError: one sentence; the edit is as it was.
        """
        target = self.options.target
        target.check()
        document = self._open()
        original = document.original(choose(document, self.options.wanted))
        media = self._media(original)
        with connected(place, self._folders(media, document)) as client:
            job = client.job(job_name(self.options.job))
            if Path(job.spec.path) != media.resolve():
                raise TimelineError(
                    f"{job.name} worked on {job.spec.path} and clip '{original.name}' shows {media};"
                    " name the clip that it was made for, or the file that it now shows with --media FILE"
                )
            clip = _open_clip(client, media, original.media.rate)
            files = _known_files(client, document) if target.hosts else {}
        done = self._as_ordered(job)
        work = cleaning.finished(job, clip, cleaning.settle_use(original, clip))
        take = takes.take_of(job, clip)
        done._put(document, work.use, work, take)
        done._tell(document, work, take, target.write(document, files))

    def _as_ordered(self, job: job_pb2.Job) -> Work:
        """With operation and delivery of a job."""
        delivery = job.spec.output.delivery
        is_matte = job.spec.WhichOneof("operation") == "matte" or delivery == job_pb2.DELIVERY_MATTE
        deliver = "patch" if delivery == job_pb2.DELIVERY_PATCH else "plate"
        ordered = replace(
            self, operation="matte" if is_matte else "remove", options=replace(self.options, deliver=deliver)
        )
        if self.options.place == "replace" and ordered._usual == "above":
            raise InputError(f"what {job.name} made is no whole plate and belongs above; leave --place replace out")
        return ordered

    def _open(self) -> Document:
        return open_document(absolute(self.options.edit), self.options.rate)

    def _media(self, use: Use) -> Path:
        """Where the clip's own media lies now."""
        if not self.options.media:
            return cleaning.media_path(use, remedy=_OFFLINE)
        named = replace(use, media=replace(use.media, path=absolute(self.options.media)))
        return cleaning.media_path(named, remedy="correct --media FILE")

    def _folders(self, media: Path, document: Document) -> list[Path]:
        """Folders that a private server may use."""
        own = media if media.is_dir() else media.parent
        others = [path.parent for path in _media_rates(document)] if self.options.hosts else []
        return [own, self.options.takes_folder or media.parent, *mask_folders(self.parts), *others]

    def _prepare(self, client: Client, clip: media_pb2.Clip, document: Document, shown: Use) -> Cleaning:
        options = self.options
        use = cleaning.settle_use(shown, clip)
        timeline = MediaTimeline.of(clip)
        if options.record_first or options.record_last:
            part = record_part(use, document, options.record_first, options.record_last)
        else:
            part = media_part(use, timeline, options.first, options.last)
        part = self._uncut(use, part)
        first = use.source_span(part).start_frame
        order = options.order(self.operation, to_prompts(self.parts, timeline, first))
        return cleaning.prepare(client, clip, use, order, part=part, takes_folder=options.takes_folder)

    def _uncut(self, use: Use, part: Span | None) -> Span | None:
        """A part that replaces, widened to the clip's end where it would cut through a dissolve."""
        if part is None or self._above:
            return part
        whole = use.whole_part(part)
        if whole != part:
            self.report.say(
                f"the part reaches into a dissolve of clip '{use.name}', so it goes on to the clip's end:"
                f" {whole.frame_count} frames for {part.frame_count}"
            )
        return None if whole == Span(0, use.frame_count) else whole

    def _watch(self, client: Client, job: job_pb2.Job) -> job_pb2.Job:
        self.report.announce(job, client.models())
        try:
            return watch_to_end(client, job, self.report)
        except KeyboardInterrupt:
            self.report.say(f"`cleanplate timeline place EDIT {job_id(job)} -o EDIT2` then puts its take into the edit")
            raise

    def _put(self, document: Document, use: Use, work: Cleaning, take: Take) -> None:
        cleaning.place(
            document, use, take, part=work.part, above=self._above, enabled=self.operation != "matte"
        )  # fmt: skip

    def _tell(self, document: Document, work: Cleaning, take: Take, written: Sequence[Path]) -> None:
        part = work.part or Span(0, work.use.frame_count)
        first, last = (
            record_timecode(document, work.use.record_start + frame) for frame in (part.start_frame, part.last_frame)
        )
        where = "lies above" if self._above else "stands in"
        self.report.say(
            f"{take.label} {where} clip '{work.use.name}' on track {work.use.track}, {first} to {last};"
            " `cleanplate timeline restore` takes it out again"
        )
        if not self.report.as_json:
            self.report.result(str(written[-1]))
            return
        self.report.json({
            "edit": str(written[-1]), "flat": [str(path) for path in written[:-1]],
            "clip": work.use.name, "track": work.use.track, "place": "above" if self._above else "replace",
            "record_start_frame": work.use.record_start + part.start_frame, "record_frame_count": part.frame_count,
            "record_start_timecode": first, "record_last_timecode": last,
            "take": {"path": str(take.media.path), "media_start_frame": take.source_start,
                     "frame_count": take.media.frame_count, "label": take.label, **take.about},
        })  # fmt: skip


def _open_clip(client: Client, media: Path, rate: Fraction) -> media_pb2.Clip:
    """What is known of a file; it is not kept open, for nobody clicks in it. Images take the timeline's rate."""
    clip = client.open_clip(media, sequence_rate=rate)
    client.close_clip(clip.name)
    return clip


def _media_rates(document: Document) -> dict[Path, Fraction]:
    """Every file of the timeline that is there, with its rate."""
    uses = [document.original(item) for item in document.items() if isinstance(item, Use)]
    return {use.media.path: use.media.rate for use in uses if use.media.path and use.media.path.is_file()}


def _known_files(client: Client, document: Document) -> dict[Path, SourceMedia]:
    """What the timeline's files say of themselves, which a flat file for another program may have to say for them."""
    rates = _media_rates(document)
    return {path: takes.source_media(path, _open_clip(client, path, rate)) for path, rate in rates.items()}


@contextmanager
def _keeping(take: Take) -> Iterator[None]:
    """Says of every failure after the work where the take lies, so that nothing is lost."""
    kept = (
        f"; the take is kept in {take.media.path}, and"
        f" `cleanplate timeline place EDIT {str(take.about['job']).removeprefix('jobs/')} -o EDIT2` puts it into a clip"
    )
    try:
        yield
    except StaleClipError as error:
        raise StaleClipError(error.sentence + kept) from error
    except TimelineError as error:
        raise TimelineError(error.sentence + kept) from error
    except OutputError as error:
        raise OutputError(error.message + kept) from error
