from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate_plugin.documents.edl import EdlDocument
from cleanplate_plugin.errors import StaleClipError, TimelineError
from cleanplate_plugin.timeline import Refusal, SourceMedia, Span, Take, Use, settle

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "timelines"
NTSC = Fraction(1000, 1001)
R24 = Fraction(24)
HOUR = 86400
"""In frames of 24."""

CUTS = """TITLE: cuts
FCM: NON-DROP FRAME

001  A001     V     C        01:00:04:00 01:00:05:00 10:00:00:00 10:00:01:00
* FROM CLIP NAME: A001_C001.mov
* SOURCE FILE: /media/A001_C001.mov
* LOC: 10:00:00:10 RED  a note
002  B002     AA/V  C        01:00:10:00 01:00:11:00 10:00:01:00 10:00:02:00
* FROM CLIP NAME: B002
003  BL       V     C        00:00:00:00 00:00:01:00 10:00:02:00 10:00:03:00
004  A001     A     C        01:00:04:00 01:00:05:00 10:00:03:00 10:00:04:00
005  A001     V     C        01:00:20:00 01:00:21:00 10:00:03:00 10:00:04:00
* FROM CLIP NAME: A001_C001.mov
"""

DISSOLVE = """TITLE: dissolve
001  A001     V     C        01:00:04:00 01:00:05:00 01:00:00:00 01:00:01:00
* FROM CLIP NAME: one
002  A001     V     C        01:00:05:00 01:00:05:00 01:00:01:00 01:00:01:00
002  B002     V     D    012 01:00:10:00 01:00:12:00 01:00:01:00 01:00:03:00
* FROM CLIP NAME: one
* TO CLIP NAME: two
"""


def _open(tmp_path: Path, text: str, rate: Fraction = R24) -> EdlDocument:
    path = tmp_path / "cut.edl"
    path.write_bytes(text.encode())
    return EdlDocument.open(path, rate)


def _items(document: EdlDocument) -> list[Use]:
    return [item for item in document.items() if isinstance(item, Use)]


def _settled(use: Use) -> Use:
    return settle(
        use, HOUR, file_frame_count=2000, file_rate=use.media.rate, file_drop_frame=use.media.drop_frame
    )  # fmt: skip


def _take(use: Use, *, handles: int = 12, stem: str = "A_cp001") -> Take:
    needed = use.source_span()
    start = needed.start_frame - handles
    media = SourceMedia(
        Path(f"/takes/{stem}.mov"), use.media.rate, use.media.start_frame + start, needed.frame_count + 2 * handles
    )
    return Take(media, start, stem, {"operation": "remove"})


def _saved(document: EdlDocument, tmp_path: Path) -> str:
    document.save(tmp_path / "new.edl")
    return (tmp_path / "new.edl").read_bytes().decode()


def test_open_counts_sources_by_timecode_and_record_from_the_first_event(tmp_path: Path) -> None:
    document = _open(tmp_path, CUTS)

    one, two, three = _items(document)
    assert (document.name, document.start_frame, document.drop_frame) == ("cuts", 10 * HOUR, False)
    assert (one.name, one.record_span, one.source_frame(0)) == ("A001_C001.mov", Span(0, 24), HOUR + 96)
    assert one.media == SourceMedia(Path("/media/A001_C001.mov"), R24, start_known=False, counts_timecode=True)
    assert (two.name, two.media.path) == ("B002", None)
    assert (three.record_start, three.name) == (72, one.name)
    assert _settled(one).source_span() == Span(96, 24)


def test_open_without_a_rate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.edl").write_text(CUTS)

    with pytest.raises(TimelineError, match=r"cut\.edl is an EDL, which states no frame rate; give it, such as --rate"):
        EdlDocument.open(tmp_path / "cut.edl")


def test_open_dissolve_gives_both_clips_their_mixed_frames(tmp_path: Path) -> None:
    one, two = _items(_open(tmp_path, DISSOLVE))

    assert (one.name, one.tail_frames, one.source_span()) == ("one", 12, Span(HOUR + 96, 36))
    assert (two.name, two.fade_in_frames, two.source_span()) == ("two", 12, Span(HOUR + 240, 48))


@pytest.mark.parametrize(
    ("text", "rate", "start", "first", "drop_frame"),
    [
        ("01:00:59;28 01:01:00;04 01:00:00;00 01:00:00;04", 30 * NTSC, 107892, 109690, True),
        ("01:00:59:28 01:01:00:02 01:00:00:00 01:00:00:04", 30 * NTSC, 108000, 109798, False),
        ("01:00:00:00 01:00:00:04 01:00:00:00 01:00:00:04", 60 * NTSC, 216000, 216000, False),
    ],
)
def test_open_drop_frame_is_told_by_the_timecode(
    tmp_path: Path, text: str, rate: Fraction, start: int, first: int, *, drop_frame: bool
) -> None:
    document = _open(tmp_path, f"001  A  V  C  {text}\n", rate)

    (use,) = document.items()
    assert isinstance(use, Use), use.reason
    assert (document.start_frame, use.source_frame(0), document.drop_frame) == (start, first, drop_frame)


def test_open_fcm_says_drop_frame_for_plain_timecodes(tmp_path: Path) -> None:
    text = "FCM: DROP FRAME\n001  A  V  C  01:00:00:00 01:00:00:04 01:00:00:00 01:00:00:04\n"

    assert _open(tmp_path, text, 30 * NTSC).start_frame == 107892
    with pytest.raises(TimelineError, match="drop-frame, which 25 frames a second do not have"):
        _open(tmp_path, text, Fraction(25))


@pytest.mark.parametrize(
    ("speed", "out", "expected"),
    [
        ("012.0", "01:00:04:12", [96, 96, 97]),
        ("048.0", "01:00:06:00", [96, 98, 100]),
        ("-024.0", "01:00:05:00", [119, 118, 117]),
        ("000.0", "01:00:04:01", [96, 96, 96]),
    ],
)
def test_open_speed_lines_say_which_frames_are_shown(
    tmp_path: Path, speed: str, out: str, expected: list[int]
) -> None:  # fmt: skip
    text = f"001  A  V  C  01:00:04:00 {out} 01:00:00:00 01:00:01:00\nM2   A  {speed}  01:00:04:00\n"

    (use,) = _open(tmp_path, text).items()

    assert isinstance(use, Use), use.reason
    assert [use.source_frame(k) - HOUR for k in range(3)] == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("001  A  V  K B  01:00:04:00 01:00:05:00 01:00:00:00 01:00:01:00", "no whole event"),
        ("001  A  V  KB  01:00:04:00 01:00:05:00 01:00:00:00 01:00:01:00", "is a key over another clip"),
        ("001  A  V  C  01:00:04:00 01:00:06:00 01:00:00:00 01:00:01:00", "48 source frames for 24 record frames"),
        ("001  A  V  C  01:00:06:00 01:00:04:00 01:00:00:00 01:00:01:00", "source out before its source in"),
        (
            "001  A  V  C  01:00:04:00 01:00:06:00 01:00:00:00 01:00:01:00\nM2 A 036.0 01:00:04:00",
            "48 source frames for 24 record frames at 150 % speed",
        ),
        (
            "001  A  V  C  01:00:04:00 01:00:05:00 01:00:00:00 01:00:01:00\nM2 A 024.0 01:00:04:00\n"
            "M2 A 012.0 01:00:04:10",
            "changes its speed",
        ),
        (
            "001  X  V  C  01:00:05:00 01:00:05:00 01:00:01:00 01:00:01:00\n"
            "001  A  V  D 012 01:00:10:00 01:00:12:00 01:00:01:00 01:00:03:00",
            "dissolves from something else",
        ),
    ],
)
def test_event_that_cannot_be_cleaned_is_refused_by_name(tmp_path: Path, text: str, reason: str) -> None:
    try:
        (item,) = _open(tmp_path, text).items()
        assert isinstance(item, Refusal)
        sentence = item.reason
        assert "'A' in event 001" in sentence
    except TimelineError as error:
        sentence = error.sentence
    assert reason in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "holds no events"),
        (b"\x00\x01" * 50, "is not written in lines"),
        (b"x" * 10_000, "is not written in lines"),
        (b"001  A  V  C  01:00:04:30 01:00:05:00 01:00:00:00 01:00:01:00", "event 001, line 1: .* beyond its limit"),
        (b"001  A  V  C  01:00:04:00 01:00:05:00 01:00:00:00", "line 1 of the EDL, .* is no whole event"),
    ],
)
def test_damaged_edl_is_refused_in_one_sentence(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "cut.edl").write_bytes(data)

    with pytest.raises(TimelineError, match=reason) as caught:
        EdlDocument.open(tmp_path / "cut.edl", R24)
    assert "\n" not in caught.value.sentence


@pytest.mark.parametrize("data", [CUTS.encode(), CUTS.replace("\n", "\r\n").encode(), CUTS.encode() + b"* caf\xe9"])
def test_save_unchanged_edl_is_byte_for_byte_the_same(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "cut.edl").write_bytes(data)

    EdlDocument.open(tmp_path / "cut.edl", R24).save(tmp_path / "new.edl")

    assert (tmp_path / "new.edl").read_bytes() == data


def test_replace_changes_the_names_and_no_timecode(tmp_path: Path) -> None:
    document = _open(tmp_path, CUTS)
    use = _settled(_items(document)[0])

    document.replace(use, _take(use))

    lines = [line for line in _saved(document, tmp_path).splitlines() if "CLEANPLATE" not in line]
    before = CUTS.splitlines()
    assert [line for line in lines if line not in before] == [
        "001  A_cp001     V     C        01:00:04:00 01:00:05:00 10:00:00:00 10:00:01:00",
        "* FROM CLIP NAME: A_cp001.mov",
        "* SOURCE FILE: /takes/A_cp001.mov",
    ]
    assert len(lines) == len(before)
    shown = _items(EdlDocument.open(tmp_path / "new.edl", R24))[0]
    assert (shown.media.path, shown.source_frame(0), shown.name) == (Path("/takes/A_cp001.mov"), 12, "A001_C001.mov")


def test_replace_event_with_sound_leaves_the_sound(tmp_path: Path) -> None:
    document = _open(tmp_path, CUTS)
    use = _settled(_items(document)[1])

    document.replace(use, _take(use, stem="B_cp001"))

    lines = [line.split() for line in _saved(document, tmp_path).splitlines() if line[:1].isdigit()]
    assert [line[:3] for line in lines] == [
        ["001", "A001", "V"],
        ["002", "B_cp001", "V"],
        ["003", "B002", "AA"],
        ["004", "BL", "V"],
        ["005", "A001", "A"],
        ["006", "A001", "V"],
    ]


def test_replace_part_numbers_later_events_on_and_restore_numbers_them_back(tmp_path: Path) -> None:
    document = _open(tmp_path, CUTS)
    use = _settled(_items(document)[0])
    document.replace(use, _take(use), Span(10, 4))
    document.replace(_settled(_items(document)[-1]), _take(_settled(_items(document)[-1])), Span(0, 4))
    text = _saved(document, tmp_path)
    assert [line[:3] for line in text.splitlines() if line[:1].isdigit()] == [f"{k:03d}" for k in range(1, 9)]
    document = EdlDocument.open(tmp_path / "new.edl", R24)
    assert [u.record_span for u in _items(document)[:3]] == [Span(0, 10), Span(10, 4), Span(14, 10)]

    assert document.restore(_items(document)[1]) == 1
    assert document.restore() == 1

    assert _saved(document, tmp_path) == CUTS


def test_replace_clip_in_a_dissolve_changes_both_events(tmp_path: Path) -> None:
    document = _open(tmp_path, DISSOLVE)
    for index in (0, 1):
        use = _settled(_items(document)[index])
        document.replace(use, _take(use, stem=f"cp{index}"))

    text = _saved(document, tmp_path)

    reels = [line.split()[1] for line in text.splitlines() if line[:1].isdigit()]
    assert reels == ["cp0", "cp0", "cp1"]
    assert [line for line in text.splitlines() if "CLIP NAME" in line] == [
        "* FROM CLIP NAME: cp0",
        "* FROM CLIP NAME: cp0",
        "* TO CLIP NAME: cp1",
    ]
    document = EdlDocument.open(tmp_path / "new.edl", R24)
    assert document.restore(_items(document)[0]) == 1
    assert [line.split()[1] for line in _saved(document, tmp_path).splitlines() if line[:1].isdigit()] == [
        "A001",
        "A001",
        "cp1",
    ]
    document.restore()
    assert _saved(document, tmp_path) == DISSOLVE


def test_replace_part_within_a_dissolve_is_widened_over_it(tmp_path: Path) -> None:
    document = _open(tmp_path, DISSOLVE)
    use = _settled(_items(document)[1])

    document.replace(use, _take(use), Span(6, 10))

    assert [u.record_span for u in _items(document)] == [Span(0, 24), Span(24, 16), Span(40, 32)]


def test_replace_with_take_that_is_too_short_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    document = _open(tmp_path, DISSOLVE)
    use = _settled(_items(document)[0])
    short = _take(replace(use, tail_frames=0), handles=0)

    with pytest.raises(TimelineError, match="clip 'one' shows"):
        document.replace(use, short)

    assert _saved(document, tmp_path) == DISSOLVE


def test_replace_taken_clip_adds_a_take(tmp_path: Path) -> None:
    document = _open(tmp_path, CUTS)
    use = _settled(_items(document)[0])
    document.replace(use, _take(use))
    original = document.original(_items(document)[0])
    assert original.source_span() == use.source_span()

    document.replace(original, _take(original, stem="A_cp002"))

    assert _items(document)[0].media.path == Path("/takes/A_cp002.mov")
    assert document.restore() == 1
    assert _saved(document, tmp_path) == CUTS


def test_replace_stale_clip_and_laying_above_are_refused(tmp_path: Path) -> None:
    document = _open(tmp_path, CUTS)
    use = _settled(_items(document)[0])

    with pytest.raises(StaleClipError, match="no longer stands"):
        document.replace(replace(use, record_start=5), _take(use))
    with pytest.raises(TimelineError, match="an EDL has one picture track"):
        document.lay_above(use, _take(use))
    with pytest.raises(TimelineError, match=r"saved as \.edl"):
        document.save(tmp_path / "cut.xml")


def test_replace_part_beyond_event_999_is_refused(tmp_path: Path) -> None:
    document = _open(tmp_path, CUTS.replace("005 ", "999 "))
    use = _settled(_items(document)[-1])

    with pytest.raises(TimelineError, match="would need event 1000"):
        document.replace(use, _take(use), Span(4, 4))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared timelines are not here")
@pytest.mark.parametrize(
    ("name", "clips"),
    [
        ("avid_example.edl", 2),
        ("dissolve_test.edl", 3),
        ("premiere_example.edl", 2),
        ("screening_example.edl", 9),
        ("speed_effects_small.edl", 5),
    ],
)
def test_shared_edls_conform_and_are_restored(tmp_path: Path, name: str, clips: int) -> None:
    document = EdlDocument.open(SHARED / name, R24)
    assert len(_items(document)) == len(document.items()) == clips
    for use in map(_settled, _items(document)):
        document.replace(use, _take(use))
    document.save(tmp_path / "new.edl")
    document = EdlDocument.open(tmp_path / "new.edl", R24)
    assert all(use.media.path == Path("/takes/A_cp001.mov") for use in _items(document))

    assert document.restore() == clips
    document.save(tmp_path / "new.edl")

    assert (tmp_path / "new.edl").read_bytes() == (SHARED / name).read_bytes()
