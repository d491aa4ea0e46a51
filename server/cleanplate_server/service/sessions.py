"""SessionService: what a person does on the picker's page, in and out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import grpc
from cleanplate.v1 import media_pb2, picker_pb2, picker_pb2_grpc

from cleanplate_server.errors import InputError, NotFoundError
from cleanplate_server.messages.clips import rate_from_message
from cleanplate_server.messages.paths import absolute_path
from cleanplate_server.messages.pictures import encode_mask, encode_picture
from cleanplate_server.messages.prompts import candidate_to_message
from cleanplate_server.service.clips import OpenClips
from cleanplate_server.service.folders import AllowedFolders
from cleanplate_server.service.jobs import job_to_message
from cleanplate_server.service.session_messages import (
    check_settings,
    frames_of,
    job_id,
    job_without_spec,
    object_from_message,
    said_from_message,
    session_id,
    session_to_message,
    without_base,
)
from cleanplate_server.service.session_takes import SessionTakes
from cleanplate_server.sessions.blobs import encode_png
from cleanplate_server.sessions.book import SessionBook, Source
from cleanplate_server.sessions.following import Wanted
from cleanplate_server.sessions.session import PickSession
from cleanplate_server.sessions.spans import Direction
from cleanplate_server.sessions.takes import TakeMaker
from cleanplate_server.stages.viewing import Picture

_DIRECTIONS: dict[int, frozenset[Direction]] = {
    picker_pb2.PropagateRequest.DIRECTION_UNSPECIFIED: frozenset(("forward", "backward")),
    picker_pb2.PropagateRequest.FORWARD: frozenset(("forward",)),
    picker_pb2.PropagateRequest.BACKWARD: frozenset(("backward",)),
    picker_pb2.PropagateRequest.BOTH: frozenset(("forward", "backward")),
}
_PICTURE_LIMIT_BYTES = 60 << 20
_WATCH_SECONDS = 0.1
_SUGGESTIONS = 1000


class SessionService(picker_pb2_grpc.SessionServiceServicer):
    """Implements ``cleanplate.v1.SessionService``.

    Args:
        book: the sessions.
        clips: for pictures of takes.
        folders: where media may lie.
        takes: submits and shows jobs.
    """

    def __init__(self, book: SessionBook, clips: OpenClips, *, folders: AllowedFolders, takes: SessionTakes) -> None:
        self._book = book
        self._clips = clips
        self._folders = folders
        self._takes = takes

    def OpenSession(
        self, request: picker_pb2.OpenSessionRequest, context: grpc.ServicerContext
    ) -> picker_pb2.OpenSessionResponse:
        frames = request.range
        source = Source(
            self._folders.admit(absolute_path(request.path, "media"), "media"),
            request.stream_index,
            rate_from_message(request.sequence_rate),
            frames.start_frame,
            frames.frame_count if frames.HasField("frame_count") else None,
            frames.handle_frame_count,
        )
        session = self._book.open(
            source,
            title=" ".join(request.title.split()),
            prompt_frame=request.prompt_frame if request.HasField("prompt_frame") else None,
            fresh=request.fresh,
        )
        return picker_pb2.OpenSessionResponse(session=self._message(session))

    def GetSession(
        self, request: picker_pb2.GetSessionRequest, context: grpc.ServicerContext
    ) -> picker_pb2.GetSessionResponse:
        session = self._find(request.session)
        _, tracks = session.state.tracks.all()
        return picker_pb2.GetSessionResponse(
            session=self._message(session), tracks=frames_of(tracks.items(), replace=True)
        )

    def ListSessions(
        self, request: picker_pb2.ListSessionsRequest, context: grpc.ServicerContext
    ) -> picker_pb2.ListSessionsResponse:
        return picker_pb2.ListSessionsResponse(
            sessions=[self._message(self._book.find(known)) for known in self._book.ids()]
        )

    def CloseSession(
        self, request: picker_pb2.CloseSessionRequest, context: grpc.ServicerContext
    ) -> picker_pb2.CloseSessionResponse:
        return picker_pb2.CloseSessionResponse(session=self._message(self._book.close(session_id(request.session))))

    def DeleteSession(
        self, request: picker_pb2.DeleteSessionRequest, context: grpc.ServicerContext
    ) -> picker_pb2.DeleteSessionResponse:
        self._book.delete(session_id(request.session))
        return picker_pb2.DeleteSessionResponse()

    def WatchSession(
        self, request: picker_pb2.WatchSessionRequest, context: grpc.ServicerContext
    ) -> Iterator[picker_pb2.WatchSessionResponse]:
        session = self._find(request.session)
        version, tracks = session.state.tracks.all()
        yield picker_pb2.WatchSessionResponse(session=self._message(session))
        for track in frames_of(tracks.items(), replace=True):
            yield picker_pb2.WatchSessionResponse(track=track)
        jobs: dict[str, int] = {}
        known = (session.state.revision, session.work.status)
        while context.is_active():
            changed = list(self._changed_jobs(session, jobs))
            if changed or (session.state.revision, session.work.status) != known:
                known = (session.state.revision, session.work.status)
                yield picker_pb2.WatchSessionResponse(session=self._message(session))
            version, tracks = session.state.tracks.changes(version)
            for track in frames_of(tracks.items(), replace=False):
                yield picker_pb2.WatchSessionResponse(track=track)
            yield from changed
            self._wait(session, known, version)

    def _wait(self, session: PickSession, known: tuple[int, object], version: int) -> None:
        """Waits for a change, and a little longer, so that many small ones are told together."""
        with session.state.changed:
            session.state.changed.wait_for(
                lambda: (
                    (session.state.revision, session.work.status) != known or session.state.tracks.version != version
                ),
                _WATCH_SECONDS,
            )
        time.sleep(_WATCH_SECONDS / 2)
        self._find(f"sessions/{session.session_id}")  # a deleted one is watched no more

    def _changed_jobs(
        self, session: PickSession, versions: dict[str, int]
    ) -> Iterator[picker_pb2.WatchSessionResponse]:  # fmt: skip
        """Jobs that have changed: each that is at work, and the newest."""
        for place, row in enumerate(session.state.store.takes()):
            version = versions.get(row.job_id, -1 if place else 0)
            record = self._takes.newer(row.job_id, version)
            if record is None:
                continue
            versions[row.job_id] = record.version
            if version >= 0 or not record.state.ended:
                yield picker_pb2.WatchSessionResponse(job=job_without_spec(record))

    def GetSessionFrame(
        self, request: picker_pb2.GetSessionFrameRequest, context: grpc.ServicerContext
    ) -> picker_pb2.GetSessionFrameResponse:
        session = self._find(request.session)
        session.state.check_frame(request.frame)
        with session.open_clip() as clip:
            picture = clip.picture(request.frame, _height(request.max_height))
        return picker_pb2.GetSessionFrameResponse(picture=_encoded(picture, request.encoding, request.frame))

    def PrepareFrame(
        self, request: picker_pb2.PrepareFrameRequest, context: grpc.ServicerContext
    ) -> picker_pb2.PrepareFrameResponse:
        self._find(request.session).prompting.prepare(request.frame)
        return picker_pb2.PrepareFrameResponse()

    def PutObject(
        self, request: picker_pb2.PutObjectRequest, context: grpc.ServicerContext
    ) -> picker_pb2.PutObjectResponse:
        session = self._find(request.session)
        number = session.state.put_object(object_from_message(request.object))
        return picker_pb2.PutObjectResponse(session=self._message(session), object_id=number)

    def DeleteObject(
        self, request: picker_pb2.DeleteObjectRequest, context: grpc.ServicerContext
    ) -> picker_pb2.DeleteObjectResponse:
        session = self._find(request.session)
        session.state.delete_object(request.object_id)
        return picker_pb2.DeleteObjectResponse(session=self._message(session))

    def PutPrompt(
        self, request: picker_pb2.PutPromptRequest, context: grpc.ServicerContext
    ) -> picker_pb2.PutPromptResponse:
        session = self._find(request.session)
        session.state.check_frame(request.prompt.frame)
        said = said_from_message(request, _base(session, request), admit=self._folders.admit)
        answered = session.prompting.say(said)
        return picker_pb2.PutPromptResponse(
            candidates=map(candidate_to_message, answered.candidates),
            engine=answered.engine,
            prompted=without_base(answered.prompted),
            revision=session.state.revision,
        )

    def ClearPrompt(
        self, request: picker_pb2.ClearPromptRequest, context: grpc.ServicerContext
    ) -> picker_pb2.ClearPromptResponse:
        session = self._find(request.session)
        session.prompting.clear(request.object_id, request.frame)
        return picker_pb2.ClearPromptResponse(session=self._message(session))

    def ChooseCandidate(
        self, request: picker_pb2.ChooseCandidateRequest, context: grpc.ServicerContext
    ) -> picker_pb2.ChooseCandidateResponse:
        session = self._find(request.session)
        prompted = session.prompting.choose(request.object_id, request.frame, request.chosen)
        return picker_pb2.ChooseCandidateResponse(prompted=without_base(prompted), revision=session.state.revision)

    def PutRange(
        self, request: picker_pb2.PutRangeRequest, context: grpc.ServicerContext
    ) -> picker_pb2.PutRangeResponse:
        frames = request.range
        count = frames.frame_count if frames.HasField("frame_count") else None
        wanted = session_id(request.session)
        session = self._book.set_range(wanted, frames.start_frame, count, frames.handle_frame_count)
        return picker_pb2.PutRangeResponse(session=self._message(session))

    def PutSettings(
        self, request: picker_pb2.PutSettingsRequest, context: grpc.ServicerContext
    ) -> picker_pb2.PutSettingsResponse:
        session = self._find(request.session)
        check_settings(request.settings)
        self._takes.check_engines(request.settings)
        session.state.set_settings(request.settings)
        return picker_pb2.PutSettingsResponse(session=self._message(session))

    def Propagate(
        self, request: picker_pb2.PropagateRequest, context: grpc.ServicerContext
    ) -> picker_pb2.PropagateResponse:
        session = self._find(request.session)
        if request.direction not in _DIRECTIONS:
            raise InputError(f"direction {request.direction} is not known; give FORWARD, BACKWARD or BOTH")
        from_frame = request.from_frame if request.HasField("from_frame") else None
        if from_frame is not None:
            session.state.check_frame(from_frame)
        object_ids = frozenset(request.object_ids or session.state.visible())
        session.work.propagate(Wanted(object_ids, _DIRECTIONS[request.direction], from_frame))
        return picker_pb2.PropagateResponse(session=self._message(session))

    def FindShadows(
        self, request: picker_pb2.FindShadowsRequest, context: grpc.ServicerContext
    ) -> picker_pb2.FindShadowsResponse:
        session = self._find(request.session)
        session.work.find_shadows()
        return picker_pb2.FindShadowsResponse(session=self._message(session))

    def StopRun(self, request: picker_pb2.StopRunRequest, context: grpc.ServicerContext) -> picker_pb2.StopRunResponse:
        session = self._find(request.session)
        session.work.stop()
        return picker_pb2.StopRunResponse(session=self._message(session))

    def GetMask(self, request: picker_pb2.GetMaskRequest, context: grpc.ServicerContext) -> picker_pb2.GetMaskResponse:
        session = self._find(request.session)
        revision = session.state.tracks.shown(request.object_id, request.frame).revision
        mask = session.views.mask(request.object_id, request.frame)
        return picker_pb2.GetMaskResponse(png=encode_mask(mask), revision=revision)

    def GetMatte(
        self, request: picker_pb2.GetMatteRequest, context: grpc.ServicerContext
    ) -> picker_pb2.GetMatteResponse:
        matte = self._find(request.session).views.matte(
            request.frame,
            grow_px=request.grow_px if request.HasField("grow_px") else None,
            feather_px=request.feather_px if request.HasField("feather_px") else None,
            with_shadow=request.with_shadow if request.HasField("with_shadow") else None,
        )
        return picker_pb2.GetMatteResponse(png=encode_png(matte))

    def GetUnseen(
        self, request: picker_pb2.GetUnseenRequest, context: grpc.ServicerContext
    ) -> picker_pb2.GetUnseenResponse:
        png, job = self._takes.unseen(self._find(request.session), request.frame)
        return picker_pb2.GetUnseenResponse(png=png, job=f"jobs/{job}")

    def EstimateTake(
        self, request: picker_pb2.EstimateTakeRequest, context: grpc.ServicerContext
    ) -> picker_pb2.EstimateTakeResponse:
        return self._takes.estimate(self._find(request.session))

    def SubmitPreview(
        self, request: picker_pb2.SubmitPreviewRequest, context: grpc.ServicerContext
    ) -> picker_pb2.SubmitPreviewResponse:
        session = self._find(request.session)
        record = self._takes.preview(session, self._maker(session), request)
        return picker_pb2.SubmitPreviewResponse(job=job_to_message(record))

    def SubmitTake(
        self, request: picker_pb2.SubmitTakeRequest, context: grpc.ServicerContext
    ) -> picker_pb2.SubmitTakeResponse:
        session = self._find(request.session)
        record = self._takes.submit(session, self._maker(session), request)
        return picker_pb2.SubmitTakeResponse(job=job_to_message(record))

    def CancelTake(
        self, request: picker_pb2.CancelTakeRequest, context: grpc.ServicerContext
    ) -> picker_pb2.CancelTakeResponse:
        record = self._takes.cancel(self._find(request.session), job_id(request.job))
        return picker_pb2.CancelTakeResponse(job=job_without_spec(record))

    def ResumeTake(
        self, request: picker_pb2.ResumeTakeRequest, context: grpc.ServicerContext
    ) -> picker_pb2.ResumeTakeResponse:
        record = self._takes.resume(self._find(request.session), job_id(request.job))
        return picker_pb2.ResumeTakeResponse(job=job_without_spec(record))

    def GetTakeFrame(
        self, request: picker_pb2.GetTakeFrameRequest, context: grpc.ServicerContext
    ) -> picker_pb2.GetTakeFrameResponse:
        session = self._find(request.session)
        height = _height(request.max_height)
        picture = self._takes.picture(
            session, job_id(request.job), request.frame, max_height=height, open_media=self._clips.opened
        )
        return picker_pb2.GetTakeFrameResponse(picture=_encoded(picture, request.encoding, request.frame))

    def _find(self, name: str) -> PickSession:
        return self._book.find(session_id(name))

    def _maker(self, session: PickSession) -> TakeMaker:
        return TakeMaker(session, self._book.folder(session.session_id))

    def _message(self, session: PickSession) -> picker_pb2.Session:
        return session_to_message(session, self._takes.records(session), _suggested(session.state.clip.media.path))


def _base(session: PickSession, request: picker_pb2.PutPromptRequest) -> bytes | None:
    """PNG of the mask that a prompt begins from; None without one."""
    object_id, frame = request.prompt.object_id or 1, request.prompt.frame
    if request.base == picker_pb2.PutPromptRequest.BASE_CURRENT:
        mask = session.views.current_mask(object_id, frame)
        return encode_mask(mask) if mask.any() else None
    if request.base == picker_pb2.PutPromptRequest.BASE_KEPT:
        kept = session.prompting.said(object_id, frame)
        return kept.prompt.mask.png if kept is not None and kept.prompt.HasField("mask") else None
    if request.base != picker_pb2.PutPromptRequest.BASE_UNSPECIFIED:
        raise InputError(f"base {request.base} is not known; give BASE_CURRENT or BASE_KEPT, or leave it out")
    return None


def _height(max_height: int) -> int:
    if max_height < 0:
        raise InputError(f"max_height = {max_height} makes no sense; give 0 or more pixels")
    return max_height


def _encoded(picture: Picture, encoding: int, frame: int) -> media_pb2.GetFrameResponse:
    data = encode_picture(picture, encoding)
    height, width = picture.shape[:2]
    if len(data) > _PICTURE_LIMIT_BYTES:
        raise InputError(
            f"frame {frame} at {width}x{height} takes {len(data) >> 20} MiB, and an answer holds"
            f" {_PICTURE_LIMIT_BYTES >> 20}; ask for JPEG, or for less with max_height"
        )
    return media_pb2.GetFrameResponse(picture=data, height=height, width=width)


def _suggested(media: Path) -> Path:
    """A place beside the media that is not taken."""
    stem = media.stem.split("%")[0].rstrip("._-") or "clean"
    names = (f"{stem}_clean{number or ''}.mov" for number in range(_SUGGESTIONS))
    found = next((media.with_name(name) for name in names if not media.with_name(name).exists()), None)
    if found is None:
        raise NotFoundError(f"{media.parent} holds {_SUGGESTIONS} clean files of {media.name}; move some away")
    return found
