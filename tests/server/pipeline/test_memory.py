"""What a job says of its memory before it starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cleanplate_server.errors import StateError
from cleanplate_server.models.networks.looking_needs import looking_need
from cleanplate_server.models.protocols import EngineKind, Point, Prompt
from cleanplate_server.models.registry import EnginePlace, Registry
from cleanplate_server.models.weights import manifest_file, read_manifest
from cleanplate_server.pipeline.memory import job_memory, least_memory_bytes
from cleanplate_server.pipeline.spec import (
    FollowedObject,
    JobSpec,
    MatteOperation,
    Output,
    RemoveOperation,
    TrackOperation,
)
from cleanplate_server.service.checks import check_job
from cleanplate_server.stages.decode import probe
from media import Recipe, write_video

MIB = 1 << 20
CLICK = Prompt(0, points=(Point(8, 8),))
WEIGHTS = {"sam-vit-b": 357 * MIB, "sam-vit-h": 2445 * MIB, "aott": 22 * MIB, "maskrcnn": 170 * MIB}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mkv", Recipe(size=(48, 64), count=4))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Weights that are there as far as their size, which is all that is looked at before a job."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for row in read_manifest(manifest_file()):
        if row.name in WEIGHTS:
            with (folder / row.file).open("wb") as file:
                file.truncate(WEIGHTS[row.name])
    return Registry(EnginePlace(folder, "cpu"))


def _spec(clip: Path, **engines: str) -> JobSpec:
    chosen = {kind.replace("_", "-"): name for kind, name in engines.items()}
    return JobSpec(clip, RemoveOperation((CLICK,)), Output(clip.parent / "out.mkv"), engines=chosen)  # type: ignore[arg-type]


def test_job_of_the_embedded_engines_needs_what_every_job_needs(clip: Path, registry: Registry) -> None:
    media = probe(clip)
    assert job_memory(registry, media, _spec(clip)).host_bytes == least_memory_bytes(media)


def test_engines_work_one_after_the_other_so_the_hungriest_counts(clip: Path, registry: Registry) -> None:
    media = probe(clip)
    least = least_memory_bytes(media)
    clicks = job_memory(registry, media, _spec(clip, segmenter="sam-vit-b")).host_bytes
    follows = job_memory(registry, media, _spec(clip, propagator="aott")).host_bytes
    both = job_memory(registry, media, _spec(clip, segmenter="sam-vit-b", propagator="aott")).host_bytes
    larger = job_memory(registry, media, _spec(clip, segmenter="sam-vit-h", propagator="aott")).host_bytes
    assert least + 2 * WEIGHTS["aott"] < follows < clicks == both
    assert both + 2 * (WEIGHTS["sam-vit-h"] - WEIGHTS["sam-vit-b"]) <= larger


def test_finder_counts_where_something_is_named_or_nothing_is_said(clip: Path, registry: Registry) -> None:
    media, spec = probe(clip), _spec(clip, name_finder="maskrcnn")
    least = least_memory_bytes(media)
    assert job_memory(registry, media, spec).host_bytes == least
    for operation in (TrackOperation((Prompt(0, name="dog"),)), MatteOperation()):
        assert job_memory(registry, media, replace(spec, operation=operation)).host_bytes > least + WEIGHTS["maskrcnn"]


def test_masks_that_were_made_before_need_no_segmenter(clip: Path, registry: Registry) -> None:
    media, spec = probe(clip), _spec(clip, segmenter="sam-vit-b")
    made = replace(spec, operation=RemoveOperation((CLICK,), followed=(FollowedObject(1, clip.parent),)))
    assert job_memory(registry, media, made).host_bytes == least_memory_bytes(media)


def test_every_network_says_what_it_needs_and_more_for_larger_pictures_up_to_what_it_sees() -> None:
    kinds: tuple[EngineKind, ...] = ("segmenter", "propagator", "name-finder")
    networks = [each for each in Registry().engines() if each.kind in kinds and each.info.weights]
    assert len(networks) > 20
    for status in networks:
        told = [
            looking_need(status.kind, status.info.name, size, "balanced", device="cpu", weights_bytes=MIB).host_bytes
            for size in ((48, 64), (480, 854), (2160, 3840), (4320, 7680))
        ]
        assert told == sorted(told)
        assert told[0] > 700 * MIB
        assert told[2] == told[3] < 8 << 30


def test_gpu_takes_the_work_and_the_host_what_is_read(registry: Registry) -> None:
    host = looking_need("segmenter", "sam-vit-h", (1080, 1920), "balanced", device="cpu", weights_bytes=2445 * MIB)
    gpu = looking_need("segmenter", "sam-vit-h", (1080, 1920), "balanced", device="cuda:0", weights_bytes=2445 * MIB)
    assert host.device_bytes == 0
    assert gpu.device_bytes > 2445 * MIB
    assert gpu.host_bytes > 2 * 2445 * MIB


def test_job_that_needs_too_much_is_refused_with_the_engine_that_needs_it(clip: Path, registry: Registry) -> None:
    spec = _spec(clip, segmenter="sam-vit-h", propagator="aott")
    with pytest.raises(StateError, match=r"most of it for sam-vit-h, .*choose a lighter engine") as caught:
        check_job(spec, registry, memory_bytes=4 << 30)
    assert "\n" not in str(caught.value)
    assert check_job(_spec(clip), registry, memory_bytes=4 << 30).engine == ""
