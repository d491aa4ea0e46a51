"""A server whose name finder knows blobs, and the runner of its worker process, both with known answers."""

from __future__ import annotations

from pathlib import Path

from cleanplate_server.config import Settings
from cleanplate_server.jobs.process import RunnerPlace
from cleanplate_server.models.protocols import Effort, NameFinder
from cleanplate_server.models.registry import EngineStatus, Registry
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.matte import matte
from cleanplate_server.pipeline.remove import remove
from cleanplate_server.pipeline.spec import JobSpec, MatteOperation, RemoveOperation, Take, TrackOperation
from cleanplate_server.pipeline.track import track
from cleanplate_server.service.server import Server
from fakes import BrightFinder, FakeEngines


class BlobRegistry(Registry):
    """This machine's engines, and a name finder."""

    def engines(self) -> list[EngineStatus]:
        others = [status for status in super().engines() if status.kind != "name-finder"]
        return [*others, EngineStatus("name-finder", BrightFinder.info, available=True)]

    def name_finder(self, name: str = "", effort: Effort = "balanced") -> NameFinder:
        if name:
            self.check("name-finder", name)
        return BrightFinder()

    def check_words(self, words: str, name: str = "") -> None:
        if name:
            self.check("name-finder", name)
        BrightFinder.read(words)


def run(spec: JobSpec, ledger: Ledger, settings: Settings) -> Take:
    """Does a job with engines whose answers are known."""
    job = Job(spec, ledger, FakeEngines())
    match spec.operation:
        case RemoveOperation() as operation:
            return remove(job, operation)
        case TrackOperation() as operation:
            return track(job, operation)
        case MatteOperation() as operation:
            return matte(job, operation)
    raise AssertionError(f"{spec.operation} needs no prompt")


def blob_server(state_folder: Path, media_folder: Path) -> Server:
    """A server of a state folder that may use one folder."""
    flags = {"state_folder": state_folder, "allowed_folders": [media_folder], "memory_bytes": "64GiB"}
    runner = RunnerPlace("naming_server:run", Path(__file__).parent)
    return Server(Settings.load(flags, environment={}), registry=BlobRegistry(), runner=runner)
