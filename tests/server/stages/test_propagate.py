import numpy as np
from cleanplate_server.models.protocols import Key
from cleanplate_server.stages.propagate import Walk, join_directions, plan_shared_walks, plan_walks
from hypothesis import given
from hypothesis import strategies as st

MASK = np.ones((2, 2), bool)


def keys_on(*frames: int, object_id: int = 1) -> list[Key]:
    return [Key(frame, object_id, MASK) for frame in frames]


@given(st.integers(0, 50), st.integers(1, 60), st.data())
def test_walks_reach_every_frame_without_a_key_and_none_with_one(start: int, count: int, data: st.DataObject) -> None:
    shot = range(start, start + count)
    keyed = data.draw(st.sets(st.sampled_from(shot), min_size=1))
    walks = plan_walks(keys_on(*keyed), shot)
    reached = {frame for walk in walks for frame in walk.frames}
    assert reached == set(shot) - keyed
    for walk in walks:
        assert abs(walk.frames[0] - walk.starts[0].frame) == 1


def test_frames_between_two_keys_are_walked_from_both() -> None:
    walks = plan_walks(keys_on(2, 6), range(0, 9))
    assert sorted((walk.starts[0].frame, list(walk.frames)) for walk in walks) == [
        (2, [1, 0]),
        (2, [3, 4, 5]),
        (6, [5, 4, 3]),
        (6, [7, 8]),
    ]


def test_a_further_key_changes_only_the_spans_up_to_its_neighbours() -> None:
    before = {(w.starts[0].frame, w.frames) for w in plan_walks(keys_on(10, 20, 30), range(0, 40))}
    after = {(w.starts[0].frame, w.frames) for w in plan_walks(keys_on(10, 20, 25, 30), range(0, 40))}
    changed = {frame for _, frames in before ^ after for frame in frames}
    assert changed == set(range(21, 30))


def test_objects_with_the_same_span_are_followed_together_and_others_apart() -> None:
    together = plan_walks(keys_on(0) + keys_on(0, object_id=2), range(0, 5))
    assert [tuple(key.object_id for key in walk.starts) for walk in together] == [(1, 2)]
    apart = plan_walks(keys_on(0) + keys_on(3, object_id=2), range(0, 5))
    assert sorted(walk.name for walk in apart) == [
        "object-1-forward-000000",
        "object-2-backward-000003",
        "object-2-forward-000003",
    ]


Keyed = dict[int, set[int]]
"""Frames of keys by object."""


def keys_by_object(keyed: Keyed) -> list[Key]:
    return [key for object_id, frames in keyed.items() for key in keys_on(*frames, object_id=object_id)]


@given(
    st.integers(1, 40).flatmap(
        lambda count: st.tuples(
            st.just(count), st.dictionaries(st.integers(1, 4), st.sets(st.integers(0, count - 1), min_size=1))
        )
    )
)
def test_shared_walks_reach_every_object_from_the_same_keys_as_walks_apart(drawn: tuple[int, Keyed]) -> None:
    count, keyed = drawn
    keys, shot = keys_by_object(keyed), range(0, count)

    def origins(walks: list[Walk]) -> dict[tuple[int, int, int], int]:
        found = {}
        for walk in walks:
            for frame in walk.frames:
                for object_id in walk.objects_on(frame):
                    if frame not in keyed[object_id]:
                        origin = walk.origin(object_id, frame)
                        assert origin is not None
                        assert (object_id, frame, walk.frames.step) not in found
                        found[object_id, frame, walk.frames.step] = origin
        return found

    shared = plan_shared_walks(keys, shot)
    assert origins(shared) == origins(plan_walks(keys, shot))
    assert len({walk.name for walk in shared}) == len(shared)


@given(st.integers(1, 40), st.data())
def test_shared_walks_of_objects_keyed_together_are_the_walks_apart(count: int, data: st.DataObject) -> None:
    frames = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    keys = keys_on(*frames) + keys_on(*frames, object_id=2)

    def described(walks: list[Walk]) -> set[tuple[str, range, int]]:
        return {(walk.name, walk.frames, len(walk.joins)) for walk in walks}

    shot = range(0, count)
    assert described(plan_shared_walks(keys, shot)) == described(plan_walks(keys, shot))


def test_object_that_appears_later_joins_the_walk_and_is_followed_back_by_itself() -> None:
    walks = plan_shared_walks(keys_on(0) + keys_on(3, object_id=2), range(0, 6))
    forward, backward = walks
    assert list(forward.frames) == [1, 2, 3, 4, 5]
    assert [forward.objects_on(frame) for frame in forward.frames] == [(1,), (1,), (1,), (1, 2), (1, 2)]
    assert [key.object_id for key in forward.joined_on(3)] == [2]
    assert (backward.objects_on(2), list(backward.frames)) == ((2,), [2, 1, 0])
    assert forward.name.startswith("object-1-forward-000000-joined-")


def test_key_of_one_object_corrects_it_while_the_others_go_on() -> None:
    keys = keys_on(0, 4) + keys_on(0, object_id=2)
    forward, back = plan_shared_walks(keys, range(0, 8))
    assert (list(forward.frames), forward.objects_on(7)) == ([1, 2, 3, 4, 5, 6, 7], (1, 2))
    assert [forward.origin(1, frame) for frame in (3, 4, 5)] == [0, 0, 4]
    assert forward.origin(2, 7) == 0
    assert (list(back.frames), back.objects_on(1)) == ([3, 2, 1], (1,))


def test_between_keys_the_nearer_one_decides() -> None:
    yes, no = np.full((1, 1), 255, np.uint8), np.zeros((1, 1), np.uint8)
    assert join_directions(2, (0, yes), (10, no)).all()
    assert not join_directions(8, (0, yes), (10, no)).any()
    assert join_directions(8, (0, no), (10, yes)).all()


def test_beyond_the_last_key_one_direction_decides() -> None:
    assert join_directions(5, (0, np.full((1, 1), 200, np.uint8)), None).all()
    assert not join_directions(5, None, (9, np.full((1, 1), 100, np.uint8))).any()
