from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cleanplate_plugin.documents.xmeml import XmemlDocument
from cleanplate_plugin.errors import StaleClipError, TimelineError
from cleanplate_plugin.timeline import Refusal, SourceMedia, Span, Take, Use

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "timelines"
RATE = "<rate><timebase>24</timebase><ntsc>TRUE</ntsc></rate>"
NTSC = Fraction(24000, 1001)
TICKS = 10594584000
"""Of Premiere in one frame of 23.976."""

FILE = f"""<file id="file-1"><name>A 1.mov</name><pathurl>file://localhost/D%3a/day%201/A%231.mov</pathurl>{RATE}
 <duration>500</duration><timecode>{RATE}<string>01:00:00:00</string><frame>86400</frame>
 <displayformat>NDF</displayformat></timecode><media><video><samplecharacteristics><width>1920</width>
 <height>1080</height><codec><name>ProRes</name></codec></samplecharacteristics></video><audio/></media></file>"""


def _clip(
    body: str = '<file id="file-1"/>',
    *,
    start: int = 0,
    end: int = 40,
    first: int = 100,
    name: str = "A",
    number: int = 1,
) -> str:
    """A clipitem as Premiere writes it: audio linked, ticks, a marker, keyframes counted like in points."""
    return f"""<clipitem id="clipitem-{number}">
 <masterclipid>masterclip-1</masterclipid><name>{name}</name><enabled>TRUE</enabled><duration>500</duration>{RATE}
 <start>{start}</start><end>{end}</end><in>{first}</in><out>{first + 40}</out>
 <pproTicksIn>{first * TICKS}</pproTicksIn><pproTicksOut>{(first + 40) * TICKS}</pproTicksOut>
 {body}
 <filter><effect><name>Opacity</name><parameter><keyframe><when>{first + 5}</when><value>1</value></keyframe>
 </parameter></effect></filter>
 <link><linkclipref>clipitem-{number}</linkclipref><mediatype>video</mediatype><trackindex>1</trackindex>
 <clipindex>{number}</clipindex></link>
 <link><linkclipref>sound-1</linkclipref><mediatype>audio</mediatype><trackindex>1</trackindex><clipindex>1</clipindex>
 </link><marker><name></name><in>{first + 7}</in><out>-1</out></marker></clipitem>"""


def _document(*tracks: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n') -> str:
    video = "".join(f"<track>\n{track}\n<enabled>TRUE</enabled><locked>FALSE</locked>\n</track>\n" for track in tracks)
    return f"""{head}<!-- before -->
<xmeml version="4">
 <sequence id="sequence-1"><name>Cut &amp; "quote"</name><duration>80</duration>{RATE}
 <timecode>{RATE}<string>00:59:58:00</string><frame>86352</frame><displayformat>NDF</displayformat></timecode>
 <media><video><format><samplecharacteristics/></format>{video}</video>
 <audio><track><clipitem id="sound-1"><file id="file-1"/><link><linkclipref>clipitem-2</linkclipref>
 <mediatype>video</mediatype><trackindex>1</trackindex><clipindex>2</clipindex></link></clipitem></track></audio>
 </media></sequence>
</xmeml><?after instruction?>
"""


TWO_CLIPS = _clip(FILE) + _clip(start=40, end=80, first=200, name="B", number=2)


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cut.xml"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def _open(tmp_path: Path, *tracks: str) -> XmemlDocument:
    return XmemlDocument.open(_write(tmp_path, _document(*tracks)))


def _take(use: Use, *, handles: int = 12, name: str = "A_cp001.mov") -> Take:
    needed = use.source_span()
    start = max(0, needed.start_frame - handles)
    media = SourceMedia(
        Path("/takes/new folder") / name,
        use.media.rate,
        use.media.start_frame + start,
        needed.stop_frame + handles - start,
        use.media.drop_frame,
    )
    return Take(media, start, "A_cp001", {"operation": "remove -- all", "score": 0.5})


def _uses(document: XmemlDocument) -> list[Use]:
    return [item for item in document.items() if isinstance(item, Use)]


def _canonical(path: Path) -> str:
    return ElementTree.canonicalize(path.read_text(encoding="utf-8"))


def _refusal(tmp_path: Path, clip: str) -> str:
    (item,) = _open(tmp_path, clip).items()
    assert isinstance(item, Refusal)
    return item.reason


def test_open_premiere_clip_counts_from_the_files_first_frame(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS)

    use = _uses(document)[0]
    assert use.media == SourceMedia(Path("D:/day 1/A#1.mov"), NTSC, 86400, 500)
    assert (use.name, use.track, use.record_start, use.frame_count) == ("A", 1, 0, 40)
    assert use.source_span() == Span(100, 40)
    assert (document.name, document.rate, document.start_frame) == ('Cut & "quote"', NTSC, 86352)


def test_save_unchanged_document_is_byte_for_byte_the_same(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS)

    document.save(tmp_path / "again.xml")

    assert (tmp_path / "again.xml").read_bytes().replace(b"&quot;", b'"') == (tmp_path / "cut.xml").read_bytes()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_save_keeps_encoding_line_ends_and_doctype(tmp_path: Path, encoding: str) -> None:
    declared = "UTF-8" if encoding == "utf-8-sig" else encoding
    head = f'<?xml version="1.0" encoding="{declared}"?>\n<!DOCTYPE xmeml>\n'
    text = _document(TWO_CLIPS.replace("<name>A</name>", "<name>Ä</name>"), head=head)
    data = text.replace('"quote"', "quote").replace("\n", "\r\n").encode(encoding)
    (tmp_path / "cut.xml").write_bytes(data)
    document = XmemlDocument.open(tmp_path / "cut.xml")

    document.save(tmp_path / "again.xml")

    assert _uses(document)[0].name == "Ä"
    assert (tmp_path / "again.xml").read_bytes() == data


def test_replace_whole_clip_gives_it_a_file_of_its_own_and_leaves_sound(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS)
    use = _uses(document)[0]
    take = _take(use)

    document.replace(use, take)
    document.save(tmp_path / "new.xml")

    root = ElementTree.parse(tmp_path / "new.xml").getroot()
    item = root.find(".//video/track/clipitem")
    assert item is not None
    said = {tag: item.findtext(tag) for tag in ("in", "out", "pproTicksIn", "pproTicksOut", "duration", "start", "end")}
    assert said == {
        "in": "12",
        "out": "52",
        "pproTicksIn": str(12 * TICKS),
        "pproTicksOut": str(52 * TICKS),
        "duration": "64",
        "start": "0",
        "end": "40",
    }
    file = item.find("file")
    assert file is not None
    assert file.get("id") != "file-1"
    assert file.findtext("pathurl") == "file://localhost/takes/new%20folder/A_cp001.mov"
    assert (file.findtext("timecode/frame"), file.findtext("timecode/string")) == ("86488", "01:00:03:16")
    assert file.findtext("media/video/samplecharacteristics/width") == "1920"
    assert item.findtext("masterclipid") != "masterclip-1"
    assert [link.text for link in item.iter("linkclipref")] == ["clipitem-1", "sound-1"]
    assert (item.findtext("marker/in"), item.findtext("marker/out")) == ("19", "-1")
    assert item.findtext("filter/effect/parameter/keyframe/when") == "17"
    definitions = [file for file in root.iter("file") if file.get("id") == "file-1" and len(file)]
    assert [file.findtext("name") for file in definitions] == ["A 1.mov"]
    assert root.find(".//audio/track/clipitem/file[@id='file-1']") is not None
    assert _uses(XmemlDocument.open(tmp_path / "new.xml"))[1].media == use.media


def test_replace_part_cuts_the_clip_and_counts_on(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS)
    use = _uses(document)[0]

    document.replace(use, _take(use), Span(10, 5))
    document.save(tmp_path / "new.xml")

    shown = [
        (u.record_start, u.frame_count, u.source_frame(0)) for u in _uses(XmemlDocument.open(tmp_path / "new.xml"))
    ]
    assert shown == [(0, 10, 100), (10, 5, 22), (15, 25, 115), (40, 40, 200)]
    root = ElementTree.parse(tmp_path / "new.xml").getroot()
    names = [item.get("id") for item in root.iter("clipitem")]
    assert len(names) == len(set(names))
    # The sound's link says that its picture is the second on the track, which is now the fourth.
    assert root.findtext(".//audio/track/clipitem/link/clipindex") == "4"


def test_replace_taken_clip_adds_a_take_and_original_stays(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS)
    use = _uses(document)[0]

    document.replace(use, _take(use))
    first = _uses(document)[0]
    document.replace(first, _take(document.original(first), name="A_cp002.mov"))

    assert document.original(_uses(document)[0]) == use
    media = _uses(document)[0].media
    assert media.path == Path("/takes/new folder/A_cp002.mov")
    assert document.restore() == 1
    assert _uses(document)[0] == use


@pytest.mark.parametrize("part", [None, Span(0, 7), Span(10, 5), Span(33, 7)])
@pytest.mark.parametrize("above", [False, True])
def test_restore_gives_the_document_as_it_was(tmp_path: Path, part: Span | None, *, above: bool) -> None:
    document = _open(tmp_path, TWO_CLIPS, _clip(start=20, end=60, name="C", number=3))
    for use in _uses(document):
        if above:
            document.lay_above(use, _take(use), part, enabled=False)
        else:
            document.replace(use, _take(use), part)
    document.save(tmp_path / "new.xml")
    document = XmemlDocument.open(tmp_path / "new.xml")

    assert document.restore() == 3
    document.save(tmp_path / "again.xml")

    assert _canonical(tmp_path / "again.xml") == _canonical(tmp_path / "cut.xml")
    assert document.restore() == 0


def test_restore_one_of_two_cut_clips_leaves_the_other(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS)
    first, second = _uses(document)
    document.replace(first, _take(first), Span(5, 5))
    document.replace(second, _take(second), Span(5, 5))
    taken = [use for use in _uses(document) if use.media.path == Path("/takes/new folder/A_cp001.mov")]

    assert document.restore(taken[0]) == 1

    assert _uses(document)[0] == first
    assert len(_uses(document)) == 4
    assert document.restore(_uses(document)[0]) == 0


def test_restore_clip_cut_again_while_it_shows_a_take(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS)
    use = _uses(document)[0]
    document.replace(use, _take(use))
    taken = _uses(document)[0]
    document.replace(taken, _take(use, name="A_cp002.mov"), Span(20, 10))
    last = _uses(document)[2]
    document.replace(last, _take(use, name="A_cp003.mov"), Span(2, 3))
    document.save(tmp_path / "new.xml")
    document = XmemlDocument.open(tmp_path / "new.xml")
    assert [u.source_frame(0) + 88 for u in _uses(document)[:5]] == [100, 120, 130, 132, 135]

    document.restore()
    document.save(tmp_path / "again.xml")

    assert _canonical(tmp_path / "again.xml") == _canonical(tmp_path / "cut.xml")


def test_lay_above_puts_a_track_right_above_the_clips(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS, _clip(start=0, end=40, name="title", number=3))
    use = _uses(document)[0]

    document.lay_above(use, _take(use), Span(10, 5))
    document.save(tmp_path / "new.xml")

    tracks = ElementTree.parse(tmp_path / "new.xml").getroot().findall(".//video/track")
    names = [[item.findtext("name") for item in track.findall("clipitem")] for track in tracks]
    assert names == [["A", "B"], ["A_cp001"], ["title"]]
    laid = tracks[1].find("clipitem")
    assert laid is not None
    assert [laid.findtext(tag) for tag in ("start", "end", "in", "out")] == ["10", "15", "22", "27"]
    assert [u.track for u in _uses(document)] == [1, 1, 2]


def test_lay_above_patch_on_a_dissolve_is_refused(tmp_path: Path) -> None:
    transition = "<transitionitem><start>36</start><end>44</end><alignment>center</alignment></transitionitem>"
    clips = _clip(FILE, end=-1) + transition + _clip(start=-1, end=80, first=200, name="B", number=2)
    clips = clips.replace("<out>140</out>", "<out>144</out>").replace("<out>240</out>", "<out>244</out>")
    document = _open(tmp_path, clips)
    use = _uses(document)[0]
    assert (use.record_span, use.tail_frames, use.fade_out_frames) == (Span(0, 40), 4, 4)

    with pytest.raises(TimelineError, match="clip 'A' is in a dissolve there"):
        document.lay_above(use, _take(use), Span(30, 10))
    document.lay_above(use, _take(use), Span(0, 30))


def test_replace_clip_that_was_edited_since_is_refused(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS)
    use = _uses(document)[0]
    document.replace(use, _take(use), Span(10, 5))

    with pytest.raises(StaleClipError, match="clip 'A' no longer stands"):
        document.replace(use, _take(use))


def test_replace_with_short_take_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS)
    use = _uses(document)[0]
    short = _take(use.part(Span(0, 20)), handles=0)

    with pytest.raises(TimelineError, match="clip 'A' shows 100 to 139"):
        document.replace(use, short)
    document.save(tmp_path / "again.xml")

    assert _canonical(tmp_path / "again.xml") == _canonical(tmp_path / "cut.xml")


def test_two_clips_with_one_name_are_told_apart_by_place(tmp_path: Path) -> None:
    document = _open(tmp_path, TWO_CLIPS.replace("<name>B</name>", "<name>A</name>"))
    first, second = _uses(document)
    assert (first.name, second.name) == ("A", "A")
    assert first.place != second.place

    document.replace(second, _take(second))

    assert [use.media.path == Path("/takes/new folder/A_cp001.mov") for use in _uses(document)] == [False, True]


def test_save_under_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match=r"saved as \.xml, not as 'cut\.edl'"):
        _open(tmp_path, TWO_CLIPS).save(tmp_path / "cut.edl")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared timelines are not here")
@pytest.mark.parametrize(
    ("name", "clips", "refused"),
    [
        ("hiero_xml_export.xml", 1, 1),
        ("premiere_enable_property.xml", 6, 0),
        ("premiere_example.xml", 6, 2),
        ("premiere_generators.xml", 0, 6),
    ],
)
def test_shared_timelines_conform_and_are_restored(tmp_path: Path, name: str, clips: int, refused: int) -> None:
    document = XmemlDocument.open(SHARED / name)
    assert (len(_uses(document)), len(document.items()) - len(_uses(document))) == (clips, refused)
    for use in _uses(document):
        document.replace(use, _take(use), Span(use.frame_count // 3, use.frame_count // 3))
    for use in _uses(document):
        document.replace(use, _take(document.original(use)))
    document.save(tmp_path / "new.xml")
    document = XmemlDocument.open(tmp_path / "new.xml")

    document.restore()
    document.save(tmp_path / "again.xml")

    assert _canonical(tmp_path / "again.xml") == _canonical(SHARED / name)
