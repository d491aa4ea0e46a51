"""Takes of sessions: ordered, followed, looked at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path

from cleanplate.v1 import job_pb2, picker_pb2

from cleanplate_server.errors import InputError, NotFoundError
from cleanplate_server.jobs.manager import JobManager
from cleanplate_server.jobs.records import JobRecord
from cleanplate_server.jobs.states import JobState
from cleanplate_server.messages.jobs import EFFORTS, engine_kind
from cleanplate_server.models.engine_choice import EngineChoice
from cleanplate_server.models.protocols import EngineKind
from cleanplate_server.models.registry import Registry
from cleanplate_server.pipeline.memory import engines_memory
from cleanplate_server.service.submitting import Submitter
from cleanplate_server.sessions.duration import estimate_seconds, measured_rate
from cleanplate_server.sessions.session import PickSession
from cleanplate_server.sessions.store import TakeRow
from cleanplate_server.sessions.takes import TakeMaker, read_picture
from cleanplate_server.stages.segment import ClipSession
from cleanplate_server.stages.viewing import Picture, shrink

OpenMedia = Callable[[Path, int, Fraction | None], AbstractContextManager[ClipSession]]


class SessionTakes:
    """Submits and shows the jobs of sessions.

    Args:
        manager: the queue.
        submitter: checks and stores jobs.
        registry: the engines.
        memory_bytes: host memory that a job may need.
    """

    def __init__(
        self, manager: JobManager, submitter: Submitter, registry: Registry, *, memory_bytes: int
    ) -> None:  # fmt: skip
        self._manager = manager
        self._submitter = submitter
        self._registry = registry
        self._memory_bytes = memory_bytes

    def records(self, session: PickSession) -> list[tuple[TakeRow, JobRecord]]:
        """The session's jobs as they stand, newest first."""
        return [(row, self._manager.get(row.job_id)) for row in session.state.store.takes()]

    def newer(self, job_id: str, version: int) -> JobRecord | None:
        """A job if it has changed since a version."""
        return self._manager.newer(job_id, version)

    def submit(self, session: PickSession, maker: TakeMaker, request: picker_pb2.SubmitTakeRequest) -> JobRecord:
        """Queues the job for the whole range."""
        asked = request.SerializeToString(deterministic=True)
        record = self._submitter.find(request.request_id, asked)
        if record is not None:
            return record
        self._let_go(session, maker)
        order = maker.take(request.path, overwrite=request.overwrite, omit_audio=request.omit_audio)
        record = self._submitter.submit(order.spec, request.request_id, asked)
        session.state.store.add_take(order.under(record.job_id))
        session.state.note_change()
        return record

    def preview(self, session: PickSession, maker: TakeMaker, request: picker_pb2.SubmitPreviewRequest) -> JobRecord:
        """Queues a job for a few frames."""
        self._let_go(session, maker)
        order = maker.preview(request.start_frame, request.frame_count)
        record = self._submitter.submit(order.spec, "", b"")
        session.state.store.add_take(order.under(record.job_id))
        session.state.note_change()
        return record

    def _let_go(self, session: PickSession, maker: TakeMaker) -> None:
        """Frees what jobs that are done needed."""
        for row, record in self.records(session):
            if record.state is JobState.SUCCEEDED:
                maker.let_go(row)

    def check_engines(self, settings: picker_pb2.TakeSettings) -> None:
        """Refuses engines that are not known or cannot run here.

        Raises:
            NotFoundError, EngineError.
        """
        for choice in settings.engines:
            self._registry.check(engine_kind(choice.kind), choice.name)

    def cancel(self, session: PickSession, job_id: str) -> JobRecord:
        """Stops a job of the session."""
        self._row(session, job_id)
        return self._manager.cancel(job_id)

    def resume(self, session: PickSession, job_id: str) -> JobRecord:
        """Queues a job of the session again."""
        self._row(session, job_id)
        return self._manager.resume(job_id)

    def picture(
        self, session: PickSession, job_id: str, frame: int, *, max_height: int, open_media: OpenMedia
    ) -> Picture:  # fmt: skip
        """A frame of a take as it would be seen on the timeline.

        Raises:
            NotFoundError: the take has no such frame, or none yet.
        """
        row = self._row(session, job_id)
        record = self._manager.get(job_id)
        if record.state is not JobState.SUCCEEDED or frame not in row.frames:
            why = "is not done yet" if record.state is not JobState.SUCCEEDED else (
                f"holds frames {row.frames.start} to {row.frames.stop - 1}"
            )  # fmt: skip
            raise NotFoundError(
                f"frame {frame} is not in the take jobs/{job_id}, which {why}; choose another frame, or wait",
                reason="NOT_IN_TAKE",
            )
        if row.preview:
            picture = read_picture(row.path / f"{frame:05d}.png")
            if picture is None:
                raise NotFoundError(f"the preview of frame {frame} is gone; make it again", reason="NOT_IN_TAKE")
            return shrink(picture, max_height)
        with open_media(row.path, 0, None) as take:
            place = frame - row.frames.start
            if picker_pb2.TakeSettings.FromString(row.settings).delivery != job_pb2.DELIVERY_PATCH:
                return take.picture(place, max_height)
            with session.open_clip() as source:
                return shrink(take.over(place, source.picture(frame)), max_height)

    def unseen(self, session: PickSession, frame: int) -> tuple[bytes, str]:
        """The map of a frame as PNG, of the newest take or preview that has one, and its job.

        Raises:
            NotFoundError: nobody has looked for it.
        """
        session.state.check_frame(frame)
        for row in session.state.store.takes():
            file = row.unseen_path / f"{frame:05d}.png"
            if file.is_file():
                return file.read_bytes(), row.job_id
        raise NotFoundError(
            f"it is not known yet what no frame shows of frame {frame}; make a preview or a take first",
            reason="NOT_LOOKED_FOR",
        )

    def estimate(self, session: PickSession) -> picker_pb2.EstimateTakeResponse:
        """What a job for the whole range would need and run."""
        media, frames = session.state.clip.media, session.state.clip.frames
        visible = session.state.visible()
        keyed = {key.object_id for key in session.state.store.key_marks() if key.object_id in visible}
        if not keyed:
            raise InputError("no object has a mask yet, so nothing can be estimated; click on the object first")
        open_count = sum(
            any(not session.state.tracks.shown(o, frame).state.is_current for o in keyed) for frame in frames
        )  # fmt: skip
        uses = self._uses(session)
        effort = session.state.settings.effort
        rate = measured_rate(self.records(session), effort)
        seconds = estimate_seconds(media.size, len(frames), open_count, effort) if rate is None else rate * len(frames)
        # every object has its mask: nothing is left to be found
        engines = [(kind, session.state.engine(kind)) for kind in _kinds(session) if kind != "segmenter"]
        needed = engines_memory(self._registry, media, EFFORTS[effort], engines).host_bytes
        return picker_pb2.EstimateTakeResponse(
            memory_bytes=needed,
            allowed_memory_bytes=self._memory_bytes,
            duration_seconds=seconds,
            duration_measured=rate is not None,
            engines=uses,
            frame_count=len(frames),
            unfollowed_frame_count=open_count,
            notes=[*_licence_notes(uses), *_shot_notes(session), *_memory_notes(needed, self._memory_bytes)],
        )

    def _uses(self, session: PickSession) -> list[job_pb2.EngineUse]:
        statuses = {(status.kind, status.info.name): status.info for status in self._registry.engines()}
        uses = []
        for kind in _kinds(session):
            info = statuses.get((kind, EngineChoice.parse(session.state.engine(kind)).name))
            if info is not None:
                uses.append(
                    job_pb2.EngineUse(
                        kind=kind, name=info.name, licence=info.licence, commercial_use=info.commercial_use
                    )
                )
        return uses

    def _row(self, session: PickSession, job_id: str) -> TakeRow:
        row = next((row for row in session.state.store.takes() if row.job_id == job_id), None)
        if row is None:
            raise NotFoundError(f"the session has no take jobs/{job_id}; choose one of its takes", reason="NO_SUCH_JOB")
        return row


def _kinds(session: PickSession) -> list[EngineKind]:
    """The kinds of engines that a take comes from, in order."""
    if session.state.settings.delivery == job_pb2.DELIVERY_MATTE:
        return ["segmenter", "propagator"]
    return ["segmenter", "propagator", "inpainter"]


def _licence_notes(uses: list[job_pb2.EngineUse]) -> list[str]:
    return [
        f"the {use.kind} '{use.name}' is under {use.licence}, which forbids commercial use;"
        " choose another for paid work"
        for use in uses
        if not use.commercial_use
    ]


def _shot_notes(session: PickSession) -> list[str]:
    keys = [key for key in session.state.store.key_marks() if key.object_id in session.state.visible()]
    return [
        f"no object has a key in the shot of frames {shot.start} to {shot.stop - 1}, so nothing changes there;"
        " click in it too if the object is there"
        for shot in session.state.shots
        if not any(key.frame in shot for key in keys)
    ]


def _memory_notes(needed: int, allowed: int) -> list[str]:
    if needed <= allowed:
        return []
    return [
        f"the job needs up to {needed / 2**30:.1f} GiB of memory and the server may use {allowed / 2**30:.1f} GiB,"
        " so it would be refused; raise the setting memory_bytes if the machine has more"
    ]
