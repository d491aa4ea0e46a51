from pathlib import Path

import numpy as np
from cleanplate_server.models.protocols import Box
from cleanplate_server.stages.composite import PlatePatch
from cleanplate_server.stages.windows import (
    MaskFiles,
    bounding_box,
    cut_windows,
    pack_alpha,
    pack_patches,
    unpack_patches,
    write_arrays,
)


def test_windows_cover_the_frames_in_both_directions() -> None:
    assert cut_windows(range(5, 15), 4) == [range(5, 9), range(9, 13), range(13, 15)]
    backward = cut_windows(range(9, 2, -1), 3)
    assert [frame for window in backward for frame in window] == [9, 8, 7, 6, 5, 4, 3]


def test_bounding_box_of_a_mask_is_the_smallest_one() -> None:
    mask = np.zeros((6, 8), bool)
    assert bounding_box(mask) is None
    mask[2, 3] = mask[4, 5] = True
    assert bounding_box(mask) == Box(3, 2, 6, 5)


def test_window_file_of_the_same_content_has_the_same_bytes(tmp_path: Path) -> None:
    arrays = pack_alpha(np.eye(9, dtype=np.float32), "3")
    write_arrays(tmp_path / "a.npz", arrays)
    write_arrays(tmp_path / "b.npz", arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_mask_files_give_back_masks_and_boxes(tmp_path: Path) -> None:
    masks = MaskFiles((7, 9))
    truth = np.zeros((3, 7, 9), bool)
    truth[0, 1:3, 2:5] = truth[2, 6, 8] = True
    arrays = {k: v for i in range(3) for k, v in pack_alpha(truth[i].astype(np.float32), str(10 + i)).items()}
    write_arrays(tmp_path / "w.npz", arrays)
    masks.add(range(10, 13), tmp_path / "w.npz")
    for i in range(3):
        assert np.array_equal(masks.mask(10 + i), truth[i])
    assert masks.box(10) == Box(2, 1, 5, 3)
    assert masks.box(11) is None
    assert not masks.mask(99).any()


def test_patches_keep_code_values_and_dtype(tmp_path: Path) -> None:
    planes = (np.arange(12, dtype=np.uint16).reshape(3, 4) * 70, np.ones((3, 2), np.uint16))
    write_arrays(tmp_path / "w.npz", pack_patches([PlatePatch(7, Box(2, 0, 6, 3), planes)]))
    (patch,) = unpack_patches(tmp_path / "w.npz")
    assert (patch.frame, patch.box) == (7, Box(2, 0, 6, 3))
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(patch.planes, planes, strict=True))
