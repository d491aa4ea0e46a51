"""Writing: exactness, tags, sound, timecode, and that nothing is left behind when it fails."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from cleanplate_server.clip import Media, Timecode
from cleanplate_server.errors import AccessError, OutputError
from cleanplate_server.stages.decode import Decoder, probe
from cleanplate_server.stages.encode import (
    Target,
    Writer,
    check_target,
    choose_codec,
    converts,
    delivery_format,
    delivery_tags,
)
from cleanplate_server.stages.track_header import can_write_rotation
from media import BT709, NTSC, X264, Recipe, random_frame, read_number, write_images, write_video

ODD = (63, 95)


def deliver(
    media: Media, path: Path, frames: range | None = None, *, codec: str = "", overwrite: bool = False
) -> Media:
    """Writes a range as a plate, as the pipeline does, and probes what came out."""
    codec = codec or choose_codec(path, media, "plate")
    frames = frames if frames is not None else range(media.frame_count)
    form, tags = delivery_format(codec, media, "plate"), delivery_tags(codec, media, "plate")
    target = Target(path, codec, overwrite=overwrite)
    with Decoder(media) as decoder, Writer(target, media=media, frames=frames, format=form, tags=tags) as writer:
        for plate in decoder.plates(frames):
            writer.write(converts(plate, media.format, form, media.tags, tags))
    return probe(path)


def assert_same_frames(one: Media, other: Media, *, first: int = 0) -> None:
    with Decoder(one) as before, Decoder(other) as after:
        for frame in range(other.frame_count):
            planes = zip(before.plate(first + frame).planes, after.plate(frame).planes, strict=True)
            assert all(np.array_equal(a, b) for a, b in planes), f"frame {frame} differs"


EXACT_VIDEO = [
    *(f"yuv{s}p{d}" for s in ("420", "422", "444") for d in ("", "10le", "12le", "16le")),
    *("yuv411p", "yuv440p", "yuva444p", "yuva420p10le", "gray", "gray10le", "gray16le", "gbrp10le", "gbrp12le"),
    *("gbrap12le", "gbrp16le", "bgr0", "bgra", "nv12", "yuyv422", "uyvy422", "rgb24", "bgr24", "gbrp"),
]


@pytest.mark.parametrize("size", [(64, 96), ODD], ids=["even", "odd"])
@pytest.mark.parametrize("name", EXACT_VIDEO)
def test_ffv1_plate_of_any_format_is_bit_for_bit(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    if size == ODD and name in ("yuyv422", "uyvy422"):
        size = (63, 96)
    frames = [random_frame(name, size, seed=n) for n in range(2)]
    planar = name not in ("nv12", "yuyv422", "uyvy422", "rgb24", "bgr24", "gbrp", "gbrp16le")
    encoder, ending = ("ffv1", "mkv") if planar else ("rawvideo", "nut")
    media = probe(
        write_video(tmp_path / f"in.{ending}", Recipe(encoder, name, size, options={}, frames=frames, count=2))
    )
    result = deliver(media, tmp_path / "out.mkv")
    assert (result.size, result.frame_count, result.rate) == (size, 2, NTSC)
    assert replace(result.format, name="") == replace(media.format, name="")
    assert_same_frames(media, result)


@pytest.mark.parametrize(
    ("pattern", "encoder", "name"),
    [
        ("%04d.png", "png", "rgb24"),
        ("%04d.png", "png", "rgb48be"),
        ("%04d.png", "png", "rgba64be"),
        ("%04d.png", "png", "gray16be"),
        ("%04d.png", "png", "ya8"),
        ("%04d.exr", "exr", "gbrpf32le"),
        ("%04d.exr", "exr", "gbrapf32le"),
        ("%04d.exr", "exr", "grayf32le"),
    ],
)
def test_sequence_plate_is_bit_for_bit(pattern: str, encoder: str, name: str, tmp_path: Path) -> None:
    frames = [random_frame(name, (17, 23), seed=n) for n in range(3)]
    media = probe(write_images(tmp_path / "in", pattern, encoder, frames, first=101))
    result = deliver(media, tmp_path / "out" / f"clean.%06d{pattern[4:]}", range(1, 3))
    assert names_in(tmp_path / "out") == [f"clean.000102{pattern[4:]}", f"clean.000103{pattern[4:]}"]
    assert (result.format.model, result.format.has_alpha) == (media.format.model, media.format.has_alpha)
    assert_same_frames(media, result, first=1)


@pytest.mark.parametrize("name", ["gbrp10be", "gbrp12be"])
def test_dpx_plate_is_bit_for_bit_in_ffv1(name: str, tmp_path: Path) -> None:
    frames = [random_frame(name, (17, 23), seed=n) for n in range(2)]
    media = probe(write_images(tmp_path / "in", "%04d.dpx", "dpx", frames))
    assert_same_frames(media, deliver(media, tmp_path / "out.mkv"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Media:
    """H.264 4:2:0 with BT.709 tags, drop-frame timecode and AAC."""
    recipe = Recipe(count=45, timecode="00:59:59;20", audio="aac", options={**X264, **BT709, "bf": "2"})
    return probe(write_video(tmp_path_factory.mktemp("media") / "source.mp4", recipe))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("o.mov", "prores422hq"),
        ("o.mov", "prores4444"),
        ("o.mkv", "ffv1"),
        ("o.mp4", "h264"),
        ("o.mp4", "hevc"),
        ("o.mov", "h264"),
        ("o.mkv", "hevc"),
    ],
)
def test_plate_carries_tags_rate_timecode_and_count(name: str, codec: str, source: Media, tmp_path: Path) -> None:
    result = deliver(source, tmp_path / name, range(11, 31), codec=codec)
    assert (result.rate, result.variable_rate, result.frame_count) == (NTSC, False, 20)
    assert result.start_timecode == source.start_timecode + 11
    assert str(result.start_timecode) == "01:00:00;01"
    tags = delivery_tags(codec, source, "plate")
    carries_siting = result.format.chroma_shift == (1, 1)
    assert result.tags == (tags if carries_siting else replace(tags, chroma_location=0))
    assert [a.codec for a in result.audio] == ["aac"]
    assert names_in(tmp_path) == [name]
    with Decoder(result) as decoder:
        assert decoder.index.pts[0] == 0
        assert [read_number(p.planes[0]) for p in decoder.plates(range(20))] == list(range(11, 31))


@pytest.mark.parametrize(
    "tags",
    [("9", "16", "9", "1"), ("9", "18", "9", "1"), ("12", "1", "1", "1"), ("6", "6", "6", "1"), ("2", "2", "2", "1")],
)
@pytest.mark.parametrize("name", ["o.mov", "o.mkv", "o.mp4"])
def test_hdr_and_other_tags_read_back_equal(name: str, tags: tuple[str, ...], tmp_path: Path) -> None:
    keys = ("color_primaries", "color_trc", "colorspace", "color_range")
    filters = "setparams=" + ":".join(
        f"{k.replace('color_range', 'range')}={v}" for k, v in zip(keys, tags, strict=True)
    )
    recipe = Recipe("ffv1", "yuv422p10le", options=dict(zip(keys, tags, strict=True)), count=3, filters=filters)
    media = probe(write_video(tmp_path / "in.mkv", recipe))
    assert (media.tags.primaries, media.tags.transfer, media.tags.matrix) == tuple(int(t) for t in tags[:3])
    result = deliver(media, tmp_path / name)
    assert replace(result.tags, chroma_location=0) == replace(media.tags, chroma_location=0)


def packets(path: Path) -> list[tuple[Fraction, str]]:
    """(time, hash) of each audio packet."""
    with av.open(str(path)) as container:
        return [(p.pts * p.time_base, hashlib.sha256(bytes(p)).hexdigest()) for p in container.demux(audio=0) if p.size]


@pytest.mark.parametrize("name", ["o.mov", "o.mkv", "o.mp4"])
@pytest.mark.parametrize("frames", [range(45), range(11, 31), range(40, 45)], ids=str)
def test_aac_packets_of_the_range_are_untouched_and_in_sync(
    name: str, frames: range, source: Media, tmp_path: Path
) -> None:
    deliver(source, tmp_path / name, frames)
    start, stop = frames.start / NTSC, frames.stop / NTSC
    before, after = packets(source.path), packets(tmp_path / name)
    length = Fraction(1024, 48000)
    wanted = [(t - start, digest) for t, digest in before if t < stop and t + length > start]
    kept = [row for row in after if row[0] > -length]
    assert [digest for _, digest in kept] == [digest for _, digest in wanted]
    tolerance = Fraction(1, 1000) if name.endswith("mkv") else Fraction(1, 48000)
    assert all(abs(a - b) <= tolerance for (a, _), (b, _) in zip(kept, wanted, strict=True))


def samples(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return b"".join(bytes(p) for p in container.demux(audio=0) if p.size)


@pytest.mark.parametrize(("name", "codec"), [("o.mov", "prores422hq"), ("o.mxf", "dnxhr-hqx"), ("o.mkv", "ffv1")])
def test_pcm_is_cut_at_the_exact_sample(name: str, codec: str, tmp_path: Path) -> None:
    recipe = Recipe("prores_ks", "yuv422p10le", (120, 256), options={}, audio="pcm_s16le", rate=Fraction(25), count=20)
    media = probe(write_video(tmp_path / "in.mov", recipe))
    deliver(media, tmp_path / name, range(5, 15), codec=codec)
    first, count = 5 * 48000 // 25, 10 * 48000 // 25
    assert samples(tmp_path / name) == samples(media.path)[first * 4 : (first + count) * 4]


def test_patch_and_matte_bring_no_sound(source: Media, tmp_path: Path) -> None:
    form = delivery_format("prores4444", source, "patch")
    target = Target(tmp_path / "o.mov", "prores4444")
    with Decoder(source) as decoder, Writer(target, media=source, frames=range(2), format=form, audio=False) as writer:
        for plate in decoder.plates(range(2)):
            writer.write(converts(plate, source.format, form, source.tags))
    result = probe(target.path)
    assert result.audio == ()
    assert result.format.has_alpha


def test_mxf_carries_start_timecode_reel_and_tags(tmp_path: Path) -> None:
    options = {**BT709, "profile": "3"}
    filters = "setparams=color_primaries=1:color_trc=1:colorspace=1:range=1"
    recipe = Recipe("prores_ks", "yuv422p10le", (120, 256), options=options, timecode="10:00:00;00", reel="B7", count=6)
    media = probe(write_video(tmp_path / "in.mov", replace(recipe, filters=filters)))
    result = deliver(media, tmp_path / "o.mxf", range(2, 6))
    assert str(result.start_timecode) == "10:00:00;02"
    assert (result.rate, result.frame_count, result.reel) == (NTSC, 4, "B7")
    assert (result.tags.primaries, result.tags.transfer, result.tags.matrix) == (1, 1, 1)


def test_exr_sequence_carries_timecode_rate_and_frame_numbers(tmp_path: Path) -> None:
    recipe = Recipe("ffv1", "gbrp10le", options={}, timecode="01:00:00;28", count=4)
    media = probe(write_video(tmp_path / "in.mkv", recipe))
    result = deliver(media, tmp_path / "o.%05d.exr", range(1, 4))
    assert (result.first_number, result.rate) == (1, NTSC)
    assert str(result.start_timecode) == "01:00:00;29"
    with Decoder(result) as decoder:
        assert read_number(decoder.plate(2).planes[1]) == 3


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("name", ["o.mov", "o.mp4", "o.mkv"])
def test_rotation_is_carried(name: str, degrees: int, source: Media, tmp_path: Path) -> None:
    if name == "o.mkv" and not can_write_rotation(".mkv"):
        pytest.skip("this PyAV cannot write it")
    turned = replace(source, rotation_degrees=degrees)
    result = deliver(turned, tmp_path / name, range(3))
    assert (result.rotation_degrees, result.size) == (degrees, source.size)
    again = deliver(result, tmp_path / f"again{name[1:]}")
    assert again.rotation_degrees == degrees


@pytest.mark.parametrize(
    ("name", "codec"), [("o.mov", "prores422hq"), ("o.mp4", "h264"), ("o.%d.exr", "exr"), ("p", "png")]
)
def test_pixel_aspect_is_carried(name: str, codec: str, source: Media, tmp_path: Path) -> None:
    result = deliver(replace(source, pixel_aspect=Fraction(64, 45)), tmp_path / name, range(2), codec=codec)
    assert abs(result.pixel_aspect - Fraction(64, 45)) < (
        Fraction(1, 1000) if codec in ("exr", "png") else Fraction(1, 10**9)
    )


@pytest.mark.parametrize("order", ["tt", "bb"])
@pytest.mark.parametrize(("name", "codec"), [("o.mov", "prores422hq"), ("o.mp4", "h264"), ("o.mkv", "ffv1")])
def test_field_order_is_carried(name: str, codec: str, order: str, source: Media, tmp_path: Path) -> None:
    result = deliver(replace(source, field_order=order), tmp_path / name, range(3), codec=codec)
    assert result.field_order == order
    with av.open(str(tmp_path / name)) as container:
        assert next(container.decode(video=0)).interlaced_frame


@pytest.mark.parametrize(("name", "codec"), [("o.mov", "prores422hq"), ("o.mp4", "h264")])
def test_variable_rate_keeps_every_timestamp(name: str, codec: str, tmp_path: Path) -> None:
    pts = [n * 3003 + n % 4 * 777 for n in range(20)]
    media = probe(write_video(tmp_path / "in.mp4", Recipe(time_base=Fraction(1, 90000), pts=pts)))
    result = deliver(media, tmp_path / name, range(3, 20), codec=codec)
    with Decoder(result) as decoder:
        times = [int(p) * result.time_base for p in decoder.index.pts]
    assert times == [Fraction(p - pts[3], 90000) for p in pts[3:]]
    assert result.variable_rate


def test_variable_rate_of_whole_milliseconds_fits_matroska_and_others_are_refused(tmp_path: Path) -> None:
    pts = [n * 33 + n % 4 for n in range(10)]
    media = probe(write_video(tmp_path / "in.mkv", Recipe(time_base=Fraction(1, 1000), pts=pts)))
    with Decoder(deliver(media, tmp_path / "o.mkv", range(2, 10))) as decoder:
        assert decoder.index.pts.tolist() == [p - pts[2] for p in pts[2:]]
    fine = probe(write_video(tmp_path / "in.mp4", Recipe(time_base=Fraction(1, 90000), pts=[p * 91 for p in pts])))
    with pytest.raises(OutputError, match="finer than the milliseconds"):
        check_target(Target(tmp_path / "p.mkv", "ffv1"), fine)


@pytest.mark.parametrize(
    ("name", "codec"), [("o.mov", "prores422hq"), ("o.mp4", "h264"), ("o.mp4", "hevc"), ("o", "png")]
)
def test_odd_sizes_are_kept(name: str, codec: str, tmp_path: Path) -> None:
    media = probe(write_video(tmp_path / "in.mkv", Recipe("ffv1", "yuv444p", ODD, options={}, count=3)))
    result = deliver(media, tmp_path / name, codec=codec)
    assert result.size == ODD
    with Decoder(result) as decoder:
        assert [read_number(p.planes[1 if codec == "png" else 0]) for p in decoder.plates(range(3))] == [0, 1, 2]


def test_size_that_is_no_multiple_of_16_is_kept(tmp_path: Path) -> None:
    recipe = Recipe("ffv1", "yuv420p", (1078, 1918), options={"slices": "4"}, count=1)
    media = probe(write_video(tmp_path / "in.mkv", recipe))
    assert deliver(media, tmp_path / "o.mov").size == (1078, 1918)
    assert_same_frames(media, deliver(media, tmp_path / "o.mkv"))


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def folder_is_empty(folder: Path, *but: str) -> bool:
    return names_in(folder) == sorted(but)


@pytest.mark.parametrize("name", ["o.mov", "o.mkv", "o.mp4", "images", "o.%04d.exr"])
def test_error_while_writing_leaves_nothing(name: str, source: Media, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(writer: Writer) -> None:
        with Decoder(source) as decoder, writer:
            writer.write(converts(decoder.plate(0), source.format, form, source.tags))
            assert writer.partial_path.exists()
            raise Stopped

    codec = choose_codec(tmp_path / name, source, "plate")
    form = delivery_format(codec, source, "plate")
    with pytest.raises(Stopped):
        stop(Writer(Target(tmp_path / name, codec), media=source, frames=range(9), format=form))
    assert folder_is_empty(tmp_path)


def test_too_few_frames_is_an_error_and_leaves_nothing(source: Media, tmp_path: Path) -> None:
    form = delivery_format("ffv1", source, "plate")
    writer = Writer(Target(tmp_path / "o.mkv", "ffv1"), media=source, frames=range(3), format=form)
    with Decoder(source) as decoder, pytest.raises(OutputError, match="1 frames were written where 3"), writer:
        writer.write(decoder.plate(0))
    assert folder_is_empty(tmp_path)


@contextmanager
def little_room(size_bytes: int) -> Iterator[None]:
    """No file may grow beyond this size: the system's own way to say that there is no room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["o.mov", "o.mkv", "images"])
@pytest.mark.parametrize("room_bytes", [0, 900, 9000])
def test_disk_without_room_is_one_sentence_and_leaves_nothing(
    name: str, room_bytes: int, source: Media, tmp_path: Path
) -> None:
    if name == "images" and room_bytes == 9000:
        pytest.skip("each image is smaller than that")
    with pytest.raises(OutputError, match="make room"), little_room(room_bytes):
        deliver(source, tmp_path / name)
    assert folder_is_empty(tmp_path)


def test_target_that_exists_needs_overwrite(source: Media, tmp_path: Path) -> None:
    path = tmp_path / "o.mkv"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        check_target(Target(path, "ffv1"), source)
    assert path.read_text() == "mine"
    assert deliver(source, path, range(2), overwrite=True).frame_count == 2


def test_images_go_into_an_existing_folder_and_replace_only_their_like(source: Media, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    assert deliver(source, folder, range(4)).frame_count == 4
    with pytest.raises(OutputError, match="already holds images"):
        deliver(source, folder, range(2))
    assert deliver(source, folder, range(1, 3), overwrite=True).first_number == 1
    assert names_in(folder) == ["00001.png", "00002.png", "notes.txt"]
    assert folder_is_empty(tmp_path, "out")


@pytest.mark.parametrize(
    ("path", "codec", "words"),
    [
        ("no/such/o.mov", "prores422hq", "does not exist"),
        ("o.avi", "ffv1", "end its name in .mkv"),
        ("o.mp4", "prores422hq", "end its name in .mov"),
        ("one.png", "png", r"write one\.%05d\.png"),
        ("o.%04d.png", "exr", r"\.exr"),
        ("o.mov", "av1", "is not a codec"),
        ("o.mxf", "dnxhr-hqx", "smaller than 256x120"),
        (".", "ffv1", "end its name"),
    ],
)
def test_target_that_cannot_be_is_refused(path: str, codec: str, words: str, source: Media, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=words):
        check_target(Target(tmp_path / path, codec), source)
    assert folder_is_empty(tmp_path)


def test_target_that_is_the_source_is_refused(source: Media, tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(source.path)
    for path in (source.path, link):
        with pytest.raises(OutputError, match="source itself"):
            check_target(Target(path, "h264", overwrite=True), source)
    folder = write_images(tmp_path / "in", "%04d.png", "png", [random_frame("gray", (8, 8))])
    for path in (folder, folder / "%04d.png", folder / "%05d.png"):
        with pytest.raises(OutputError, match="source itself"):
            check_target(Target(path, "png", overwrite=True), probe(folder))


def test_aac_in_mxf_is_refused_before_any_work(tmp_path: Path) -> None:
    media = probe(write_video(tmp_path / "in.mov", Recipe(size=(120, 256), count=2, audio="aac")))
    with pytest.raises(OutputError, match="cannot hold the source's audio"):
        check_target(Target(tmp_path / "o.mxf", "dnxhr-hqx"), media)
    check_target(Target(tmp_path / "o.mxf", "dnxhr-hqx"), media, audio=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_an_access_error(source: Media, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(AccessError, match="may not be written"):
        check_target(Target(folder / "o.mov", "prores422hq"), source)


def test_turned_picture_is_refused_where_it_cannot_be_said(source: Media, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="turned by 90 degrees"):
        check_target(Target(tmp_path / "o.%04d.exr", "exr"), replace(source, rotation_degrees=90))


def test_codec_follows_ending_depth_and_delivery(source: Media) -> None:
    deep = replace(source, format=replace(source.format, bit_depth=10))
    full = replace(source, format=replace(source.format, chroma_shift=(0, 0)))
    assert choose_codec(Path("a.mov"), source, "plate") == "prores422hq"
    assert choose_codec(Path("a.mov"), source, "patch") == "prores4444"
    assert choose_codec(Path("a.mov"), full, "plate") == "prores4444"
    assert choose_codec(Path("a.mkv"), source, "matte") == "ffv1"
    assert choose_codec(Path("a.mp4"), source, "plate") == "h264"
    assert choose_codec(Path("a.mp4"), deep, "plate") == "hevc"
    assert choose_codec(Path("a.mxf"), source, "plate") == "dnxhr-hqx"
    assert choose_codec(Path("a"), source, "plate") == "png"
    assert choose_codec(Path("a.%04d.exr"), source, "plate") == "exr"
    with pytest.raises(OutputError, match=r"end its name in \.mov"):
        choose_codec(Path("a.gif"), source, "plate")
    with pytest.raises(OutputError, match="holds no alpha"):
        delivery_format("h264", source, "patch")


def test_drop_frame_timecode_is_given_by_hand(source: Media, tmp_path: Path) -> None:
    form = delivery_format("prores422hq", source, "plate")
    wanted = Timecode.parse("00:10:00;00", NTSC)
    target = Target(tmp_path / "o.mov", "prores422hq")
    writer = Writer(target, media=source, frames=range(1), format=form, first_timecode=wanted)
    with Decoder(source) as decoder, writer:
        writer.write(converts(decoder.plate(0), source.format, form, source.tags))
    assert probe(target.path).start_timecode == wanted
