from __future__ import annotations

import numpy as np
import pytest
from cleanplate_server.errors import DeviceMemoryError
from cleanplate_server.models.protocols import RGB, NameAnswer
from cleanplate_server.models.yielding_finder import YieldingFinder
from fakes import BrightFinder

PICTURE = np.zeros((20, 30, 3), np.float32)
PICTURE[5:15, 5:15] = 1


class Crowded(BrightFinder):
    """Fits no device."""

    def find(self, rgb: RGB, words: str) -> NameAnswer:
        raise DeviceMemoryError("the memory of cuda:0 is too small for it; set device to cpu")


def test_finder_that_fits_stays_where_it_is_and_says_nothing() -> None:
    devices: list[str] = []

    def build(device: str) -> BrightFinder:
        devices.append(device)
        return BrightFinder()

    finder = YieldingFinder(build, "cuda:0")
    assert [finder.find(PICTURE, words).remark for words in ("blob", "odd blob")] == ["", "no word for 'odd'"]
    assert devices == ["cuda:0"]
    assert finder.info.name == "bright"


def test_finder_that_runs_out_of_memory_goes_on_on_the_cpu_and_says_so() -> None:
    finder = YieldingFinder(lambda device: BrightFinder() if device == "cpu" else Crowded(), "cuda:0")
    for _ in range(2):
        answer = finder.find(PICTURE, "odd blob")
        assert len(answer.hits) == 1
        assert answer.remark == (
            "the memory of cuda:0 is too small for it; names are looked for on the CPU instead; no word for 'odd'"
        )


def test_finder_that_cannot_be_loaded_on_the_device_is_loaded_on_the_cpu() -> None:
    def build(device: str) -> BrightFinder:
        if device != "cpu":
            raise DeviceMemoryError("the memory of cuda:0 is too small for it; set device to cpu")
        return BrightFinder()

    assert YieldingFinder(build, "cuda:0").find(PICTURE, "blob").hits


def test_cpu_without_memory_is_the_end() -> None:
    with pytest.raises(DeviceMemoryError):
        YieldingFinder(lambda device: Crowded(), "cpu").find(PICTURE, "blob")
