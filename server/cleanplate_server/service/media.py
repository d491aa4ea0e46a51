"""MediaService, SegmentService and ModelService: clips opened, prompts answered, engines listed."""

from __future__ import annotations

import grpc
from cleanplate.v1 import media_pb2, media_pb2_grpc, model_pb2, model_pb2_grpc, prompt_pb2, prompt_pb2_grpc

from cleanplate_server.errors import InputError, PromptError
from cleanplate_server.messages.clips import clip_to_message, rate_from_message
from cleanplate_server.messages.paths import absolute_path
from cleanplate_server.messages.pictures import encode_picture
from cleanplate_server.messages.prompts import candidate_to_message, hit_to_message, prompt_from_message
from cleanplate_server.models.registry import Registry
from cleanplate_server.service.answering import Answering
from cleanplate_server.service.clips import OpenClips
from cleanplate_server.service.finders import NameFinders
from cleanplate_server.service.folders import AllowedFolders
from cleanplate_server.stages.segment import check_frame

_PICTURE_LIMIT_BYTES = 60 << 20
"""Answers of the server are 64 MiB at most."""
_LOOK_LIMIT = 32


class MediaService(media_pb2_grpc.MediaServiceServicer):
    """Implements ``cleanplate.v1.MediaService``."""

    def __init__(self, clips: OpenClips, folders: AllowedFolders) -> None:
        self._clips = clips
        self._folders = folders

    def OpenClip(self, request: media_pb2.OpenClipRequest, context: grpc.ServicerContext) -> media_pb2.OpenClipResponse:
        path = self._folders.admit(absolute_path(request.path, "media"), "media")
        rate = rate_from_message(request.sequence_rate)
        name, media = self._clips.open(path, stream_index=request.stream_index, sequence_rate=rate)
        return media_pb2.OpenClipResponse(clip=clip_to_message(name, media))

    def CloseClip(
        self, request: media_pb2.CloseClipRequest, context: grpc.ServicerContext
    ) -> media_pb2.CloseClipResponse:
        self._clips.close(request.name)
        return media_pb2.CloseClipResponse()

    def GetFrame(self, request: media_pb2.GetFrameRequest, context: grpc.ServicerContext) -> media_pb2.GetFrameResponse:
        if request.max_height < 0:
            raise InputError(f"max_height = {request.max_height} makes no sense; give 0 or more pixels")
        with self._clips.use(request.clip) as session:
            picture = session.picture(request.frame, request.max_height)
        data = encode_picture(picture, request.encoding)
        height, width = picture.shape[:2]
        if len(data) > _PICTURE_LIMIT_BYTES:
            raise InputError(
                f"frame {request.frame} at {width}x{height} takes {len(data) >> 20} MiB, and an answer holds"
                f" {_PICTURE_LIMIT_BYTES >> 20}; ask for JPEG, or for less with max_height"
            )
        return media_pb2.GetFrameResponse(picture=data, height=height, width=width)


class SegmentService(prompt_pb2_grpc.SegmentServiceServicer):
    """Implements ``cleanplate.v1.SegmentService``."""

    def __init__(
        self, clips: OpenClips, answer: Answering, finders: NameFinders, folders: AllowedFolders
    ) -> None:  # fmt: skip
        self._clips = clips
        self._answer = answer
        self._finders = finders
        self._folders = folders

    def Segment(self, request: prompt_pb2.SegmentRequest, context: grpc.ServicerContext) -> prompt_pb2.SegmentResponse:
        if not request.HasField("prompt"):
            raise PromptError("the request has no prompt; give a click, a box, a stroke or a mask")
        prompt = prompt_from_message(request.prompt, admit=self._folders.admit)
        with self._clips.use(request.clip) as session:
            candidates, engine = self._answer(session, prompt, request.engine)
        return prompt_pb2.SegmentResponse(candidates=map(candidate_to_message, candidates), engine=engine)

    def FindObjects(
        self, request: prompt_pb2.FindObjectsRequest, context: grpc.ServicerContext
    ) -> prompt_pb2.FindObjectsResponse:
        if not 0 < len(request.frames) <= _LOOK_LIMIT:
            raise InputError(f"{len(request.frames)} frames are to be looked at; name 1 to {_LOOK_LIMIT}")
        finder = self._finders(request.engine)
        with self._clips.use(request.clip) as session:
            for frame in request.frames:
                check_frame(frame, session.media)
            for frame in request.frames:
                answer = session.find(frame, request.object_name, finder)
                if answer.hits:
                    break
        return prompt_pb2.FindObjectsResponse(
            frame=frame, hits=map(hit_to_message, answer.hits), engine=finder.info.name, remark=answer.remark
        )


class ModelService(model_pb2_grpc.ModelServiceServicer):
    """Implements ``cleanplate.v1.ModelService``."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def ListModels(
        self, request: model_pb2.ListModelsRequest, context: grpc.ServicerContext
    ) -> model_pb2.ListModelsResponse:
        models = [
            model_pb2.Model(
                kind=status.kind,
                name=status.info.name,
                available=status.available,
                unavailable_reason=status.reason,
                licence=status.info.licence,
                commercial_use=status.info.commercial_use,
                weights=status.info.weights,
                device=status.device,
            )
            for status in self._registry.engines()
        ]
        return model_pb2.ListModelsResponse(models=models)
