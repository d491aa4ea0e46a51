"""``demo``: a shot of its own making through the real server, measured against the known truth."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from cleanplate.v1 import job_pb2, media_pb2, prompt_pb2
from cleanplate_plugin.client import Client

from cleanplate_server.cli.operations import absolute, run_to_end, voice_options
from cleanplate_server.cli.report import Report
from cleanplate_server.cli.sessions import Place, connected
from cleanplate_server.demo.recording import record
from cleanplate_server.demo.scoring import Answer, Figures, score
from cleanplate_server.demo.sheet import write_sheet
from cleanplate_server.demo.shot import FRAME_COUNT, RATE, SIZE, Shot, on_screen
from cleanplate_server.errors import OutputError

_PROMPT_FRAME = 24
_GROW_PX = 4
_LOSSLESS_FRAMES = range(20, 28)
_SHEET_FRAMES = (6, 24, 42)
_MADE = ("plate.mov", "truth.mov", "clean.mov", "clean.mov.cleanplate.json", "lossless.mkv",
         "lossless.mkv.cleanplate.json", "before-after.png")  # fmt: skip


@dataclass(frozen=True)
class _Pointing:
    """What a person would do for one object; all places are relative to the walker's feet, in pixels."""

    click: tuple[float, float]
    box: tuple[float, float, float, float]


_WALKER = _Pointing(click=(0, -110), box=(-50, -195, 55, 8))
_SHADOW = _Pointing(click=(60, 15), box=(-20, -2, 130, 44))


@click.command(params=voice_options())
@click.option(
    "-o", "--output", default="cleanplate-demo", metavar="DIR", show_default=True, help="Folder for what it makes."
)
@click.pass_context
def demo(ctx: click.Context, output: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Make a shot, click on somebody who walks through it, and compare with the truth. No weights, no network."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    folder = absolute(output)
    began = time.monotonic()
    _prepare(folder)
    report.say("drawing a street, and somebody who walks along it: 48 frames, 960x540, 10 bit 4:2:2, sound, timecode")
    answer = _make_shot(folder)
    with connected(ctx.ensure_object(Place), [folder]) as client:
        masks = _remove(client, folder, report)
        report.say("filling eight frames again, lossless, to compare every pixel outside the mask")
        run_to_end(client, _lossless_spec(folder), report)
    figures = score(folder, answer, masks, lossless=folder / "lossless.mkv", lossless_frames=_LOSSLESS_FRAMES)
    write_sheet(folder / "before-after.png", folder, masks, _SHEET_FRAMES)
    _print(report, figures, folder, time.monotonic() - began)
    failures = figures.failures()
    if failures:
        raise click.ClickException(f"the demo is not as it must be: {'; '.join(failures)}; please report it")


def _prepare(folder: Path) -> None:
    """Makes the folder and clears away what an earlier demo made there; nothing else is touched."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _MADE:
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "masks", ignore_errors=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be used ({error.strerror}); choose another with -o") from error


def _make_shot(folder: Path) -> Answer:
    frames = list(Shot())
    record(folder / "plate.mov", (frame.plate for frame in frames), size=SIZE, rate=RATE)
    record(folder / "truth.mov", (frame.truth for frame in frames), size=SIZE, rate=RATE)
    body, shadow = np.stack([frame.body for frame in frames]), np.stack([frame.shadow for frame in frames])
    return Answer(body, shadow, _GROW_PX)


def _remove(client: Client, folder: Path, report: Report) -> list[Path]:
    """Runs the job and keeps its masks beside the media.

    Returns:
        A PNG for each frame.
    """
    operation = job_pb2.RemoveOperation(prompts=[_prompt(1, _WALKER), _prompt(2, _SHADOW)], grow_px=_GROW_PX)
    output = job_pb2.Output(path=str(folder / "clean.mov"), codec="prores422hq")
    spec = job_pb2.JobSpec(path=str(folder / "plate.mov"), remove=operation, output=output)
    job = run_to_end(client, spec, report)
    shutil.copytree(job.take.masks_path, folder / "masks")
    return sorted((folder / "masks").glob("*.png"))


def _prompt(object_id: int, pointing: _Pointing) -> prompt_pb2.Prompt:
    x, y = on_screen(_PROMPT_FRAME, *pointing.click)
    left, top = on_screen(_PROMPT_FRAME, *pointing.box[:2])
    right, bottom = on_screen(_PROMPT_FRAME, *pointing.box[2:])
    return prompt_pb2.Prompt(
        frame=_PROMPT_FRAME,
        object_id=object_id,
        points=[prompt_pb2.Point(x=round(x), y=round(y), side=prompt_pb2.Point.SIDE_INSIDE)],
        box=prompt_pb2.Box(x0=round(left), y0=round(top), x1=round(right), y1=round(bottom)),
    )


def _lossless_spec(folder: Path) -> job_pb2.JobSpec:
    frames = media_pb2.FrameRange(start_frame=_LOSSLESS_FRAMES.start, frame_count=len(_LOSSLESS_FRAMES))
    return job_pb2.JobSpec(
        path=str(folder / "plate.mov"),
        range=frames,
        fill=job_pb2.FillOperation(masks_path=str(folder / "masks")),
        output=job_pb2.Output(path=str(folder / "lossless.mkv"), codec="ffv1"),
    )


def _print(report: Report, figures: Figures, folder: Path, seconds: float) -> None:
    if report.as_json:
        report.json({"folder": str(folder), "seconds": round(seconds, 1), **asdict(figures)})
        return
    count = len(_LOSSLESS_FRAMES)
    lines = [
        "",
        f"mask against the truth    {figures.mask_iou:.3f} overlap (IoU), mean of {FRAME_COUNT} frames",
        f"covered by the mask       {figures.body_covered:.0%} of the walker, {figures.shadow_covered:.0%} of shadow",
        f"fill against the truth    {figures.psnr_db:.2f} dB, SSIM {figures.ssim:.3f}",
        f"  Telea, given true masks {figures.telea_psnr_db:.2f} dB, SSIM {figures.telea_ssim:.3f}",
        f"outside the mask          {figures.outside_max} greatest change of code values ({count} frames, lossless)",
        f"as in the source          frames {_yes(figures.same_frames)}, sound {_yes(figures.same_audio)},"
        f" timecode {_yes(figures.same_timecode)}, colour tags {_yes(figures.same_tags)}",
        f"before and after          {folder / 'before-after.png'}",
        f"media                     {folder / 'clean.mov'}",
        f"time                      {seconds:.0f} s",
    ]
    report.result("\n".join(lines))


def _yes(same: bool) -> str:
    return "yes" if same else "NO"
