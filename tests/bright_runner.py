"""A runner that a worker process can import: removals and previews by engines that work at once."""

from __future__ import annotations

from cleanplate_server.config import Settings
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.remove import preview, remove
from cleanplate_server.pipeline.spec import JobSpec, RemoveOperation, Take
from fakes import FakeEngines


def run(spec: JobSpec, ledger: Ledger, settings: Settings) -> Take:
    """Runs a removal."""
    assert isinstance(spec.operation, RemoveOperation)
    job = Job(spec, ledger, FakeEngines())
    if spec.operation.preview is not None:
        return preview(job, spec.operation, spec.operation.preview)
    return remove(job, spec.operation)
