from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from cleanplate.v1 import media_pb2
from cleanplate_plugin.client import Client, ClientError
from cleanplate_server.clip import ColorTags, PixelFormat, Plane
from cleanplate_server.config import FlagValue, Settings
from cleanplate_server.service.server import Server
from cleanplate_server.stages.color import to_rgb
from cleanplate_server.stages.decode import Decoder, probe
from cleanplate_server.stages.formats import pixel_format
from cleanplate_server.stages.viewing import to_picture
from media import Recipe, write_video
from numpy.typing import NDArray

PNG = media_pb2.GetFrameRequest.ENCODING_PNG
SIZE = (70, 96)
TAGS = ColorTags()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "shot.mov", Recipe(count=5, size=SIZE))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    flags: dict[str, FlagValue] = {"state_folder": tmp_path / "state", "allowed_folders": [tmp_path]}
    with Server(Settings.load(flags, environment={})) as server, Client(server.address, server.token) as connected:
        yield connected


def _decoded(data: bytes) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture[..., ::-1], np.uint8)


def _as_segmenters_see(path: Path, frame: int) -> NDArray[np.uint8]:
    media = probe(path)
    with Decoder(media) as decoder:
        rgb = to_rgb(decoder.plate(frame).planes, media.format, media.tags)
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def _planes(name: str, size: tuple[int, int]) -> tuple[PixelFormat, tuple[Plane, ...]]:
    generator = np.random.default_rng(3)
    format = pixel_format(name)
    sizes = [size] + [(-(-size[0] >> format.chroma_shift[1]), -(-size[1] >> format.chroma_shift[0]))] * 2
    if format.is_float:
        return format, tuple(generator.uniform(-0.5, 3, size).astype(np.float32) for _ in range(3))
    depth = np.uint8 if format.bit_depth == 8 else np.uint16
    return format, tuple(generator.integers(0, format.max_code + 1, each).astype(depth) for each in sizes)


def test_frame_as_png_at_full_size_is_what_segmenters_see_pixel_for_pixel(client: Client, clip: Path) -> None:
    name = client.open_clip(clip).name
    for frame in (4, 0, 2):
        answer = client.frame(name, frame, encoding=PNG)
        assert (answer.height, answer.width) == SIZE
        assert np.array_equal(_decoded(answer.picture), _as_segmenters_see(clip, frame))


def test_frame_without_an_encoding_is_a_jpeg_close_to_it(client: Client, clip: Path) -> None:
    answer = client.frame(client.open_clip(clip).name, 1, encoding=media_pb2.GetFrameRequest.ENCODING_UNSPECIFIED)
    assert answer.picture[:3] == b"\xff\xd8\xff"
    assert np.abs(_decoded(answer.picture) - _as_segmenters_see(clip, 1).astype(float)).mean() < 4


@pytest.mark.parametrize(("max_height", "size"), [(35, (35, 48)), (1, (1, 1)), (70, SIZE), (4000, SIZE)])
def test_frame_with_a_largest_height_keeps_its_shape_and_is_never_enlarged(
    client: Client, clip: Path, max_height: int, size: tuple[int, int]
) -> None:
    answer = client.frame(client.open_clip(clip).name, 0, max_height=max_height, encoding=PNG)
    assert (answer.height, answer.width) == size == _decoded(answer.picture).shape[:2]


@pytest.mark.parametrize("frame", [-1, 5, 1 << 40])
def test_frame_outside_the_clip_is_refused_in_one_sentence(client: Client, clip: Path, frame: int) -> None:
    name = client.open_clip(clip).name
    with pytest.raises(ClientError, match=f"frames 0 to 4, and frame {frame} was asked for") as caught:
        client.frame(name, frame)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_frame_of_a_clip_that_is_not_open_is_not_found(client: Client) -> None:
    with pytest.raises(ClientError, match="open its media again") as caught:
        client.frame("clips/none", 0)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND


def test_frame_of_less_than_no_height_is_refused(client: Client, clip: Path) -> None:
    with pytest.raises(ClientError, match="max_height = -1") as caught:
        client.frame(client.open_clip(clip).name, 0, max_height=-1)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "gbrp"])
def test_picture_of_many_bands_is_the_whole_pictures(name: str) -> None:
    format, planes = _planes(name, (601, 20))
    whole = np.rint(np.clip(to_rgb(planes, format, TAGS), 0, 1) * 255)
    assert np.array_equal(to_picture(planes, format, TAGS), whole)


def test_scene_linear_picture_is_shown_by_the_srgb_curve() -> None:
    format = pixel_format("gbrpf32le")
    values = np.array([[0.0, 0.18, 1.0, 7.0, -1.0, np.nan]], np.float32)
    picture = to_picture((values, values, values), format, TAGS)
    assert picture[0, :, 0].tolist() == [0, 118, 255, 255, 0, 0]
