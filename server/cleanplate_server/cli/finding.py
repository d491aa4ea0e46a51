"""``find``: what a name may mean in a clip, each hit with its score and box, so that a person can pick one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import click
from cleanplate.v1 import media_pb2, prompt_pb2
from cleanplate_plugin.client import Client

from cleanplate_server.cli.operations import EngineType, absolute, voice_options
from cleanplate_server.cli.prompts import NameType, PromptPart
from cleanplate_server.cli.report import Report, message_fields
from cleanplate_server.cli.sessions import Place, connected
from cleanplate_server.cli.times import MediaTimeline, Moment, MomentType, RateType
from cleanplate_server.models.protocols import Prompt
from cleanplate_server.stages.naming import frames_to_look, not_found


@click.command(params=[
    click.Argument(["media"], metavar="MEDIA"),
    click.Argument(["names"], metavar="[F@]WORDS...", type=NameType(), nargs=-1, required=True),
    click.Option(["--in", "first"], type=MomentType(), help="First frame to look at, or its timecode."),
    click.Option(["--out", "last"], type=MomentType(), help="Last frame, included, or its timecode."),
    click.Option(["--rate"], type=RateType(), help="Frames a second of images that name none; 24 by default."),
    click.Option(["--stream"], type=click.IntRange(0), default=0, metavar="N", help="Video stream, from 0."),
    click.Option(["--engine"], type=EngineType(), multiple=True, help="name-finder=NAME; see `models`."),
    *voice_options(),
])  # fmt: skip
@click.pass_context
def find(
    ctx: click.Context, media: str, names: tuple[PromptPart, ...], first: Moment | None, last: Moment | None,
    rate: Fraction | None, stream: int, engine: tuple[tuple[str, str], ...], as_json: bool, quiet: bool, verbose: bool,
) -> None:  # fmt: skip
    """Look for things by their names: number, what it is, score and box of each hit, best first.

    WORDS#N of the other commands means the hit of that number. Without F it is the first frame, or the next of some
    frames that shows it.
    """
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    others = [kind for kind, _ in engine if kind != "name-finder"]
    if others:
        raise click.UsageError(f"only names are looked for here, so {others[0]} has nothing to do; leave it out", ctx)
    path = absolute(media)
    with connected(ctx.ensure_object(Place), [path if path.is_dir() else path.parent]) as client:
        clip = client.open_clip(path, stream_index=stream, sequence_rate=rate)
        timeline = MediaTimeline.of(clip)
        frames = timeline.frame_range(first, last, 0)
        for part in names:
            _tell(report, part, _look(client, clip, timeline, frames, part, dict(engine).get("name-finder", "")))
        client.close_clip(clip.name)


def _look(
    client: Client, clip: media_pb2.Clip, timeline: MediaTimeline, frames: media_pb2.FrameRange, part: PromptPart,
    engine: str,
) -> prompt_pb2.FindObjectsResponse:  # fmt: skip
    start = timeline.frame(part.moment) if part.moment else frames.start_frame
    span = range(frames.start_frame, frames.start_frame + frames.frame_count)
    looked = frames_to_look(Prompt(start), span) if part.moment is None else (start,)
    found = client.find_objects(clip.name, part.text, looked, engine=engine)
    if len(found.hits) <= max(0, part.hit - 1):
        raise not_found(part.text, looked, Path(clip.path).name, found.remark)
    return found


def _tell(report: Report, part: PromptPart, found: prompt_pb2.FindObjectsResponse) -> None:
    for number, hit in enumerate(found.hits, start=1):
        if part.hit not in (0, number):
            continue
        if report.as_json:
            fields = {"name": part.text, "frame": found.frame, "number": number, "engine": found.engine}
            report.json({**fields, **message_fields(hit), "remark": found.remark})
        else:
            box = f"{hit.box.x0},{hit.box.y0},{hit.box.x1},{hit.box.y1}"
            report.result(f"{part.text}#{number}  frame {found.frame}  {hit.score:.2f}  {hit.label:<14}  box {box}")
    if found.remark and not report.as_json:
        report.say(f"note: {found.remark}")
