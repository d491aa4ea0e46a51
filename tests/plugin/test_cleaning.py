from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import grpc
import pytest
from cleanplate.v1 import job_pb2, job_pb2_grpc, media_pb2, prompt_pb2
from cleanplate_plugin import cleaning
from cleanplate_plugin.cleaning import Order
from cleanplate_plugin.client import Client, ClientError
from cleanplate_plugin.errors import StaleClipError, TimelineError, UnsupportedClipError
from cleanplate_plugin.timeline import Refusal, SourceMedia, Span, Take, Use

PAL = Fraction(25)
DOG = media_pb2.Clip(path="/media/dog.mov", frame_rate=media_pb2.Rational(numerator=25, denominator=1))
PROMPT = prompt_pb2.Prompt(frame=40, points=[prompt_pb2.Point(x=4, y=5, side=prompt_pb2.Point.SIDE_INSIDE)])


def _use(path: Path | None = Path("/media/dog.mov"), **changes: int) -> Use:
    media = SourceMedia(path, PAL, 90000, 100)
    use = Use("dog", "V1[0]", 1, 10, 20, PAL, media, Fraction(40))
    return replace(
        use, head_frames=changes.get("head", 0), tail_frames=changes.get("tail", 0), track=changes.get("track", 1),
        record_start=changes.get("record_start", 10),
    )  # fmt: skip


def _clip(path: Path, *, count: int = 100, rate: int = 25, timecode: str = "01:00:00:00") -> media_pb2.Clip:
    speed = media_pb2.Rational(numerator=rate, denominator=1)
    return media_pb2.Clip(path=str(path), frame_rate=speed, frame_count=count, start_timecode=timecode)


@dataclass
class _Document:
    """A timeline that remembers what was done to it."""

    uses: list[Use | Refusal]
    done: list[tuple[str, Use, Take, Span | None, bool]] = field(default_factory=list)
    name: str = "cut"
    rate: Fraction = PAL
    start_frame: int = 90000
    drop_frame: bool = False

    def items(self) -> Sequence[Use | Refusal]:
        return self.uses

    def original(self, use: Use) -> Use:
        return use

    def replace(self, use: Use, take: Take, part: Span | None = None) -> None:
        self.done.append(("replace", use, take, part, True))

    def lay_above(self, use: Use, take: Take, part: Span | None = None, *, enabled: bool = True) -> None:
        self.done.append(("above", use, take, part, enabled))

    def restore(self, use: Use | None = None) -> int:
        return 0

    def save(self, path: Path) -> None:
        path.touch()


class _Jobs(job_pb2_grpc.JobServiceServicer):
    """Takes every job but one of frame 13, and knows those that it took."""

    def __init__(self) -> None:
        self.taken: list[job_pb2.Job] = []

    def ListJobs(self, request: job_pb2.ListJobsRequest, context: grpc.ServicerContext) -> job_pb2.ListJobsResponse:
        return job_pb2.ListJobsResponse(jobs=self.taken)

    def SubmitJob(self, request: job_pb2.SubmitJobRequest, context: grpc.ServicerContext) -> job_pb2.SubmitJobResponse:
        if request.spec.range.start_frame == 13:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "frame 13 is not worked on; choose another")
        self.taken.append(job_pb2.Job(name=f"jobs/{len(self.taken)}", spec=request.spec))
        return job_pb2.SubmitJobResponse(job=self.taken[-1])


@pytest.fixture
def client() -> Iterator[Client]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    job_pb2_grpc.add_JobServiceServicer_to_server(_Jobs(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Client(f"127.0.0.1:{port}", "token") as made:
        yield made
    server.stop(None).wait()


def _finish(job: job_pb2.Job) -> job_pb2.Job:
    """What the server would say of the job of ``_use`` with 12 frames of handles."""
    job.take.path, job.take.frame_count, job.take.start_timecode = job.spec.output.path, 44, "01:00:01:03"
    return job


def test_media_path_of_a_clip_without_file_names_the_clip_and_the_remedy() -> None:
    with pytest.raises(UnsupportedClipError, match="clip 'dog' names no media file; use --media"):
        cleaning.media_path(_use(None), remedy="use --media")


def test_media_path_of_offline_media_names_clip_and_file(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedClipError, match=r"'dog' is offline, .*gone\.mov is not there; connect it"):
        cleaning.media_path(_use(tmp_path / "gone.mov"))


def test_media_path_of_numbered_images_needs_their_folder(tmp_path: Path) -> None:
    assert cleaning.media_path(_use(tmp_path / "shot.%04d.exr")) == tmp_path / "shot.%04d.exr"
    with pytest.raises(UnsupportedClipError, match="is offline"):
        cleaning.media_path(_use(tmp_path / "gone" / "shot.%04d.exr"))


@pytest.mark.parametrize(
    ("part", "head", "tail", "start", "count"),
    [(None, 0, 0, 40, 20), (None, 5, 3, 35, 28), (Span(5, 4), 5, 3, 45, 4), (Span(0, 4), 5, 3, 35, 9)],
)
def test_needed_range_holds_what_is_shown_with_transitions(
    part: Span | None, head: int, tail: int, start: int, count: int
) -> None:
    frames = cleaning.needed_range(_use(head=head, tail=tail), part, 12, 100)
    assert (frames.start_frame, frames.frame_count, frames.handle_frame_count) == (start, count, 12)


def test_needed_range_of_a_reversed_clip_counts_upwards() -> None:
    frames = cleaning.needed_range(replace(_use(), speed=Fraction(-2)), None, 0, 100)
    assert (frames.start_frame, frames.frame_count) == (2, 39)


def test_needed_range_of_slow_motion_has_a_frame_more_on_each_side() -> None:
    frames = cleaning.needed_range(replace(_use(), speed=Fraction(1, 2)), None, 0, 100)
    assert (frames.start_frame, frames.frame_count) == (39, 12)


def test_needed_range_of_a_freeze_is_one_frame() -> None:
    frames = cleaning.needed_range(replace(_use(), speed=Fraction(0)), None, 0, 100)
    assert (frames.start_frame, frames.frame_count) == (40, 1)


def test_needed_range_beyond_the_media_says_which_frames(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="'dog' shows frames 40 to 59 of media that has frames 0 to 49;"):
        cleaning.needed_range(_use(), None, 12, 50)


def test_job_spec_says_what_was_ordered() -> None:
    frames = media_pb2.FrameRange(start_frame=40, frame_count=20, handle_frame_count=12)
    engine = job_pb2.EngineChoice(kind="inpainter", name="embedded")
    order = Order((PROMPT,), delivery=job_pb2.DELIVERY_PATCH, grow_px=3, engines=(engine,), codec="ffv1")
    spec = cleaning.job_spec(DOG, frames, order, output=Path("/media/t.mkv"))
    assert (spec.path, spec.range, list(spec.engines)) == ("/media/dog.mov", frames, [engine])
    assert spec.remove == job_pb2.RemoveOperation(prompts=[PROMPT], grow_px=3)
    delivery = job_pb2.DELIVERY_PATCH
    assert spec.output == job_pb2.Output(path="/media/t.mkv", codec="ffv1", delivery=delivery, omit_audio=True)
    assert spec.sequence_rate == DOG.frame_rate


def test_job_spec_of_a_matte_delivers_a_matte() -> None:
    order = Order((PROMPT,), operation="matte", effort=job_pb2.EFFORT_BEST)
    spec = cleaning.job_spec(DOG, media_pb2.FrameRange(), order, output=Path("/media/t.mov"))
    assert (spec.WhichOneof("operation"), list(spec.matte.prompts)) == ("matte", [PROMPT])
    assert (spec.output.delivery, spec.effort) == (job_pb2.DELIVERY_MATTE, job_pb2.EFFORT_BEST)


def test_cleaning_of_a_clip_gives_the_take_that_was_planned(tmp_path: Path, client: Client) -> None:
    media = tmp_path / "dog.mov"
    use = _use(media)
    work = cleaning.prepare(client, _clip(media), use, Order((PROMPT,)))
    take = work.run(client, _finish)
    assert take.media == work.planned.media
    assert take.media == SourceMedia(tmp_path / "Cleanplate" / "dog_cp001.mov", PAL, 90028, 44)
    assert [use.source_frame(k) for k in range(20)] == [
        use.with_take(take).source_frame(k) + take.source_start for k in range(20)
    ]


def test_cleaning_again_while_a_job_waits_takes_the_next_number(tmp_path: Path, client: Client) -> None:
    media = tmp_path / "dog.mov"
    cleaning.prepare(client, _clip(media), _use(media), Order((PROMPT,))).run(client, _finish)
    again = cleaning.prepare(client, _clip(media), _use(media), Order((PROMPT,)))
    assert again.planned.label == "dog_cp002"


def test_cleaning_that_the_server_refuses_leaves_no_folder(tmp_path: Path, client: Client) -> None:
    media = tmp_path / "dog.mov"
    use = replace(_use(media), source_start=Fraction(13))
    with pytest.raises(ClientError, match="frame 13"):
        cleaning.prepare(client, _clip(media), use, Order((PROMPT,))).run(client, _finish)
    assert list(tmp_path.iterdir()) == []


def test_same_clip_is_found_where_its_document_moved_it() -> None:
    moved = replace(_use(), place="V1[4]")
    title = Refusal("title", "V2[0]", 2, 10, 20, "clip 'title' is a title")
    assert cleaning.same_clip(_Document([title, _use(record_start=90), moved]), _use()) == moved


@pytest.mark.parametrize("change", [{"record_start": 11}, {"track": 2}, {"head": 1}])
def test_same_clip_that_was_edited_is_stale(change: dict[str, int]) -> None:
    with pytest.raises(StaleClipError, match=r"clip 'dog' on track 1 is not what it was .*nothing was placed"):
        cleaning.same_clip(_Document([_use(**change)]), _use())


def test_place_puts_a_take_where_it_is_meant() -> None:
    document, take = _Document([_use()]), Take(SourceMedia(Path("/t.mov"), PAL, 0, 100), 0, "dog_cp001", {})
    cleaning.place(document, _use(), take, part=Span(2, 3), above=False)
    cleaning.place(document, _use(), take, part=None, above=True, enabled=False)
    assert [(how, part, enabled) for how, _, _, part, enabled in document.done] == [
        ("replace", Span(2, 3), True),
        ("above", None, False),
    ]


def test_settled_use_has_its_files_own_length_and_the_timelines_path(tmp_path: Path) -> None:
    said = replace(_use(), media=SourceMedia(Path("/old/dog.mov"), PAL, 90000, None))
    settled = cleaning.settle_use(said, _clip(tmp_path / "dog.mov"))
    assert settled.media == SourceMedia(Path("/old/dog.mov"), PAL, 90000, 100)


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        (_clip(Path("/dog.mov"), count=99), "100 frames and the file now has 99"),
        (_clip(Path("/dog.mov"), rate=24), "25 frames a second where its file has 24"),
        (_clip(Path("/dog.mov"), timecode="02:00:00:00"), "begins at 01:00:00:00 and the file now begins at 02:"),
    ],
)
def test_settled_use_of_a_file_that_is_not_the_timelines_is_refused(clip: media_pb2.Clip, words: str) -> None:
    with pytest.raises(UnsupportedClipError, match=words):
        cleaning.settle_use(_use(), clip)
