"""What a command says while it works: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
from cleanplate.v1 import job_pb2, model_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_STAGE_TITLES = {
    "decode": "looking for cuts",
    "name": "looking for names",
    "segment": "finding",
    "learn": "learning the object",
    "propagate": "following",
    "shadow": "finding shadows",
    "matte": "matting",
    "survey": "surveying",
    "inpaint": "filling",
    "encode": "writing",
}


@dataclass
class Report:
    """How much is said, and how.

    Args:
        as_json: one object a line on stdout, nothing else there.
        quiet: errors alone on stderr.
        verbose: log lines too.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False, soft_wrap=True))

    def __post_init__(self) -> None:
        level = logging.DEBUG if self.verbose else logging.ERROR if self.quiet else logging.WARNING
        logging.getLogger("cleanplate_server").setLevel(level)

    def result(self, text: str, message: Message | None = None) -> None:
        """Prints a result: the text, or with ``--json`` the message."""
        if self.as_json:
            if message is not None:
                self.json(message_fields(message))
        else:
            click.echo(text)

    def json(self, fields: object) -> None:
        """Prints one JSON object as a line of results."""
        click.echo(json.dumps(fields, ensure_ascii=False))

    def say(self, text: str) -> None:
        """Tells something on the side."""
        if not self.quiet:
            self.console.print(text, markup=False)

    def announce(self, job: job_pb2.Job, models: Iterable[model_pb2.Model]) -> None:
        """Says what will run before it runs: engines with their licences, memory."""
        if self.as_json:
            return
        for model in _engines_of(job.spec, list(models)):
            rule = "" if model.commercial_use else ", no commercial use"
            self.say(f"{model.kind:<11} {model.name} on {model.device or 'cpu'} ({model.licence}{rule})")
        if job.memory_estimate_bytes:
            device = job.device_memory_estimate_bytes
            beside = f", and {readable_bytes(device)} of the GPU's" if device else ""
            self.say(f"memory      {readable_bytes(job.memory_estimate_bytes)} at most{beside}")

    @contextmanager
    def progress(self) -> Iterator[JobView]:
        """Shows a job's way: a bar for each stage on a terminal, a line for each stage elsewhere."""
        if self.as_json:
            yield _JsonView(self)
        elif self.quiet:
            yield JobView()
        elif self.console.is_terminal:
            columns = (
                TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[speed]}"), TimeRemainingColumn(compact=True),
            )  # fmt: skip
            with Progress(*columns, console=self.console) as bars:
                yield _BarView(bars)
        else:
            yield _LineView(self)


class JobView:
    """Shows nothing; the others show more."""

    def show(self, job: job_pb2.Job) -> None:
        """Takes a job as it now stands."""


class _JsonView(JobView):
    def __init__(self, report: Report) -> None:
        self._report = report

    def show(self, job: job_pb2.Job) -> None:
        self._report.json(message_fields(job))


class _LineView(JobView):
    """A line when a stage has done its frames, and for each note."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._told: set[str] = set()

    def show(self, job: job_pb2.Job) -> None:
        for note in job.notes:
            self._tell(note, f"note: {note}")
        for stage in job.stages:
            if stage.frame_count and stage.done_frame_count >= stage.frame_count:
                title = _STAGE_TITLES.get(stage.stage, stage.stage)
                self._tell(stage.stage, f"{title:<16} {stage.frame_count} frames{_speed(stage)}")

    def _tell(self, key: str, line: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self._report.say(line)


class _BarView(JobView):
    """One bar for each stage; notes above the bars."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._told: set[str] = set()

    def show(self, job: job_pb2.Job) -> None:
        for note in job.notes:
            if note not in self._told:
                self._told.add(note)
                self._bars.console.print(f"note: {note}", markup=False)
        for stage in job.stages:
            if stage.stage not in self._tasks:
                title = _STAGE_TITLES.get(stage.stage, stage.stage)
                self._tasks[stage.stage] = self._bars.add_task(title, total=None, speed="")
            task = self._tasks[stage.stage]
            self._bars.update(task, completed=stage.done_frame_count, total=stage.frame_count or None)
            if stage.frames_per_second:  # 0 once it has ended, where the last figure says more
                self._bars.update(task, speed=_speed(stage).lstrip(", "))


def message_fields(message: Message) -> dict[str, object]:
    """A message as JSON has it, by the proto's field names; unset fields are there with their default."""
    fields: dict[str, object] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return fields


def readable_bytes(count: int) -> str:
    """1610612736 as 1.5 GiB."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _speed(stage: job_pb2.StageProgress) -> str:
    return f", {stage.frames_per_second:.1f} frames/s" if stage.frames_per_second else ""


_KINDS = {
    "remove": ("segmenter", "propagator", "inpainter"),
    "track": ("segmenter", "propagator"),
    "fill": ("inpainter",),
    "matte": ("segmenter", "propagator", "matter"),
}


def _engines_of(spec: job_pb2.JobSpec, models: list[model_pb2.Model]) -> Iterator[model_pb2.Model]:
    """The engines that a job will use: the chosen ones, else the preferred ones that can run."""
    chosen = {choice.kind: choice.name for choice in spec.engines}
    kinds = _KINDS.get(spec.WhichOneof("operation") or "", ())
    prompts = [*spec.remove.prompts, *spec.track.prompts, *spec.matte.prompts]
    if any(prompt.object_name for prompt in prompts) or (spec.HasField("matte") and not prompts):
        kinds = ("name-finder", *kinds)
    for kind in kinds:
        for model in models:
            if model.kind == kind and (model.name == chosen[kind] if kind in chosen else model.available):
                yield model
                break
