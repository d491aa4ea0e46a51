"""``find``: what a name may mean in a clip, each hit with its score and box, so that a person can pick one."""

from __future__ import annotations

from fractions import Fraction

import click
from cleanplate.v1 import prompt_pb2

from cleanplate_server.cli.operations import EngineType, absolute, voice_options
from cleanplate_server.cli.prompts import NameType, PromptPart
from cleanplate_server.cli.report import Report, message_fields
from cleanplate_server.cli.sessions import Place, connected
from cleanplate_server.cli.times import MediaTimeline, Moment, MomentType, RateType
from cleanplate_server.models.protocols import Box, NameHit, Prompt
from cleanplate_server.stages.naming import frames_to_look, not_found, taken_hits


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
        count = frames.frame_count if frames.HasField("frame_count") else clip.frame_count - frames.start_frame
        span = range(frames.start_frame, frames.start_frame + count)
        for part in names:
            start = timeline.frame(part.moment) if part.moment else span.start
            looked = (start,) if part.moment else frames_to_look(Prompt(start), span)
            found = client.find_objects(clip.name, part.text, looked, engine=dict(engine).get("name-finder", ""))
            if not found.hits:
                raise not_found(part.text, looked, path.name, found.remark)
            _tell(report, part, found)
        client.close_clip(clip.name)


def _tell(report: Report, part: PromptPart, found: prompt_pb2.FindObjectsResponse) -> None:
    """Prints the hits that are asked for.

    Raises:
        PromptError: there are fewer.
    """
    hits = [_hit(message) for message in found.hits]
    for number, hit in taken_hits(hits, Prompt(found.frame, name=part.text, name_hit=part.hit)):
        if report.as_json:
            fields = {"name": part.text, "frame": found.frame, "number": number, "engine": found.engine}
            report.json({**fields, **message_fields(found.hits[number - 1]), "remark": found.remark})
        else:
            box = f"{hit.box.x0},{hit.box.y0},{hit.box.x1 - 1},{hit.box.y1 - 1}"
            report.result(f"{part.text}#{number}  frame {found.frame}  {hit.score:.2f}  {hit.label:<14}  box {box}")
    if found.remark and not report.as_json:
        report.say(f"note: {found.remark}")


def _hit(message: prompt_pb2.NameHit) -> NameHit:
    box = message.box
    return NameHit(Box(box.x0, box.y0, box.x1 + 1, box.y1 + 1), message.score, message.label)
