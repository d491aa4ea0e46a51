"""Sessions to test with: a tiny clip, and a caller of the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import grpc
import numpy as np
from cleanplate.v1 import picker_pb2, picker_pb2_grpc, prompt_pb2
from cleanplate_server.models.protocols import Effort, EngineInfo, Propagator, Segmenter
from cleanplate_server.models.registry import Registry
from cleanplate_server.service.server import Server
from fakes import BrightPropagator, BrightSegmenter
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from media import Recipe, write_video

SIZE = (64, 96)
COUNT = 16
INSIDE = prompt_pb2.Point.SIDE_INSIDE
_OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.enable_http_proxy", 0)]


class BrightRegistry(Registry):
    """Engines that find whatever is bright, at once."""

    def __init__(self) -> None:
        super().__init__()
        self.bright = BrightPropagator()

    def segmenter(self, name: str = "", effort: Effort = "balanced") -> Segmenter:
        return BrightSegmenter()

    def segmenter_info(self, name: str = "") -> EngineInfo:
        return self.segmenter(name).info

    def propagator(self, name: str = "", effort: Effort = "balanced") -> Propagator:
        return self.bright


def square(frame: int) -> np.ndarray:
    """Where the bright square is: bool [H, W]."""
    mask = np.zeros(SIZE, bool)
    mask[22:42, 10 + 3 * frame : 32 + 3 * frame] = True
    return mask


def write_walker(path: Path, *, count: int = COUNT) -> Path:
    """A bright square walks over a mottled wall; lossless, so that pixels can be compared."""
    random = np.random.default_rng(3)
    wall = cv2.resize((random.random((8, 12)) * 60 + 40).astype(np.uint8), SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    frames = []
    for number in range(count):
        gray = wall.copy()
        gray[square(number)] = 220
        frames.append(av.VideoFrame.from_ndarray(gray, "gray").reformat(format="yuv420p"))
    recipe = Recipe(encoder="ffv1", size=SIZE, count=count, rate=Fraction(25), options={}, frames=frames)
    return write_video(path, recipe)


def click(frame: int, object_id: int = 1) -> prompt_pb2.Prompt:
    """A click on the square."""
    point = prompt_pb2.Point(x=20 + 3 * frame, y=32, side=INSIDE)
    return prompt_pb2.Prompt(frame=frame, object_id=object_id, points=[point])


def mask_prompt(frame: int, mask: np.ndarray, object_id: int = 1) -> prompt_pb2.Prompt:
    """A mask as it was drawn elsewhere."""
    png = cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes()
    return prompt_pb2.Prompt(frame=frame, object_id=object_id, mask=prompt_pb2.Mask(png=png))


def read_png(data: bytes) -> np.ndarray:
    """A picture of one channel."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)


@dataclass
class Picker:
    """Somebody at the page, straight on the service."""

    stub: picker_pb2_grpc.SessionServiceStub
    metadata: tuple[tuple[str, str], ...]
    name: str = ""

    @classmethod
    def at(cls, server: Server) -> Picker:
        stub = picker_pb2_grpc.SessionServiceStub(grpc.insecure_channel(server.address, _OPTIONS))
        return cls(stub, (("authorization", f"Bearer {server.token}"),))

    def open(self, path: Path, **wanted: object) -> picker_pb2.Session:
        request = picker_pb2.OpenSessionRequest(path=str(path), **wanted)
        session = self.stub.OpenSession(request, metadata=self.metadata).session
        self.name = session.name
        return session

    def ask(self, method: str, **fields: object) -> object:
        kind = getattr(picker_pb2, f"{method}Request")
        return getattr(self.stub, method)(kind(session=self.name, **fields), metadata=self.metadata)

    def say(self, prompt: prompt_pb2.Prompt, **more: object) -> picker_pb2.PutPromptResponse:
        return self.ask("PutPrompt", prompt=prompt, **more)

    @property
    def session(self) -> picker_pb2.Session:
        return self.ask("GetSession").session

    def states(self, object_id: int = 1) -> dict[int, str]:
        """By frame, the name of what its mask is worth."""
        found = [track for track in self.ask("GetSession").tracks if track.object_id == object_id]
        names = picker_pb2.TrackedFrame.State.Name
        return {frame.frame: names(frame.state) for track in found for frame in track.frames}

    def mask(self, frame: int, object_id: int = 1) -> np.ndarray:
        return read_png(self.ask("GetMask", object_id=object_id, frame=frame).png) > 0

    def watch(self) -> Iterator[picker_pb2.WatchSessionResponse]:
        request = picker_pb2.WatchSessionRequest(session=self.name)
        return self.stub.WatchSession(request, metadata=self.metadata, timeout=20)

    def follow(self, **wanted: object) -> picker_pb2.Run:
        """Follows to the end."""
        self.ask("Propagate", **wanted)
        return self.until(lambda session: session.run.state != picker_pb2.Run.RUNNING).run

    def until(self, fits: Callable[[picker_pb2.Session], bool]) -> picker_pb2.Session:
        """Waits until the session is as it should be."""
        end = time.monotonic() + 30
        while not fits(session := self.session):
            assert time.monotonic() < end, session
            time.sleep(0.02)
        return session


@dataclass
class Refusal:
    """What a refused call says."""

    code: grpc.StatusCode
    message: str
    reason: str

    @classmethod
    def of(cls, error: grpc.RpcError) -> Refusal:
        info = error_details_pb2.ErrorInfo()
        for detail in rpc_status.from_call(error).details:
            detail.Unpack(info)
        return cls(error.code(), error.details(), info.reason)
