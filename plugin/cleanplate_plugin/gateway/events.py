"""Progress as events: a job's and a shot's states, with heartbeats while nothing changes."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

from cleanplate.v1 import job_pb2

from cleanplate_plugin.client import Client, ClientError, JobStream, has_ended
from cleanplate_plugin.gateway.exchange import Event
from cleanplate_plugin.gateway.latest import Latest
from cleanplate_plugin.gateway.refusals import Problem
from cleanplate_plugin.gateway.shots import ENDED, Shot
from cleanplate_plugin.gateway.wire import write_message


def job_events(client: Client, name: str, heartbeat_seconds: float) -> Generator[Event | None, None, None]:
    """A job each time that it changes, until it has ended.

    Args:
        client: of the server.
        name: ``jobs/ID``.
        heartbeat_seconds: None is given when nothing has changed so long.

    Raises:
        ClientError: no such job; before the first event.
    """
    client.job(name)
    return _followed(client, name, heartbeat_seconds)


def _followed(client: Client, name: str, heartbeat_seconds: float) -> Generator[Event | None, None, None]:
    stream = client.open_watch(name)
    latest: Latest[job_pb2.Job | ClientError] = Latest()
    reader = threading.Thread(target=_read, args=(stream, latest), name="watch")
    reader.start()
    try:
        seen, last = 0, False
        while not last:
            seen, found, last = latest.wait(seen, heartbeat_seconds)
            yield _job_event(found) if found is not None else None
    finally:
        stream.cancel()
        reader.join()


def _read(stream: JobStream, latest: Latest[job_pb2.Job | ClientError]) -> None:
    try:
        for job in stream:
            latest.put(job)
    except ClientError as error:
        latest.put(error)
    finally:
        latest.close()


def _job_event(found: job_pb2.Job | ClientError) -> Event:
    if isinstance(found, ClientError):
        return Event("failure", Problem.of(found).to_json())
    return Event("job", write_message(found), last=has_ended(found))


def shot_events(shots: Iterator[Shot | None]) -> Generator[Event | None, None, None]:
    """A shot's states as events."""
    for shot in shots:
        yield Event("shot", write_message(shot), last=shot.state in ENDED) if shot is not None else None
