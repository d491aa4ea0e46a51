"""The oracle itself: barcodes are read exactly or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hosts.barcode import Coding, Stamp, UnreadableError, luma_of, object_at, read, read_file, write_clip
from hosts.edits import NTSC, PAL
from hosts.oracle import BLACK, assert_shows, run


@pytest.mark.parametrize(
    ("encoder", "pix_fmt", "ending"),
    [("prores_ks", "yuv422p10le", "mov"), ("libx264", "yuv420p", "mp4"), ("ffv1", "yuv420p", "mkv")],
)
def test_barcodes_in_a_usual_codec_are_read_back(tmp_path: Path, encoder: str, pix_fmt: str, ending: str) -> None:
    stamps = [Stamp(63, 1023), Stamp(0, 0, False), *(Stamp(5, frame, frame % 3 == 0) for frame in range(90, 100))]
    clip = write_clip(tmp_path / f"clip.{ending}", stamps, Coding(PAL, encoder=encoder, pix_fmt=pix_fmt))
    assert read_file(clip, failures=tmp_path) == stamps


def test_a_damaged_block_is_refused() -> None:
    luma = luma_of(Stamp(1, 7))
    luma[0:10, 16:32] = 250 - luma[0:10, 16:32]
    with pytest.raises(UnreadableError, match="checksum"):
        read(luma)


@pytest.mark.parametrize("level", [16, 128, 235])
def test_a_plain_picture_is_no_barcode(level: int) -> None:
    with pytest.raises(UnreadableError):
        read(np.full((108, 192), level, np.uint8))


def test_an_object_that_is_half_there_is_refused() -> None:
    stamp = Stamp(1, 7)
    x, y = object_at(stamp.frame)
    luma = luma_of(stamp)
    luma[:, x:] = luma_of(stamp.clean)[:, x:]
    with pytest.raises(UnreadableError, match=f"{x}, {y}"):
        read(luma)


def test_the_comparison_names_every_record_frame_that_is_wrong(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mov", run(1, 0, 5), Coding(NTSC))
    expected = run(1, 0, 5)
    assert_shows(clip, expected, tmp_path)
    with pytest.raises(AssertionError, match=r"2 of 5 record frames .* are wrong\n.* 1 .*\n.* 4 "):
        assert_shows(clip, [expected[0], expected[1].clean, *expected[2:4], BLACK], tmp_path)
    assert len(list(tmp_path.glob("unreadable*.png"))) == 2
    with pytest.raises(AssertionError, match="ends after 5 record frames of 6"):
        assert_shows(clip, [*expected, BLACK], tmp_path)
