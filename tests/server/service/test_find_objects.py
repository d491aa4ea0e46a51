"""Names over the wire: hits for a person to step through, masks for the best, refusals in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from cleanplate.v1 import job_pb2, media_pb2, prompt_pb2
from cleanplate_plugin.client import Client, ClientError
from naming_server import blob_server

SIZE = (48, 96)


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """Four frames, the first of them empty, then two bright rectangles."""
    folder = tmp_path / "media" / "shot"
    folder.mkdir(parents=True)
    for frame in range(4):
        picture = np.full((*SIZE, 3), 30, np.uint8)
        if frame:
            picture[10:30, 10:26] = picture[8:20, 70:80] = 230
        cv2.imwrite(str(folder / f"{frame:04d}.png"), picture)
    return folder


@pytest.fixture
def client(tmp_path: Path, shot: Path) -> Iterator[Client]:
    with (
        blob_server(tmp_path / "state", tmp_path / "media") as server,
        Client(server.address, server.token) as connected,
    ):
        yield connected


@pytest.fixture
def clip(client: Client, shot: Path) -> media_pb2.Clip:
    return client.open_clip(shot)


def test_hits_are_given_best_first_with_box_score_and_label(client: Client, clip: media_pb2.Clip) -> None:
    found = client.find_objects(clip.name, "blob", [1])
    assert (found.frame, found.engine, found.remark) == (1, "bright", "")
    assert [(hit.label, round(hit.score, 2)) for hit in found.hits] == [("blob", 0.32), ("blob", 0.12)]
    box = found.hits[0].box
    assert (box.x0, box.y0, box.x1, box.y1) == (10, 10, 25, 29)


def test_first_frame_that_shows_the_name_ends_the_search(client: Client, clip: media_pb2.Clip) -> None:
    found = client.find_objects(clip.name, "odd blob", [0, 2, 3])
    assert (found.frame, len(found.hits), found.remark) == (2, 2, "no word for 'odd'")


def test_frame_that_shows_nothing_gives_no_hits(client: Client, clip: media_pb2.Clip) -> None:
    found = client.find_objects(clip.name, "blob", [0])
    assert (found.frame, len(found.hits)) == (0, 0)


def test_box_of_a_hit_is_a_prompt(client: Client, clip: media_pb2.Clip) -> None:
    hit = client.find_objects(clip.name, "blob", [1]).hits[1]
    answer = client.segment(clip.name, prompt_pb2.Prompt(frame=1, box=hit.box))
    assert _area(answer) == pytest.approx(120, rel=0.3)


@pytest.mark.parametrize(("number", "area"), [(0, 320), (1, 320), (2, 120)])
def test_name_is_segmented_as_the_best_hit_or_the_one_asked_for(
    client: Client, clip: media_pb2.Clip, number: int, area: int
) -> None:
    answer = client.segment(clip.name, prompt_pb2.Prompt(frame=1, object_name="blob", name_hit=number))
    assert _area(answer) == pytest.approx(area, rel=0.2)


def _area(answer: prompt_pb2.SegmentResponse) -> int:
    mask = cv2.imdecode(np.frombuffer(answer.candidates[0].mask.png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    return int(np.count_nonzero(mask))


@pytest.mark.parametrize(
    ("name", "frames", "engine", "code", "words"),
    [
        ("blub", [1], "", grpc.StatusCode.INVALID_ARGUMENT, "near it are blob"),
        ("blob", [], "", grpc.StatusCode.INVALID_ARGUMENT, "name 1 to 32"),
        ("blob", [1] * 33, "", grpc.StatusCode.INVALID_ARGUMENT, "33 frames"),
        ("blob", [1, 4], "", grpc.StatusCode.INVALID_ARGUMENT, "frames 0 to 3"),
        ("blob", [-1], "", grpc.StatusCode.INVALID_ARGUMENT, "frames 0 to 3"),
        ("blob", [1], "magic", grpc.StatusCode.NOT_FOUND, "no name-finder named 'magic'"),
    ],
)
def test_search_that_makes_no_sense_is_refused(
    client: Client, clip: media_pb2.Clip, name: str, frames: list[int], engine: str, code: grpc.StatusCode, words: str
) -> None:
    with pytest.raises(ClientError, match=words) as refused:
        client.find_objects(clip.name, name, frames, engine=engine)
    assert refused.value.code is code


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (prompt_pb2.Prompt(frame=0, object_name="blob"), "no 'blob' was found on frame 0"),
        (prompt_pb2.Prompt(frame=1, object_name="blub"), "near it are blob"),
        (prompt_pb2.Prompt(frame=1, object_name="blob", name_hit=3), "hit 3 of 'blob' is asked for and there are 2"),
        (prompt_pb2.Prompt(frame=1, object_name="blob", name_hit=-1), "hit -1 makes no sense"),
        (
            prompt_pb2.Prompt(
                frame=1, object_name="blob",
                mask=prompt_pb2.Mask(png=cv2.imencode(".png", np.full(SIZE, 255, np.uint8))[1].tobytes()),
            ),
            "has a mask and the name 'blob'",
        ),
    ],
)  # fmt: skip
def test_name_that_cannot_be_meant_is_refused(
    client: Client, clip: media_pb2.Clip, prompt: prompt_pb2.Prompt, words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        client.segment(clip.name, prompt)


def test_job_keeps_how_a_name_is_meant_and_refuses_an_unknown_one_before_it_is_stored(
    client: Client, shot: Path
) -> None:
    spec = job_pb2.JobSpec(path=str(shot))
    spec.track.prompts.add(frame=1, object_name="blob", name_hit=2, every_shot=True)
    spec.output.path = str(shot.parent / "masks")
    kept = client.submit(spec).spec.track.prompts[0]
    assert (kept.object_name, kept.name_hit, kept.every_shot) == ("blob", 2, True)
    spec.track.prompts[0].object_name = "blub"
    with pytest.raises(ClientError, match="near it are blob"):
        client.submit(spec)
    assert len(list(client.jobs())) == 1
