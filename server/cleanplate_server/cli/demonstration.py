"""``demo``: a shot of its own making through the real server, measured against the known truth."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict
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
from cleanplate_server.demo.shot import FRAME_COUNT, RATE, SIZE, Pointing, Shot
from cleanplate_server.demo.shots import DEFAULT_SHOT, SHOTS
from cleanplate_server.errors import OutputError

_GROW_PX = 4
_LOSSLESS_FRAMES = range(20, 28)
_PICTURE_FRAMES = (6, 24, 42)
_SHEET_FRAMES = (2, 8, 14, 20, 26, 32, 38, 44)
_SHEET_TILE = (152, 270)
_MADE = ("plate.mov", "truth.mov", "clean.mov", "clean.mov.cleanplate.json", "lossless.mkv",
         "lossless.mkv.cleanplate.json", "before-after.png", "contact-sheet.jpg")  # fmt: skip


@click.command(params=voice_options())
@click.option(
    "-o", "--output", default="cleanplate-demo", metavar="DIR", show_default=True, help="Folder for what it makes."
)
@click.option(
    "--shot", "shot_name", type=click.Choice(list(SHOTS)), default=DEFAULT_SHOT, show_default=True,
    help="street: a camera in the hand turns, somebody walks by; parallax: a camera slides past things near and far,"
    " somebody rides by, a cloud comes.",
)  # fmt: skip
@click.pass_context
def demo(ctx: click.Context, output: str, shot_name: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Make a shot, click on somebody who goes through it, and compare with the truth. No weights, no network."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    folder = absolute(output)
    began = time.monotonic()
    _prepare(folder)
    shot = SHOTS[shot_name]()
    report.say(f"drawing {shot.telling}: {FRAME_COUNT} frames, {SIZE[1]}x{SIZE[0]}, 10 bit 4:2:2, sound, timecode")
    answer = _make_shot(shot, folder)
    with connected(ctx.ensure_object(Place), [folder]) as client:
        masks = _remove(client, shot, folder, report)
        report.say("filling eight frames again, lossless, to compare every pixel outside the mask")
        run_to_end(client, _lossless_spec(folder), report)
    figures = score(folder, answer, masks, lossless=folder / "lossless.mkv", lossless_frames=_LOSSLESS_FRAMES)
    write_sheet(folder / "before-after.png", folder, masks, _PICTURE_FRAMES)
    write_sheet(folder / "contact-sheet.jpg", folder, masks, _SHEET_FRAMES, tile=_SHEET_TILE)
    _print(report, shot, figures, folder=folder, seconds=time.monotonic() - began)
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


def _make_shot(shot: Shot, folder: Path) -> Answer:
    frames = [shot.frame(number) for number in range(FRAME_COUNT)]
    record(folder / "plate.mov", (frame.plate for frame in frames), size=SIZE, rate=RATE)
    record(folder / "truth.mov", (frame.truth for frame in frames), size=SIZE, rate=RATE)
    body, shadow = np.stack([frame.body for frame in frames]), np.stack([frame.shadow for frame in frames])
    return Answer(body, shadow, _GROW_PX)


def _remove(client: Client, shot: Shot, folder: Path, report: Report) -> list[Path]:
    """Runs the job and keeps its masks beside the media.

    Returns:
        A PNG for each frame.
    """
    prompts = [
        _prompt(shot, frame, object_id, pointing)
        for object_id, pointing in enumerate(shot.pointings, start=1)
        for frame in shot.prompt_frames
    ]
    operation = job_pb2.RemoveOperation(prompts=prompts, grow_px=_GROW_PX)
    output = job_pb2.Output(path=str(folder / "clean.mov"), codec="prores422hq")
    spec = job_pb2.JobSpec(path=str(folder / "plate.mov"), remove=operation, output=output)
    job = run_to_end(client, spec, report)
    shutil.copytree(job.take.masks_path, folder / "masks")
    return sorted((folder / "masks").glob("*.png"))


def _prompt(shot: Shot, frame: int, object_id: int, pointing: Pointing) -> prompt_pb2.Prompt:
    x, y = shot.on_screen(frame, *pointing.click)
    left, top = shot.on_screen(frame, *pointing.box[:2])
    right, bottom = shot.on_screen(frame, *pointing.box[2:])
    return prompt_pb2.Prompt(
        frame=frame,
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


def _print(report: Report, shot: Shot, figures: Figures, *, folder: Path, seconds: float) -> None:
    if report.as_json:
        report.json({"shot": shot.name, "folder": str(folder), "seconds": round(seconds, 1), **asdict(figures)})
        return
    count = len(_LOSSLESS_FRAMES)
    lines = [
        "",
        f"mask against the truth    {figures.mask_iou:.3f} overlap (IoU), mean of {FRAME_COUNT} frames",
        f"covered by the mask       {figures.body_covered:.0%} of the {shot.subject},"
        f" {figures.shadow_covered:.0%} of the shadow",
        f"fill against the truth    {figures.psnr_db:.2f} dB, SSIM {figures.ssim:.3f}",
        f"  Telea, given true masks {figures.telea_psnr_db:.2f} dB, SSIM {figures.telea_ssim:.3f}",
        f"outside the mask          {figures.outside_max} greatest change of code values ({count} frames, lossless)",
        f"as in the source          frames {_yes(figures.same_frames)}, sound {_yes(figures.same_audio)},"
        f" timecode {_yes(figures.same_timecode)}, colour tags {_yes(figures.same_tags)}",
        f"before and after          {folder / 'before-after.png'}; {len(_SHEET_FRAMES)} frames in contact-sheet.jpg",
        f"media                     {folder / 'clean.mov'}",
        f"time                      {seconds:.0f} s",
    ]
    report.result("\n".join(lines))


def _yes(same: bool) -> str:
    return "yes" if same else "NO"
