from __future__ import annotations

import numpy as np
import pytest
from cleanplate_server.models.naming import colours


def pixel(code: str) -> np.ndarray:
    return np.array([[int(code[place : place + 2], 16) / 255 for place in (0, 2, 4)]], np.float32)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("red", "ff0000 b22222 8b0000 dc143c c0392b cd5c5c"),
        ("orange", "ffa500 ff8c00 e67e22"),
        ("yellow", "ffff00 ffd700 f1c40f"),
        ("green", "008000 00ff00 2e8b57 556b2f 9acd32"),
        ("blue", "0000ff 1e90ff 000080 4682b4 87ceeb"),
        ("purple", "800080 9932cc 8a2be2 9370db"),
        ("pink", "ffc0cb ff69b4 ff1493"),
        ("brown", "8b4513 a0522d 654321 5c4033"),
        ("white", "ffffff f5f5f5 d8d8d8"),
        ("grey", "808080 a9a9a9 696969"),
        ("black", "000000 202020 2b2b2b"),
    ],
)
def test_colour_is_named_as_people_name_it(name: str, codes: str) -> None:
    pixels = np.concatenate([pixel(code) for code in codes.split()])
    assert set(colours.basic_colours(pixels)) == {name}


def test_every_word_for_a_colour_is_one_of_the_eleven() -> None:
    eleven = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "grey", "black"}
    assert set(colours.ENGLISH.values()) == set(colours.CHINESE.values()) == eleven


def test_share_counts_the_objects_pixels_alone() -> None:
    picture = np.full((40, 60, 3), 0.5, np.float32)
    picture[:, :30] = (0.8, 0.1, 0.1)
    mask = np.zeros((40, 60), bool)
    mask[10:20, 20:40] = True
    assert colours.colour_share(picture, mask, ("red",)) == pytest.approx(0.5)
    assert colours.colour_share(picture, mask, ("red", "grey")) == 1.0
    assert colours.colour_share(picture, mask, ("blue",)) == 0.0


def test_share_of_a_large_object_is_about_that_of_all_its_pixels() -> None:
    picture = np.full((1200, 1600, 3), 0.5, np.float32)
    picture[:, :400] = (0.1, 0.1, 0.9)
    assert colours.colour_share(picture, np.ones((1200, 1600), bool), ("blue",)) == pytest.approx(0.25, abs=0.01)
