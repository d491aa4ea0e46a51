"""What happens to shots: announced, submitted, followed, checked, reported. The states themselves are the book's."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
from cleanplate.v1 import job_pb2, media_pb2, picker_pb2, shot_pb2

from cleanplate_plugin.cleaning import Cleaning, Order, Submit, media_path, needed_range, prepare, settle_use
from cleanplate_plugin.client import Client, ClientError, has_ended
from cleanplate_plugin.errors import PluginError, StaleClipError
from cleanplate_plugin.gateway.facts import FactsReaders
from cleanplate_plugin.gateway.refusals import Problem, RefusedError
from cleanplate_plugin.gateway.shots import WORKING_LIMIT, Announced, Shot, ShotBook
from cleanplate_plugin.hosts.placement import placement_of
from cleanplate_plugin.hosts.protocol import HANDLE_FRAMES
from cleanplate_plugin.takes import clip_rate

_log = logging.getLogger(__name__)

_HANDLE_LIMIT = 10_000
SESSION_SERVICE = "/cleanplate.v1.SessionService"


class Workshop:
    """Takes shots from announcement to placement.

    Args:
        client: of the server; its owner closes it.
        facts: make sense of hosts' answers.
    """

    def __init__(self, client: Client, facts: FactsReaders) -> None:
        self._client = client
        self._facts = facts
        self._book = ShotBook()
        self._naming = threading.Lock()
        self._pool = ThreadPoolExecutor(2 * WORKING_LIMIT, "shot")  # what was given up may still be ending

    def announce(self, request: shot_pb2.AnnounceShotRequest) -> Shot:
        """A host stands on a clip: it is checked against its file, which is opened for prompts.

        Raises:
            PluginError: the clip cannot be cleaned where it stands.
            ClientError: the server refuses the media, or is gone.
            RefusedError: no facts, handles that make no sense, too many shots.
        """
        handles = request.handle_frame_count if request.HasField("handle_frame_count") else HANDLE_FRAMES
        if not 0 <= handles <= _HANDLE_LIMIT:
            raise RefusedError(
                f"handle_frame_count = {handles} makes no sense; give 0 to {_HANDLE_LIMIT}",
                grpc.StatusCode.INVALID_ARGUMENT,
                reason="INVALID_HANDLES",
            )
        found = self._facts.read(request)
        clip = self._client.open_clip(media_path(found.use), sequence_rate=found.use.media.rate)
        settled = replace(found, use=settle_use(found.use, clip))
        frames = needed_range(settled.use, settled.part, handles, clip.frame_count)
        last = frames.start_frame + frames.frame_count - 1
        shot = Shot(
            host=found.host,
            clip_name=found.use.name,
            clip=clip,
            range=frames,
            prompt_frame=min(max(settled.prompt_frame, frames.start_frame), last),
        )
        shot.session = self._open_session(shot)
        return self._book.add(Announced(shot, settled.use, settled.part, found.fingerprint))

    def _open_session(self, shot: Shot) -> str:
        """Where the person prompts; what was said in an earlier announcement of the same frames is there again."""
        request = picker_pb2.OpenSessionRequest(
            path=shot.clip.path,
            sequence_rate=shot.clip.frame_rate,
            range=shot.range,
            title=shot.clip_name,
            prompt_frame=shot.prompt_frame,
        )
        answer = self._client.call(f"{SESSION_SERVICE}/OpenSession", request, picker_pb2.OpenSessionResponse)
        return answer.session.name

    def get(self, name: str) -> Shot:
        """A shot as it stands."""
        return self._book.get(name)

    def shot_of(self, session: str) -> Shot | None:
        """The shot that was last announced for a session; None without one."""
        return self._book.of_session(session)

    def watch(self, name: str, heartbeat_seconds: float) -> Iterator[Shot | None]:
        """A shot each time that it changes; None as a heartbeat."""
        return self._book.watch(self._book.find(name), heartbeat_seconds)

    def open(self, name: str) -> Shot:
        """Opens a shot's media again, which the server closes when others are used more.

        Raises:
            ClientError: the media is gone, or the server.
        """
        announced = self._book.find(name)
        return self._book.open_clip(
            announced,
            self._client.open_clip(Path(announced.shot.clip.path), sequence_rate=clip_rate(announced.shot.clip)),
        )

    def submit(self, request: shot_pb2.SubmitShotRequest) -> Shot:
        """Starts the job; a refusal leaves the shot as it was.

        Raises:
            ClientError: the server refuses the job, or is gone.
            PluginError: there is no place for the take.
            RefusedError: not the moment.
        """
        return self._start(request, None)

    def submit_session(self, session: picker_pb2.Session) -> Shot:
        """Starts the job of a session for the shot that waits for it, with the masks that were followed there.

        Raises:
            ClientError, PluginError, RefusedError: as for ``submit``.
        """
        settings = session.settings
        request = shot_pb2.SubmitShotRequest(name=session.shot.name, delivery=settings.delivery, effort=settings.effort)

        def submit(spec: job_pb2.JobSpec) -> job_pb2.Job:
            asked = picker_pb2.SubmitTakeRequest(
                session=session.name, request_id=uuid.uuid4().hex, path=spec.output.path, omit_audio=True
            )
            return self._client.call(f"{SESSION_SERVICE}/SubmitTake", asked, picker_pb2.SubmitTakeResponse).job

        return self._start(request, submit)

    def _start(self, request: shot_pb2.SubmitShotRequest, submit: Submit | None) -> Shot:
        announced = self._book.find(request.name)
        attempt = self._book.begin(announced)
        submitted: Future[None] = Future()
        try:
            with self._naming:  # two takes of one media must not get the same name
                cleaning = self._prepare(announced, request)
                done = self._pool.submit(self._work, announced, attempt, cleaning, submit, submitted)
                done.add_done_callback(lambda ended: self._note_fault(announced, attempt, submitted, ended))
                submitted.result()
        finally:
            if not submitted.done() or submitted.exception():
                self._book.take_back(announced, attempt)
        return self._book.get(request.name)

    def check(self, request: shot_pb2.CheckShotRequest) -> Shot:
        """Compares the clip with what was announced, before the host places anything.

        Raises:
            StaleClipError: it was edited since.
            RefusedError: nobody waits for the shot any more.
        """
        announced = self._book.find(request.name)
        self._book.check_open(announced)
        if self._facts.read(request).fingerprint != announced.fingerprint:
            raise StaleClipError(
                f"clip '{announced.shot.clip_name}' was edited after Cleanplate had looked at it, so nothing was"
                " placed; run Cleanplate on it again"
            )
        return self._book.get(request.name)

    def report(self, request: shot_pb2.ReportShotRequest) -> Shot:
        """Takes in what the host did; a job that nobody wants any more is stopped."""
        message = request.message
        if request.state == Shot.FAILED and not message.strip():
            message = "the editing program could not place the take and did not say why; try again from there"
        shot, unwanted = self._book.report(self._book.find(request.name), request.state, message)
        if unwanted:
            self._stop_job(unwanted)
        return shot

    def cancel(self, name: str) -> Shot:
        """Gives a shot up; one that has ended stays as it is."""
        announced = self._book.find(name)
        if self._book.get(name).state == Shot.PLACED:
            return self._book.get(name)
        given_up = f"clip '{announced.shot.clip_name}' was given up; nothing was changed"
        shot, unwanted = self._book.report(announced, Shot.CANCELLED, given_up)
        if unwanted:
            self._stop_job(unwanted)
        return shot

    def stop(self, name: str) -> Shot:
        """Stops a shot's job and keeps the shot, so that it can be submitted again with other prompts."""
        shot = self._book.get(name)
        if shot.state == Shot.WORKING and shot.job.name:
            self._stop_job(shot.job.name)
        return self._book.get(name)

    def close(self) -> None:
        """Ends every watch and waits for the threads; the client is closed before."""
        self._book.close()
        self._pool.shutdown()

    def _prepare(self, announced: Announced, request: shot_pb2.SubmitShotRequest) -> Cleaning:
        order = Order(
            prompts=tuple(request.prompts),
            delivery=request.delivery or job_pb2.DELIVERY_PLATE,
            effort=request.effort or job_pb2.EFFORT_BALANCED,
            handle_count=announced.shot.range.handle_frame_count,
            grow_px=request.grow_px if request.HasField("grow_px") else None,
            feather_px=request.feather_px if request.HasField("feather_px") else None,
            engines=tuple(request.engines),
        )
        clip = media_pb2.Clip()
        clip.CopyFrom(announced.shot.clip)
        return prepare(self._client, clip, announced.use, order, part=announced.part)

    def _work(
        self, announced: Announced, attempt: int, cleaning: Cleaning, submit: Submit | None, submitted: Future[None]
    ) -> None:  # fmt: skip
        def follow(job: job_pb2.Job) -> job_pb2.Job:
            self._book.show_job(announced, attempt, job)
            submitted.set_result(None)
            return self._follow(announced, attempt, job)

        try:
            take = cleaning.run(self._client, follow, submit)
            placement = placement_of(announced.use, announced.part, take)
        except (ClientError, PluginError) as error:
            if submitted.done():
                self._book.fail(announced, attempt, error.sentence)
            else:
                submitted.set_exception(error)
            return
        self._book.ready(announced, attempt, placement)

    def _follow(self, announced: Announced, attempt: int, job: job_pb2.Job) -> job_pb2.Job:
        stream = self._client.open_watch(job.name)
        try:
            for now in stream:
                job = now
                if not self._book.show_job(announced, attempt, job):
                    self._client.cancel(job.name)
                    break
        finally:
            stream.cancel()
        return _succeeded(job)

    def _stop_job(self, name: str) -> None:
        try:
            self._client.cancel(name)
        except ClientError as error:
            _log.warning("%s could not be stopped: %s", name, error.sentence)

    def _note_fault(self, announced: Announced, attempt: int, submitted: Future[None], ended: Future[None]) -> None:
        error = ended.exception()
        if error is None:
            return
        _log.error("a fault of the program", exc_info=error)
        if not submitted.done():
            submitted.set_exception(error)
        elif isinstance(error, Exception):
            self._book.fail(announced, attempt, Problem.of_fault(error).message)


def _succeeded(job: job_pb2.Job) -> job_pb2.Job:
    if job.state == job_pb2.Job.SUCCEEDED:
        return job
    if job.state == job_pb2.Job.FAILED:
        raise ClientError.from_status(job.error)
    why = "was stopped" if has_ended(job) else "is no longer followed"
    raise ClientError(
        f"the work {why}; the prompts are kept, start it again when you like", grpc.StatusCode.CANCELLED,
        reason="CANCELLED",
    )  # fmt: skip
