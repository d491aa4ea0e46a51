"""``--clean-plate`` and ``--unseen`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.cli.main import run

SIZE = (72, 96)


def wall() -> np.ndarray:
    return cv2.GaussianBlur(np.random.default_rng(1).integers(60, 160, (*SIZE, 3), dtype=np.uint8), (5, 5), 0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Five frames with a disc that stands still, its masks, and frame 2 painted clean."""
    for name in ("clip", "masks", "painted"):
        (tmp_path / name).mkdir()
    for number in range(5):
        picture, mask = wall(), np.zeros(SIZE, np.uint8)
        cv2.circle(picture, (48, 36), 12, (30, 30, 230), -1)
        cv2.circle(mask, (48, 36), 14, 255, -1)
        cv2.imwrite(str(tmp_path / "clip" / f"{number:04d}.png"), picture)
        cv2.imwrite(str(tmp_path / "masks" / f"{number:04d}.png"), mask)
    cv2.imwrite(str(tmp_path / "painted" / "two.png"), wall())
    return tmp_path / "clip"


def _run(tmp_path: Path, *arguments: str | Path) -> int:
    return run(["--state-folder", str(tmp_path / "state"), *map(str, arguments)])


def test_fill_with_a_clean_plate_gives_the_painting_and_maps(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, maps = tmp_path / "out", tmp_path / "maps"
    plate = f"2@{tmp_path / 'painted' / 'two.png'}"
    arguments = ["--clean-plate", plate, "--unseen", maps, "--effort", "fast", "--json", "-o", out]
    assert _run(tmp_path, "fill", clip, tmp_path / "masks", *arguments) == 0
    job = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert job["spec"]["fill"]["clean_plates"] == [{"frame": "2", "path": plate[2:]}]
    assert (job["take"]["unseen_path"], job["take"]["unseen_share"]) == (str(maps), 0.0)
    assert len(list(maps.glob("0*.png"))) == 5
    assert (maps / "overview.png").is_file()
    for file in sorted(out.glob("*.png")):
        assert np.abs(cv2.imread(str(file)).astype(int) - wall()).mean() < 0.2
    assert np.array_equal(cv2.imread(str(out / "00002.png")), wall())


def test_remove_as_matte_with_unseen_tells_which_frame_to_paint(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--click", "0@48,36", "--deliver", "matte", "--unseen", tmp_path / "maps", "-o", tmp_path / "out"]
    assert _run(tmp_path, "remove", clip, *arguments) == 0
    output = capfd.readouterr()
    assert "no frame of the range shows" in output.err
    assert "--clean-plate 2@FILE" in output.err
    assert "filling  " not in output.err
    assert len(list((tmp_path / "maps").glob("0*.png"))) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--clean-plate", "two.png"], 2, "F@FILE"),
        (["--clean-plate", "2@none.png"], 1, "none.png for frame 2 is not there"),
        (["--clean-plate", "7@painted/two.png"], 2, "frame 7 is outside the range"),
        (["--clean-plate", "2@painted/two.png", "--clean-plate", "2@painted/two.png"], 2, "two clean plates"),
        (["--clean-plate", "2@small.png"], 2, "48x36 and the picture is 96x72"),
        (["--unseen", "clip"], 1, "holds other files"),
        (["--unseen", "nowhere/maps"], 1, "nowhere"),
        (["--unseen", "out.mkv"], 1, "cannot go to"),
    ],
)
def test_bad_request_ends_with_one_sentence_and_leaves_nothing(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("small.png", wall()[::2, ::2])
    before = {entry.name for entry in tmp_path.iterdir()}
    assert _run(tmp_path, "fill", clip, "masks", *arguments, "-o", "out.mkv") == code
    output = capfd.readouterr()
    assert words in output.err
    assert "Traceback" not in output.err
    assert (output.out, {entry.name for entry in tmp_path.iterdir()} - {"state"}) == ("", before)


def test_track_has_no_clean_plates(tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, "track", clip, "--click", "0@48,36", "--unseen", "maps", "-o", tmp_path / "out") == 2
    assert "--unseen" in capfd.readouterr().err
