"""Region normalisation beyond its cases: what it promises of statistics, sizes and files."""

from __future__ import annotations

import pytest
import torch
from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.region_norm import (
    RegionNormBasic,
    RegionNormGenerator,
    Statistics,
    normalise_regions,
)
from parity_networks.case import OWN_CASES, CaseFolder


@pytest.fixture(scope="module")
def generator() -> RegionNormGenerator:
    torch.manual_seed(0)
    return RegionNormGenerator().eval()


def maps_and_hole() -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(1)
    hole = torch.zeros(2, 1, 9, 12)
    hole[0, :, 2:6, 3:8] = 1
    hole[1, :, 4:9, 0:4] = 1
    return torch.randn(2, 3, 9, 12, generator=chance) * 5 + 7, hole


def test_regions_each_have_mean_0_and_deviation_1_in_every_frame() -> None:
    maps, hole = maps_and_hole()
    normal = normalise_regions(maps, hole, "frame")
    for frame, inside in zip(normal, hole[:, 0] > 0, strict=True):
        for region in (inside, ~inside):
            torch.testing.assert_close(frame[:, region].mean(1), torch.zeros(3), atol=1e-5, rtol=0)
            torch.testing.assert_close(frame[:, region].std(1, correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_region_is_not_changed_by_the_other_one() -> None:
    maps, hole = maps_and_hole()
    other = torch.where(hole > 0, maps * 100, maps)
    torch.testing.assert_close(
        normalise_regions(maps, hole) * (1 - hole), normalise_regions(other, hole) * (1 - hole), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("statistics", ["batch", "frame"])
def test_normalisation_without_a_hole_or_with_nothing_else_is_plain(statistics: Statistics) -> None:
    maps, hole = maps_and_hole()
    axes = (0, 2, 3) if statistics == "batch" else (2, 3)
    expected = (maps - maps.mean(axes, keepdim=True)) / maps.std(axes, correction=0, keepdim=True)
    for region in (torch.zeros_like(hole), torch.ones_like(hole)):
        torch.testing.assert_close(normalise_regions(maps, region, statistics), expected, atol=1e-5, rtol=0)


def test_frames_own_statistics_make_them_independent_and_those_of_the_batch_do_not() -> None:
    maps, hole = maps_and_hole()
    alone, together = normalise_regions(maps[:1], hole[:1], "frame"), normalise_regions(maps, hole, "frame")
    torch.testing.assert_close(alone, together[:1], atol=1e-6, rtol=0)
    assert (normalise_regions(maps[:1], hole[:1]) - normalise_regions(maps, hole)[:1]).abs().max() > 0.01


@pytest.mark.parametrize(("statistics", "inside", "outside"), [("batch", 3.0, 3.0), ("frame", 1.0, 2.0)])
def test_shifts_are_added_everywhere_or_each_in_its_region(
    statistics: Statistics, inside: float, outside: float
) -> None:
    maps, hole = maps_and_hole()
    norm = RegionNormBasic(3, statistics=statistics)
    with torch.no_grad():
        norm.foreground_beta.fill_(1.0)
        norm.background_beta.fill_(2.0)
        shift = norm(maps, hole) - normalise_regions(maps, hole, statistics)
    expected = torch.where(hole > 0, inside, outside).expand_as(shift)
    torch.testing.assert_close(shift, expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_picture_is_painted_at_its_size_and_without_a_look_inside_the_hole(generator: RegionNormGenerator) -> None:
    rgb, hole = torch.rand(1, 3, 20, 28), torch.zeros(1, 1, 20, 28)
    hole[:, :, 5:12, 8:19] = 1
    painted = generator(rgb, hole)
    assert painted.shape == rgb.shape
    assert 0 <= painted.min() <= painted.max() <= 1
    assert torch.equal(painted, generator(torch.where(hole > 0, torch.nan, rgb), hole))


@pytest.mark.parametrize("size", [(20, 30), (21, 28), (8, 28)])
def test_picture_of_an_unusable_size_is_refused(generator: RegionNormGenerator, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"multiples of 4 px and at least 12 px, not {size[1]} x {size[0]}"):
        generator(torch.zeros(1, 3, *size), torch.zeros(1, 1, *size))


def test_published_file_with_its_training_partners_loads_and_an_incomplete_one_does_not(
    generator: RegionNormGenerator,
) -> None:
    state = CaseFolder.read("region_norm", OWN_CASES / "region_norm").state()
    whole = {f"generator.module.{name}": value for name, value in state.items()}
    generator.load_published({**whole, "discriminator.module.conv1.0.bias": torch.zeros(64)})
    assert torch.equal(generator.encoder_conv1.weight, state["encoder_conv1.weight"])
    generator.load_published(state)
    whole.pop("generator.module.decoder.9.bias")
    with pytest.raises(RuntimeError, match="Missing key"):
        generator.load_published(whole)
