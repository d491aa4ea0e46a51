"""From a request to the operation that it asks for."""

from __future__ import annotations

import cv2

from cleanplate_server.config import Settings
from cleanplate_server.models.registry import EnginePlace, Registry
from cleanplate_server.pipeline.fill import fill
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.matte import matte
from cleanplate_server.pipeline.remove import preview, remove
from cleanplate_server.pipeline.spec import (
    FillOperation,
    JobSpec,
    MatteOperation,
    RemoveOperation,
    Take,
    TrackOperation,
)
from cleanplate_server.pipeline.track import track


def run_job(spec: JobSpec, ledger: Ledger, settings: Settings) -> Take:
    """Runs a job to its end, or from where it was stopped before to its end.

    Raises:
        CleanplateError: every failure that a person may meet.
        JobCancelledError: from the ledger.
    """
    # Frames are filled side by side, where OpenCV's own threads only get in the way; and its flow search cuts pictures
    # into as many stripes as it has threads, so that one thread gives the same result on every machine.
    cv2.setNumThreads(1)
    job = Job(spec, ledger, Registry(EnginePlace(settings.weights_folder, settings.device)))
    match spec.operation:
        case RemoveOperation(preview=range() as frames) as operation:
            return preview(job, operation, frames)
        case RemoveOperation() as operation:
            return remove(job, operation)
        case TrackOperation() as operation:
            return track(job, operation)
        case FillOperation() as operation:
            return fill(job, operation)
        case MatteOperation() as operation:
            return matte(job, operation)
