"""Jobs that a published network fills, on tiny real media with weights of no meaning."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import EngineError
from cleanplate_server.models.memory_need import MemoryNeed
from cleanplate_server.models.networks.filling.budget import device_budget
from cleanplate_server.models.networks.filling.needs import fill_need, window_budget, window_frames
from cleanplate_server.models.networks.filling.traits import TRAITS
from cleanplate_server.models.protocols import Effort
from cleanplate_server.models.registry import EnginePlace, Registry
from cleanplate_server.pipeline.fill import fill
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.memory import job_memory, least_memory_bytes
from cleanplate_server.pipeline.spec import FillOperation, JobSpec, Output, TrackOperation
from cleanplate_server.stages.decode import Decoder, probe
from fakes import MemoryLedger
from media import Recipe, write_video
from published_files import save_files

COUNT = 3
GIB = 1 << 30


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "source.mkv", Recipe("ffv1", "yuv422p10le", count=COUNT))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (saved,) = save_files("rnot", folder)
    saved.rename(folder / "rnot.pth")
    return folder


def a_spec(clip: Path, *, engine: str = "rnot") -> JobSpec:
    media = probe(clip)
    masks = clip.parent / "masks"
    masks.mkdir()
    for frame in range(COUNT):
        mask = np.zeros(media.size, np.uint8)
        mask[10:22, 20 + frame : 34 + frame] = 255
        cv2.imwrite(str(masks / f"{frame:05d}.png"), mask)
    return JobSpec(clip, FillOperation(masks), Output(clip.parent / "out.mkv"), engines={"inpainter": engine})


def test_network_fills_the_hole_alone_and_the_manifest_names_its_licence_and_weights(
    clip: Path, weights: Path, tmp_path: Path
) -> None:
    spec = a_spec(clip)
    (tmp_path / "job").mkdir()
    job = Job(spec, MemoryLedger(tmp_path / "job"), Registry(EnginePlace(weights, "cpu")))
    assert isinstance(spec.operation, FillOperation)
    take = fill(job, spec.operation)
    with Decoder(probe(clip)) as before, Decoder(probe(take.path)) as after:
        for frame, (source, made) in enumerate(
            zip(before.plates(range(COUNT)), after.plates(range(COUNT)), strict=True)
        ):
            hole = np.zeros(probe(clip).size, np.bool_)
            hole[10:22, 20 + frame : 34 + frame] = True
            assert np.array_equal(source.planes[0][~hole], made.planes[0][~hole])
            assert not np.array_equal(source.planes[0][hole], made.planes[0][hole])
    (engine,) = json.loads(take.manifest_path.read_text())["engines"]
    assert (engine["name"], engine["licence"], engine["commercial_use"]) == ("rnot", "Apache-2.0", True)
    assert engine["weights_sha256"] == hashlib.sha256((weights / "rnot.pth").read_bytes()).hexdigest()


def test_memory_of_a_network_is_told_beside_that_of_every_job(clip: Path, weights: Path) -> None:
    spec, media = a_spec(clip), probe(clip)
    registry = Registry(EnginePlace(weights, "cpu"))
    need = job_memory(registry, media, spec)
    least = least_memory_bytes(media)
    assert least + TRAITS["rnot"].cost.window_bytes(media.size, 11) < need.host_bytes < 16 * GIB
    assert need.device_bytes == 0
    for other in (
        JobSpec(clip, spec.operation, spec.output),
        JobSpec(clip, TrackOperation(()), spec.output, engines=spec.engines),
        JobSpec(clip, spec.operation, Output(clip.parent / "out.mkv", delivery="matte"), engines=spec.engines),
    ):
        assert job_memory(registry, media, other) == MemoryNeed(least)


@pytest.mark.parametrize("name", TRAITS)
def test_window_is_told_as_no_more_than_the_budget_however_large_the_picture(name: str) -> None:
    least = fill_need(name, (240, 432), "balanced", device="cpu", weights_bytes=1 << 28).host_bytes
    for size in ((1080, 1920), (2160, 3840)):
        need = fill_need(name, size, "balanced", device="cpu", weights_bytes=1 << 28).host_bytes
        holes = size[0] * size[1] // 4 * 12 * 63
        assert least <= need < device_budget("cpu") + 3 * GIB + holes


@pytest.mark.parametrize("name", TRAITS)
def test_processor_is_shown_no_more_than_it_does_in_bearable_time(name: str) -> None:
    traits = TRAITS[name]
    efforts: tuple[Effort, ...] = ("fast", "balanced", "best")
    budgets = [window_budget(name, effort, device="cpu") for effort in efforts]
    assert budgets == sorted(budgets)
    for effort, budget in zip(efforts, budgets, strict=True):
        count = window_frames(traits, effort)
        trained = traits.cost.window_bytes(traits.sizes.padded(traits.sizes.trained), count)
        assert min(trained, device_budget("cpu")) <= budget < 6 * trained
        assert budget <= device_budget("cpu")


def test_weights_that_are_absent_are_said_with_the_command_that_gets_them(tmp_path: Path) -> None:
    registry = Registry(EnginePlace(tmp_path, "cpu"))
    for name in TRAITS:
        with pytest.raises(
            EngineError, match=rf"the inpainter '{name}' cannot run here: .*cleanplate weights"
        ) as caught:
            registry.check("inpainter", name)
        assert "'embedded' would run instead" in str(caught.value)
        assert "\n" not in str(caught.value)
