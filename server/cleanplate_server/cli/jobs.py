"""``jobs``: what the server works on and has worked on."""

from __future__ import annotations

import click
from cleanplate.v1 import job_pb2

from cleanplate_server.cli.operations import job_id, voice_options, watch_to_end
from cleanplate_server.cli.report import Report
from cleanplate_server.cli.sessions import Place, connected


def _with_voice(command: click.Command) -> click.Command:
    command.params.extend(voice_options())
    return command


@click.group()
def jobs() -> None:
    """List, show, resume and cancel jobs."""


@_with_voice
@jobs.command("list")
@click.pass_context
def list_jobs(ctx: click.Context, as_json: bool, quiet: bool, verbose: bool) -> None:
    """All jobs, newest first."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    with connected(ctx.ensure_object(Place)) as client:
        for job in client.jobs():
            report.result(_line(job), job)


@_with_voice
@jobs.command("show")
@click.argument("name", metavar="JOB")
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """One job, with its stages and notes."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    with connected(ctx.ensure_object(Place)) as client:
        job = client.job(_full(name))
    report.result("\n".join(_details(job)), job)


@_with_voice
@jobs.command("resume")
@click.argument("name", metavar="JOB")
@click.pass_context
def resume(ctx: click.Context, name: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Go on with a stopped or failed job where it was, and watch it to its end."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    with connected(ctx.ensure_object(Place)) as client:
        job = watch_to_end(client, client.resume(_full(name)), report)
    report.result(job.take.path)


@_with_voice
@jobs.command("cancel")
@click.argument("name", metavar="JOB")
@click.pass_context
def cancel(ctx: click.Context, name: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Stop a job within a second; what it finished stays for `resume`."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    with connected(ctx.ensure_object(Place)) as client:
        job = client.cancel(_full(name))
    report.result(_line(job), job)


def _full(name: str) -> str:
    return name if name.startswith("jobs/") else f"jobs/{name}"


def _line(job: job_pb2.Job) -> str:
    state = job_pb2.Job.State.Name(job.state).lower()
    when = job.create_time.ToDatetime().strftime("%Y-%m-%d %H:%M")
    operation = job.spec.WhichOneof("operation") or ""
    return f"{job_id(job)}  {when}  {state:<9}  {operation:<6}  {job.spec.path} -> {job.spec.output.path}"


def _details(job: job_pb2.Job) -> list[str]:
    stages = [f"  {stage.stage:<10} {stage.done_frame_count} of {stage.frame_count} frames" for stage in job.stages]
    engines = [f"  {use.kind:<10} {use.name} ({use.licence})" for use in job.take.engines]
    notes = [f"  note: {note}" for note in job.notes]
    error = [f"  failed: {job.error.message}"] if job.error.message else []
    return [_line(job), *stages, *engines, *notes, *error]
