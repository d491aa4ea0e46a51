"""What in FCP7 XML is refused, by name and in one sentence, and how retimed clips are read."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate_plugin.documents.xmeml import XmemlDocument
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import Refusal, SourceMedia, Take, Use

RATE = "<rate><timebase>25</timebase><ntsc>FALSE</ntsc></rate>"
TICKS = 10160640000
"""Of Premiere in one frame of 25."""


def _file(url: str = "file:///media/A.mov", *, duration: int = 1000, more: str = "") -> str:
    return f'<file id="f"><pathurl>{url}</pathurl>{RATE}<duration>{duration}</duration>{more}</file>'


def _document(clip: str) -> str:
    return (
        f'<xmeml version="5"><sequence><name>cut</name>{RATE}<media><video><track>{clip}</track></video></media>'
        "</sequence></xmeml>"
    )


def _clip(body: str, *, points: str = "<in>10</in><out>50</out>", span: str = "<start>0</start><end>40</end>") -> str:
    return f"<clipitem><name>A</name>{RATE}{span}{points}{body}</clipitem>"


def _remap(speed: str, *, variable: int = 0, reverse: bool = False, more: str = "") -> str:
    parameters = {"variablespeed": variable, "speed": speed, "reverse": "TRUE" if reverse else "FALSE"}
    body = "".join(
        f"<parameter><parameterid>{tag}</parameterid><value>{value}</value></parameter>"
        for tag, value in parameters.items()
    )
    return f"<filter><effect><name>Time Remap</name><effectid>timeremap</effectid>{body}{more}</effect></filter>"


def _ticks(first: int, stop: int) -> str:
    return f"<pproTicksIn>{first * TICKS}</pproTicksIn><pproTicksOut>{stop * TICKS}</pproTicksOut>"


def _read(tmp_path: Path, text: str) -> list[Use | Refusal]:
    path = tmp_path / "cut.xml"
    path.write_text(text, encoding="utf-8")
    return list(XmemlDocument.open(path).items())


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (_clip("<sequence id='s2'><name>inner</name></sequence>"), "nested sequence"),
        (_clip("<multiclip><name>cams</name></multiclip>"), "multicam"),
        (_clip("<sequence><media><video><track><multiclip/></track></video></media></sequence>"), "multicam"),
        (_clip(_file() + "<adjustmentlayer>TRUE</adjustmentlayer>"), "adjustment layer"),
        (_clip(_file(more="<mediaSource>Slug</mediaSource>")), r"made by the editing program \(Slug\)"),
        (_clip('<file id="f"><name>gone</name></file>'), "names no file"),
        (_clip('<file id="nowhere"/>'), "names no media"),
        (_clip(""), "names no media"),
        (_clip(_file("https://example.com/a.mov")), "cannot be opened"),
        (_clip(_file("file:///a/b.png", duration=1)), "still picture"),
        (_clip(_file() + "<stillframe>TRUE</stillframe>"), "still frame"),
        (_clip(_file() + "<subclipinfo><startoffset>7</startoffset></subclipinfo>"), "subclip"),
        (_clip(_file() + _remap("50", variable=1)), "changes its speed"),
        (_clip(_file(), points="<in>10</in><out>90</out>"), "not its speed of 100 %"),
        (_clip(_file() + _remap("300"), points="<in>10</in><out>70</out>"), "fit neither its speed nor its length"),
        (_clip(_file() + _remap("-100")), "plays backwards without saying"),
        (_clip(_file(duration=30)), "frames 10 to 49 of a file that has 30"),
        (
            _clip(_file(), points=f"<in>10</in><out>50</out><pproTicksIn>{90 * TICKS}</pproTicksIn>"),
            "ticks say frame 90",
        ),
        ("<generatoritem><name>A</name><start>0</start><end>40</end></generatoritem>", "generator or a title"),
    ],
)
def test_clip_that_cannot_be_cleaned_is_refused_by_name(tmp_path: Path, clip: str, reason: str) -> None:
    (item,) = _read(tmp_path, _document(clip))

    assert isinstance(item, Refusal)
    assert item.reason.startswith("clip 'A' at V1[1] ")
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(item.reason)
    assert "\n" not in item.reason


@pytest.mark.parametrize(
    ("remap", "points", "expected"),
    [
        # Half speed: 40 record frames show 20 frames from 100 on; Final Cut counts them in the retimed clip.
        (_remap("50"), "<in>200</in><out>240</out>", [100, 100, 101]),
        # Resolve writes the source's own frames.
        (_remap("50"), "<in>100</in><out>120</out>", [100, 100, 101]),
        (_remap("200"), "<in>50</in><out>90</out>", [100, 102, 104]),
        (_remap("200"), "<in>100</in><out>180</out>", [100, 102, 104]),
        # Premiere says in ticks which frames are meant.
        (
            _remap("50"),
            f"<in>200</in><out>240</out>{_ticks(100, 120)}",
            [100, 100, 101],
        ),
        (
            _remap("-100", reverse=True),
            f"<in>0</in><out>40</out>{_ticks(960, 1000)}",
            [999, 998, 997],
        ),
        # Backwards without ticks: in points count from the file's end, and the graph of the filter agrees.
        (
            _remap(
                "-100",
                more="<parameter><parameterid>graphdict</parameterid>"
                "<keyframe><when>0</when><value>1000</value></keyframe>"
                "<keyframe><when>1000</when><value>0</value></keyframe></parameter>",
            ),
            "<in>10</in><out>50</out>",
            [989, 988, 987],
        ),
        (_remap("0"), "<in>77</in><out>117</out>", [77, 77, 77]),
        (_remap("33.333333333333"), "<in>300</in><out>340</out>", [100, 100, 100]),
    ],
)
def test_retimed_clip_shows_the_frames_that_its_host_means(
    tmp_path: Path, remap: str, points: str, expected: list[int]
) -> None:
    (item,) = _read(tmp_path, _document(_clip(_file() + remap, points=points)))

    assert isinstance(item, Use), item.reason
    assert [item.source_frame(k) for k in range(3)] == expected


def test_replace_retimed_clip_without_ticks_that_cannot_be_said_is_refused(tmp_path: Path) -> None:
    clip = _clip(_file() + _remap("300"), points="<in>50</in><out>90</out>")
    path = tmp_path / "cut.xml"
    path.write_text(_document(clip), encoding="utf-8")
    document = XmemlDocument.open(path)
    (use,) = document.items()
    assert isinstance(use, Use)
    needed = use.source_span()

    def take(handles: int) -> Take:
        media = SourceMedia(Path("/t.mov"), Fraction(25), frame_count=needed.frame_count + 2 * handles)
        return Take(media, needed.start_frame - handles, "A_cp001", {})

    with pytest.raises(TimelineError, match=r"clip 'A' runs at 300 % .* cannot say where the new media begins"):
        document.replace(use, take(10))
    assert document.items() == [use]
    document.replace(use, take(12))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('<!DOCTYPE xmeml [<!ENTITY a "aaaa">]><xmeml>&a;</xmeml>', "entity 'a'"),
        ('<!DOCTYPE xmeml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xmeml>&a;</xmeml>', "entity 'a'"),
        ('<!DOCTYPE xmeml SYSTEM "x.dtd"><xmeml>&b;</xmeml>', "entity 'b'"),
        ("<xmeml>" + "<a>" * 5000 + "</a>" * 5000 + "</xmeml>", "more than 200 deep"),
        (_document(_clip(_file()))[:-40], "not whole XML"),
        ("", "not whole XML"),
        ("<fcpxml/>", "begins with <fcpxml>"),
        ("<xmeml/>", "holds no sequence"),
        ('<?xml version="1.0" encoding="zip"?><xmeml/>', "written in 'zip'"),
        ("<xmeml><sequence><media/></sequence></xmeml>", "no frame rate"),
        (_document(_clip(_file())).replace("<timebase>25", "<timebase>0", 1), "timebase"),
        (_document(_clip(_file())).replace("<timebase>25", "<timebase>1e999999999", 1), "where a number belongs"),
        (_document(_clip(_file(), points="<in>ten</in><out>50</out>")), "'ten' where a number belongs"),
        (_document(_clip(_file(), span="<start>40</start><end>40</end>")), "which is no length"),
        (_document(_clip(_file(), span="<start>-1</start><end>40</end>")), "which is no length"),
        (_document(_clip(_file(), span="<end>40</end>")), "the start of clip 'A' at V1\\[1\\] is not stated"),
    ],
)
def test_damaged_document_is_refused_in_one_sentence(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(TimelineError, match=reason) as caught:
        _read(tmp_path, text)
    assert "\n" not in caught.value.sentence


def test_document_in_another_encoding_than_it_says_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.xml").write_bytes(b'<?xml version="1.0" encoding="UTF-8"?><xmeml>\xff</xmeml>')

    with pytest.raises(TimelineError, match="not written in utf-8 as it says"):
        XmemlDocument.open(tmp_path / "cut.xml")


def test_document_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="cannot be read"):
        XmemlDocument.open(tmp_path / "gone.xml")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file://localhost/a%20b/c%23d.mov", "/a b/c#d.mov"),
        ("file:///a/b.mov", "/a/b.mov"),
        ("file://localhost/D%3a/a.mov", "D:/a.mov"),
        ("file:///D:/a%5b1%5d.mov", "D:/a[1].mov"),
        ("file://server/share/a.mov", "//server/share/a.mov"),
        ("file:////server/share/a.mov", "//server/share/a.mov"),
        ("/plain/path#1.mov", "/plain/path#1.mov"),
        (r"D:\plain\a.mov", "D:/plain/a.mov"),
        (r"\\server\share\a.mov", "//server/share/a.mov"),
    ],
)
def test_pathurl_of_each_program_names_the_file(tmp_path: Path, url: str, path: str) -> None:
    (item,) = _read(tmp_path, _document(_clip(_file(url))))

    assert isinstance(item, Use)
    assert item.media.path == Path(path)
