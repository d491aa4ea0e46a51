from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate_plugin.documents.fcpxml import open_fcpxml
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import Refusal, SourceMedia, Span, Take, Use

NTSC = Fraction(30000, 1001)
ASSET = '<asset id="a1" name="A" {src} start="3600s" duration="1001/5s" hasVideo="1" format="f1">{rep}</asset>'
OLD = ASSET.format(src='src="file:///media/A%201.mov"', rep="")
NEW = ASSET.format(src="", rep='<media-rep kind="original-media" src="file:///media/A%201.mov"/>')


def _document(spine: str, *, version: str = "1.10", assets: str = NEW) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE fcpxml>
<fcpxml version="{version}"><resources>
<format id="f1" name="FFVideoFormat1080p2997" frameDuration="1001/30000s" width="1920" height="1080"/>
<format id="f2" frameDuration="100/2500s"/><format id="f3" name="FFVideoFormatRateUndefined"/>
{assets}
<asset id="a2" name="B" src="file:///media/B.mov" start="0s" duration="100s" hasVideo="1" format="f2"/>
<asset id="a3" name="still" src="file:///media/still.png" duration="0s" hasVideo="1" format="f3"/>
<asset id="a4" name="sound" src="file:///media/sound.wav" duration="100s" hasAudio="1"/>
<effect id="e1" name="Noise" uid=".../Noise.motn"/><media id="m1" name="compound"/></resources>
<library><event name="day"><project name="Cut">
<sequence format="f1" tcStart="1801800/500s" tcFormat="DF" duration="10s"><spine>{spine}</spine></sequence>
</project></event></library></fcpxml>"""


def _frames(count: int, *, rate: Fraction = NTSC) -> str:
    seconds = count / rate
    return f"{seconds.numerator}/{seconds.denominator}s"


def _source(frame: int) -> str:
    """Time of a frame in A, whose timecode begins at an hour."""
    seconds = 3600 + frame / NTSC
    return f"{seconds.numerator}/{seconds.denominator}s"


def _clip(count: int, first: int, *, body: str = "", name: str = "A", more: str = "") -> str:
    return (
        f'<asset-clip ref="a1" name="{name}" start="{_source(first)}" duration="{_frames(count)}" {more}>'
        f"{body}</asset-clip>"
    )


def _open(tmp_path: Path, spine: str, *, version: str = "1.10", assets: str = NEW) -> OtioDocument:
    path = tmp_path / "cut.fcpxml"
    path.write_text(_document(spine, version=version, assets=assets), encoding="utf-8")
    return open_fcpxml(path)


def _uses(document: OtioDocument) -> list[Use]:
    return [item for item in document.items() if isinstance(item, Use)]


@pytest.mark.parametrize(("version", "asset"), [("1.8", OLD), ("1.9", NEW), ("1.11", NEW)])
def test_open_clip_of_each_version_counts_from_the_files_first_frame(
    tmp_path: Path, version: str, asset: str
) -> None:  # fmt: skip
    document = _open(tmp_path, _clip(60, 30), version=version, assets=asset)

    (use,) = _uses(document)
    start = round(3600 * NTSC)
    assert (use.media.path, use.media.rate, use.media.frame_count) == (Path("/media/A 1.mov"), NTSC, 6000)
    assert abs(use.media.start_frame - start) <= 1
    assert (use.record_span, use.source_span()) == (Span(0, 60), Span(30, 60))
    assert (document.name, document.rate, document.start_frame, document.drop_frame) == ("Cut", NTSC, 108000, True)


def test_open_bundle_reads_the_document_in_it(tmp_path: Path) -> None:
    bundle = tmp_path / "cut.fcpxmld"
    bundle.mkdir()
    (bundle / "Info.fcpxml").write_text(_document(_clip(60, 30)), encoding="utf-8")

    assert len(_uses(open_fcpxml(bundle))) == 1


def test_open_storyline_with_gap_and_transition(tmp_path: Path) -> None:
    gap = f'<gap duration="{_frames(10)}" start="3600s"/>'
    transition = f'<transition name="Cross Dissolve" offset="{_tc(80)}" duration="{_frames(20)}"/>'
    document = _open(tmp_path, gap + _clip(80, 30) + transition + _clip(50, 500, name="B"))

    one, two = _uses(document)
    assert (one.record_span, one.tail_frames, one.fade_out_frames) == (Span(10, 80), 10, 10)
    assert (two.record_span, two.head_frames, two.fade_in_frames) == (Span(90, 50), 10, 10)
    assert (one.source_span(), two.source_span()) == (Span(30, 90), Span(490, 60))


def _tc(frame: int) -> str:
    seconds = Fraction(1801800, 500) + frame / NTSC
    return f"{seconds.numerator}/{seconds.denominator}s"


@pytest.mark.parametrize(
    ("points", "start", "expected"),
    [
        ([("0s", "0s"), ("7200s", "3600s"), ("7400s", "3700s")], 7200, [0, 0, 1, 1]),
        ([("0s", "0s"), ("1900s", "3800s")], 1800, [0, 2, 4, 6]),
        ([("0s", "3610s"), ("10s", "3600s")], 0, [299, 298, 297, 296]),
        ([("0s", "3600s"), ("10s", "3600s")], 0, [0, 0, 0, 0]),
    ],
)
def test_open_time_map_of_constant_speed_shows_its_frames(
    tmp_path: Path, points: list[tuple[str, str]], start: int, expected: list[int]
) -> None:
    body = "".join(f'<timept time="{time}" value="{value}" interp="smooth2"/>' for time, value in points)
    asset = '<asset id="a9" src="file:///m/C.mov" start="3600s" duration="200s" hasVideo="1" format="f9"/>'
    spine = (
        f'<asset-clip ref="a9" name="C" start="{start}s" duration="{_frames(4)}"><timeMap>{body}</timeMap></asset-clip>'
    )

    # A file of 30 in a timeline of 29.97: for so few frames the same as if it were one.
    (use,) = _uses(_open(tmp_path, spine, assets=f'{asset}<format id="f9" frameDuration="1/30s"/>'))

    assert [use.source_frame(k) for k in range(4)] == expected


def test_open_lanes_become_tracks_around_the_storyline(tmp_path: Path) -> None:
    above = f'<asset-clip ref="a2" name="B" lane="1" offset="{_source(40)}" duration="{_frames(60)}" start="4s"/>'
    story = f'<spine lane="2" offset="{_source(50)}"><gap duration="{_frames(5)}"/>{_clip(10, 70, name="D")}</spine>'
    sound = f'<asset-clip ref="a4" name="sound" lane="-1" offset="{_source(30)}" duration="2s"/>'
    document = _open(tmp_path, _clip(100, 30, body=above + story + sound))

    found = {use.name: (use.track, use.record_start, use.source_frame(0)) for use in _uses(document)}
    assert found == {"A": (1, 0, 30), "B": (2, 10, 100), "D": (3, 25, 70)}


def test_open_clip_with_video_inside_counts_through_both_times(tmp_path: Path) -> None:
    video = f'<video ref="a1" offset="{_frames(100)}" start="{_source(130)}" duration="{_frames(500)}"/>'
    spine = f'<clip name="A" start="{_frames(110)}" duration="{_frames(20)}" enabled="0">{video}</clip>'

    (use,) = _uses(_open(tmp_path, spine))

    assert (use.source_span(), use.enabled) == (Span(140, 20), False)


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        ('<ref-clip ref="m1" name="X" duration="2002/1000s"/>', "nested stack"),
        ('<mc-clip ref="m1" name="X" duration="2002/1000s"/>', "nested stack"),
        ('<sync-clip name="X" duration="2002/1000s"><asset-clip ref="a1"/></sync-clip>', "nested stack"),
        ('<title ref="e1" name="X" duration="2002/1000s"/>', "'title'"),
        ('<video ref="e1" name="X" duration="2002/1000s"/>', "'generator'"),
        ('<video ref="a3" name="X" duration="2002/1000s"/>', "'still picture'"),
        (
            '<asset-clip ref="a2" name="X" duration="2002/1000s"><conform-rate srcFrameRate="25"/></asset-clip>',
            "speed ramp",
        ),
        (
            '<asset-clip ref="a2" name="X" duration="2002/1000s"><timeMap><timept time="0s" value="0s"/>'
            '<timept time="1s" value="1s"/><timept time="3s" value="2s"/></timeMap></asset-clip>',
            "speed ramp",
        ),
        ('<asset-clip ref="a2" name="X" start="99s" duration="2002/1000s"/>', "of a file that has 2500"),
        ('<asset-clip ref="a2" name="X" duration="1/7s"/>', "between two frames"),
    ],
)
def test_element_that_cannot_be_cleaned_is_refused_by_name(tmp_path: Path, element: str, reason: str) -> None:
    refusals = [item for item in _open(tmp_path, _clip(30, 0) + element).items() if isinstance(item, Refusal)]

    (refusal,) = refusals
    assert refusal.reason.startswith("clip 'X' on video track 1")
    assert reason in refusal.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<fcpxml><resources/></fcpxml>", "holds no project"),
        ("<xmeml/>", "begins with <xmeml>"),
        ("<fcpxml>", "not whole XML"),
        ('<!DOCTYPE fcpxml [<!ENTITY a "b">]><fcpxml>&a;</fcpxml>', "entity 'a'"),
        (_document("").replace('frameDuration="1001/30000s"', ""), "no frame duration"),
        (_document(_clip(30, 0)).replace("1001/1000s", "soon"), "'soon', which is no time"),
        (_document(_clip(30, 0)).replace("1001/1000s", "1/0s"), "'1/0s', which is no time"),
        (_document(_clip(30, 0, more='offset="9s"')), "is said to stand at"),
        (_document('<ref-clip name="X"/>'), "'X' in cut.fcpxml has no duration"),
        (_document(_clip(30, 0) + '<transition offset="0s" duration="1s"/>'), "lies on no cut"),
    ],
)
def test_damaged_document_is_refused_in_one_sentence(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "cut.fcpxml").write_text(text, encoding="utf-8")

    with pytest.raises(TimelineError) as caught:
        open_fcpxml(tmp_path / "cut.fcpxml")
    assert reason in caught.value.sentence
    assert "\n" not in caught.value.sentence


def test_replace_and_save_as_otio_shows_the_take(tmp_path: Path) -> None:
    document = _open(tmp_path, _clip(60, 30))
    (use,) = _uses(document)
    media = SourceMedia(Path("/takes/A_cp001.mov"), NTSC, use.media.start_frame + 20, 80)

    document.replace(use, Take(media, 20, "A_cp001", {}))
    document.save(tmp_path / "cut.otio")
    (shown,) = _uses(OtioDocument.open(tmp_path / "cut.otio"))

    assert (shown.media.path, shown.source_span()) == (media.path, Span(10, 60))
    with pytest.raises(TimelineError, match=r"use \.otio"):
        document.save(tmp_path / "cut.fcpxml")
