from __future__ import annotations

import numpy as np
import pytest
import torch
from cleanplate_server.errors import DeviceMemoryError, MaskError
from cleanplate_server.models.networks.sam.folders import load_tracks
from cleanplate_server.models.networks.sam.library import Tracks
from cleanplate_server.models.networks.sam.propagator import SamPropagator, choose_keys
from cleanplate_server.models.protocols import EngineInfo, Key
from fakes import ArrayFrames
from sam_networks import write_folder

INFO = EngineInfo("sam-tiny")
SIZE = (40, 60)


@pytest.fixture(scope="module", params=["sam2.1", "sam3"])
def tracks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tracks:
    return load_tracks(request.param, write_folder(request.param, tmp_path_factory.mktemp("weights")), device="cpu")


def a_shot(count: int) -> ArrayFrames:
    return ArrayFrames(np.random.default_rng(7).random((count, *SIZE, 3), dtype=np.float32), first=100)


def a_key(frame: int, object_id: int = 1, left: int = 10) -> Key:
    mask = np.zeros(SIZE, np.bool_)
    mask[10:30, left : left + 20] = True
    return Key(frame, object_id, mask)


@pytest.mark.parametrize("direction", [1, -1])
def test_walk_goes_on_identically_from_saved_state(tracks: Tracks, direction: int) -> None:
    frames = a_shot(24)
    walk = list(frames.frames)[::direction]
    keys = [a_key(walk[0]), a_key(walk[0], 2, left=35), a_key(walk[-1], left=20)]
    tracker = SamPropagator(tracks, INFO).follow(frames, keys, keys[:2])
    for frame in walk[1:18]:
        tracker.step(frame)
    saved = tracker.save()
    expected = [tracker.step(frame) for frame in walk[18:22]]
    again = SamPropagator(tracks, INFO).follow(frames, keys, keys[:2], saved)
    assert all(np.array_equal(again.step(f), before) for f, before in zip(walk[18:22], expected, strict=True))
    assert expected[0].shape == (2, *SIZE)
    assert expected[0].dtype == np.float32


def test_memory_does_not_grow_once_the_reach_of_the_network_is_full(tracks: Tracks) -> None:
    frames = a_shot(22)
    tracker = SamPropagator(tracks, INFO).follow(frames, [a_key(100)], [a_key(100)])
    sizes = [len(tracker.save()) for frame in frames.frames[1:] if tracker.step(frame) is not None]
    assert len(set(sizes[15:])) == 1
    assert sizes[3] < sizes[15]


def test_what_is_forgotten_changes_nothing(tracks: Tracks) -> None:
    frames, key = a_shot(24), a_key(100)
    bounded = SamPropagator(tracks, INFO).follow(frames, [key], [key])
    whole = SamPropagator(Tracks(**vars(tracks) | {"memory_frames": 99, "pointer_frames": 99}), INFO)
    unbounded = whole.follow(frames, [key], [key])
    for frame in frames.frames[1:]:
        assert np.array_equal(bounded.step(frame), unbounded.step(frame))


@pytest.mark.parametrize("direction", [1, -1])
def test_frame_by_frame_gives_what_the_library_gives_with_the_whole_clip_in_memory(
    tracks: Tracks, direction: int
) -> None:
    side, clip = tracks.look.side_px, np.random.default_rng(3)
    pictures = clip.integers(0, 256, (24, side, side, 3), dtype=np.uint8)
    mask = np.zeros((side, side), np.bool_)
    mask[10:30, 20:44] = True
    first = 4 if direction > 0 else 20
    frames = ArrayFrames(pictures.astype(np.float32) / 255)
    tracker = SamPropagator(tracks, INFO).follow(frames, [Key(first, 1, mask)], [Key(first, 1, mask)])
    expected = whole_clip(tracks, pictures, mask, first, reverse=direction < 0)
    for frame in range(first + direction, 24 if direction > 0 else -1, direction):
        assert np.allclose(tracker.step(frame)[0], expected[frame], atol=1e-3), frame


def whole_clip(
    tracks: Tracks, pictures: np.ndarray, mask: np.ndarray, first: int, *, reverse: bool
) -> dict[int, np.ndarray]:
    """Probabilities by frame, by the library's own way through a clip."""
    clip = torch.cat([tracks.look.prepare(torch.from_numpy(picture)) for picture in pictures])
    session = tracks.begin(video=clip, video_height=mask.shape[0], video_width=mask.shape[1], dtype=torch.float32)
    session.add_mask_inputs(session.obj_id_to_idx(1), first, torch.from_numpy(mask)[None, None].float())
    session.obj_with_new_inputs = [1]
    tracks.network(inference_session=session, frame_idx=first)
    walk = tracks.network.propagate_in_video_iterator(session, start_frame_idx=first, reverse=reverse)
    logits = {found.frame_idx: found.pred_masks.float() for found in walk}
    size = mask.shape
    return {
        frame: torch.nn.functional.interpolate(each, size=size, mode="bilinear").sigmoid()[0, 0].numpy()
        for frame, each in logits.items()
    }


def test_further_key_changes_what_is_found(tracks: Tracks) -> None:
    frames, start = a_shot(6), a_key(100)
    alone = SamPropagator(tracks, INFO).follow(frames, [start], [start]).step(101)
    both = SamPropagator(tracks, INFO).follow(frames, [start, a_key(105, left=30)], [start]).step(101)
    assert not np.array_equal(alone, both)


def test_object_is_found_alike_whether_others_are_followed_beside_it_or_not(tracks: Tracks) -> None:
    frames, keys = a_shot(4), [a_key(100), a_key(100, 2, left=35)]
    together = SamPropagator(tracks, INFO).follow(frames, keys, keys)
    alone = SamPropagator(tracks, INFO).follow(frames, keys[1:], keys[1:])
    for frame in (101, 102, 103):
        assert np.array_equal(together.step(frame)[1], alone.step(frame)[0])


def test_nearest_keys_of_the_object_are_learned_and_no_more_than_three_beside_the_start() -> None:
    keys = [a_key(frame) for frame in (100, 103, 110, 150, 190)] + [a_key(104, 2)]
    assert [key.frame for key in choose_keys(keys, keys[2])] == [110, 103, 100, 150]


def test_single_pixel_is_still_an_object_in_the_small_square(tracks: Tracks) -> None:
    mask = np.zeros((200, 300), np.bool_)
    mask[77, 133] = True
    frames = ArrayFrames(np.zeros((2, 200, 300, 3), np.float32))
    tracker = SamPropagator(tracks, INFO).follow(frames, [Key(0, 1, mask)], [Key(0, 1, mask)])
    assert np.isfinite(tracker.step(1)).all()


def test_empty_key_is_refused(tracks: Tracks) -> None:
    empty = Key(100, 1, np.zeros(SIZE, np.bool_))
    with pytest.raises(MaskError, match="key on frame 100 is empty"):
        SamPropagator(tracks, INFO).follow(a_shot(2), [empty], [empty])


def test_crowded_gpu_is_told_with_frame_and_remedy(tracks: Tracks) -> None:
    class FullFrames(ArrayFrames):
        def rgb(self, frame: int, box: object = None) -> np.ndarray:
            if frame == 101:
                raise torch.OutOfMemoryError
            return super().rgb(frame, box)

    frames = FullFrames(np.zeros((3, *SIZE, 3), np.float32), first=100)
    tracker = SamPropagator(tracks, INFO).follow(frames, [a_key(100)], [a_key(100)])
    with pytest.raises(DeviceMemoryError, match=r"at frame 101 .*propagator=embedded"):
        tracker.step(101)
