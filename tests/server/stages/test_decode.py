"""Probing, frame-exact access, image sequences, and what is said of bad media."""

from __future__ import annotations

import os
import random
import shutil
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from cleanplate_server.clip import Plate, Timecode
from cleanplate_server.errors import AccessError, InputError, MediaError, NotFoundError, RangeError
from cleanplate_server.stages.decode import Decoder, probe
from cleanplate_server.stages.formats import to_planes
from cleanplate_server.stages.sequences import read_header
from media import (
    BT709,
    NTSC,
    SIZE,
    X264,
    Recipe,
    numbered_frame,
    random_frame,
    read_number,
    write_image,
    write_images,
    write_video,
)

ACCESS = {
    "b-frames": ("a.mp4", Recipe(options={**X264, "bf": "3", "x264-params": "b-pyramid=normal:bframes=3"})),
    "long gop": ("a.mov", Recipe(gop=250, count=60)),
    "open gop": ("a.mkv", Recipe(options={**X264, "x264-params": "open-gop=1:bframes=3:keyint=6:min-keyint=6"})),
    "mpeg2 open gop in ts": ("a.ts", Recipe("mpeg2video", options={"bf": "2", "qscale": "2"}, gop=6)),
    "hevc in mkv": ("a.mkv", Recipe("libx265", options={"preset": "fast", "x265-params": "log-level=none:keyint=8"})),
    "non-zero start": ("a.mp4", Recipe(pts=range(1000, 1024))),
    "intra": ("a.mov", Recipe("prores_ks", "yuv422p10le", options={})),
    "ffv1": ("a.mkv", Recipe("ffv1", "yuv420p", options={})),
    "vfr mkv": ("a.mkv", Recipe(time_base=Fraction(1, 1000), pts=[n * 40 + n % 5 * 7 for n in range(24)])),
    "vfr mp4": ("a.mp4", Recipe(time_base=Fraction(1, 90000), pts=[n * 3003 + n % 3 * 100 for n in range(24)])),
    "mxf": ("a.mxf", Recipe("mpeg2video", "yuv422p", options={"bf": "2", "qscale": "2"}, rate=Fraction(25))),
}


def equal(one: Plate, other: Plate) -> bool:
    return one.pts == other.pts and all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


@pytest.mark.parametrize("kind", ACCESS)
def test_plate_at_random_equals_sequential(kind: str, tmp_path: Path) -> None:
    name, recipe = ACCESS[kind]
    count = len(recipe.pts) or recipe.count
    media = probe(write_video(tmp_path / name, recipe))
    assert media.frame_count == count
    assert media.variable_rate == kind.startswith("vfr")
    with Decoder(media) as decoder:
        plates = list(decoder.plates(range(count)))
        assert [read_number(p.planes[0]) for p in plates] == list(range(count))
        assert [p.frame for p in plates] == list(range(count))
        asked = random.Random(3).choices(range(count), k=30)
        assert all(equal(decoder.plate(n), plates[n]) for n in [count - 1, 0, *asked])


def test_probe_mov_with_everything_says_all_of_it(tmp_path: Path) -> None:
    options = {**BT709, "profile": "3", "field_order": "2", "flags": "+ildct", "aspect": "4/3"}
    filters = "setparams=color_primaries=1:color_trc=1:colorspace=1:range=1:field_mode=tff,setsar=4/3"
    recipe = Recipe(
        "prores_ks",
        "yuv422p10le",
        options=options,
        filters=filters,
        timecode="01:00:00;02",
        reel="A001",
        audio="pcm_s24le",
    )
    media = probe(write_video(tmp_path / "a.mov", recipe))
    assert media.size == SIZE
    assert (media.rate, media.time_base, media.variable_rate) == (NTSC, Fraction(1, 30000), False)
    assert (media.format.name, media.format.bit_depth, media.format.chroma_shift) == ("yuv422p10le", 10, (1, 0))
    assert (media.tags.primaries, media.tags.transfer, media.tags.matrix) == (1, 1, 1)
    assert media.start_timecode == Timecode.parse("01:00:00;02", NTSC)
    assert (media.pixel_aspect, media.field_order, media.reel) == (Fraction(4, 3), "tt", "A001")
    assert [(a.codec, a.sample_rate, a.channel_count) for a in media.audio] == [("pcm_s24le", 48000, 2)]
    assert media.codec == "prores"


def test_probe_h264_tags_include_chroma_location(tmp_path: Path) -> None:
    options = {**X264, **BT709, "chroma_sample_location": "3", "color_trc": "16", "color_range": "2"}
    tags = probe(write_video(tmp_path / "a.mp4", Recipe(options=options))).tags
    assert (tags.transfer, tags.full_range, tags.chroma_location) == (16, True, 3)


def test_edit_list_leaves_out_what_is_not_shown(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", Recipe(gop=6, options={**X264, "bf": "2"}))
    with av.open(str(whole)) as source, av.open(str(tmp_path / "cut.mp4"), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.pts -= 4004
                packet.dts -= 4004
                packet.stream = copy
                target.mux(packet)
    media = probe(tmp_path / "cut.mp4")
    with Decoder(media) as decoder:
        assert [read_number(p.planes[0]) for p in decoder.plates(range(media.frame_count))] == list(range(4, 24))
        assert read_number(decoder.plate(1).planes[0]) == 5


@pytest.mark.parametrize("name", ["nv12", "nv21", "yuyv422", "uyvy422", "yuv422p", "yuv411p"])
def test_planes_of_8_bit_layouts_are_the_samples(name: str, tmp_path: Path) -> None:
    frame = random_frame(name)
    plate = raw_plate(tmp_path, frame)
    raw = frame.reformat(format={"nv21": "nv12", "yvyu422": "yuyv422"}.get(name, name))
    data = [np.frombuffer(p, np.uint8).reshape(-1, p.line_size) for p in raw.planes]
    width = SIZE[1]
    if name in ("nv12", "nv21"):
        expected = [data[0][:, :width], data[1][:, 0:width:2], data[1][:, 1:width:2]]
    elif name in ("yuyv422", "uyvy422"):
        first = 0 if name == "yuyv422" else 1
        lines = data[0][:, : 2 * width]
        expected = [lines[:, first::2], lines[:, 1 - first :: 4], lines[:, 3 - first :: 4]]
    else:
        expected = [lines[:, : width >> (0 if i == 0 else 2 if "411" in name else 1)] for i, lines in enumerate(data)]
    for plane, values in zip(plate.planes, expected, strict=True):
        np.testing.assert_array_equal(plane, values)
        assert not plane.flags.writeable


@pytest.mark.parametrize(("name", "order"), [("rgb24", "rgb"), ("bgr24", "bgr"), ("argb", "argb"), ("bgra", "bgra")])
def test_planes_of_packed_rgb_come_as_r_g_b(name: str, order: str, tmp_path: Path) -> None:
    frame = random_frame(name)
    step = len(order)
    packed = np.frombuffer(frame.planes[0], np.uint8).reshape(SIZE[0], -1)[:, : step * SIZE[1]].reshape(*SIZE, step)
    wanted = "rgba" if "a" in order else "rgb"
    for plane, letter in zip(raw_plate(tmp_path, frame).planes, wanted, strict=True):
        np.testing.assert_array_equal(plane, packed[..., order.index(letter)])


@pytest.mark.parametrize(
    ("name", "depth", "shift"), [("p010le", 10, 6), ("yuv420p10be", 10, 0), ("yuv444p12le", 12, 0)]
)
def test_planes_of_deep_formats_hold_low_bits_in_native_order(name: str, depth: int, shift: int) -> None:
    frame = random_frame(name)
    planes = to_planes(frame)
    stored = np.frombuffer(frame.planes[0], ">u2" if name.endswith("be") else "<u2").reshape(SIZE[0], -1)[:, : SIZE[1]]
    np.testing.assert_array_equal(planes[0], stored >> shift)
    assert planes[0].dtype == np.uint16
    assert max(int(plane.max()) for plane in planes) < 1 << depth


@pytest.mark.parametrize("name", ["gbrp", "gbrp10le", "gbrpf32le"])
def test_planes_of_planar_rgb_are_reordered(name: str) -> None:
    frame = random_frame(name)
    dtype = {"gbrp": "u1", "gbrp10le": "<u2", "gbrpf32le": "<f4"}[name]
    green = np.frombuffer(frame.planes[0], dtype).reshape(SIZE[0], -1)[:, : SIZE[1]]
    np.testing.assert_array_equal(to_planes(frame)[1], green)


def raw_plate(tmp_path: Path, frame: av.VideoFrame) -> Plate:
    """The frame through an uncompressed file and the decoder."""
    recipe = Recipe("rawvideo", frame.format.name, options={}, count=1, frames=[frame])
    media = probe(write_video(tmp_path / "raw.nut", recipe))
    assert media.format.name == frame.format.name
    with Decoder(media) as decoder:
        return decoder.plate(0)


SEQUENCES = [
    ("shot.%04d.png", "png", "rgb24", 8),
    ("shot.%04d.png", "png", "rgb48be", 16),
    ("shot.%04d.png", "png", "gray16be", 16),
    ("shot_%05d.tif", "tiff", "rgb24", 8),
    ("shot_%05d.tiff", "tiff", "rgb48le", 16),
    ("%d.exr", "exr", "gbrpf32le", 32),
    ("shot.%04d.exr", "exr", "gbrapf32le", 32),
    ("shot.%04d.dpx", "dpx", "gbrp10be", 10),
    ("shot.%04d.dpx", "dpx", "gbrp12le", 12),
    ("shot.%04d.dpx", "dpx", "rgb48be", 16),
]


@pytest.mark.parametrize(("pattern", "encoder", "name", "depth"), SEQUENCES)
def test_sequence_decodes_to_the_samples_written(
    pattern: str, encoder: str, name: str, depth: int, tmp_path: Path
) -> None:
    frames = [random_frame(name, (10, 15), seed=n) for n in range(3)]
    folder = write_images(tmp_path / "shot", pattern, encoder, frames, first=9)
    by_folder, by_pattern = probe(folder), probe(folder / pattern)
    assert by_folder == by_pattern
    assert (by_folder.first_number, by_folder.frame_count, by_folder.format.bit_depth) == (9, 3, depth)
    planar = [frame.reformat(format=_planar(name)) if depth < 32 else frame for frame in frames]
    with Decoder(by_folder) as decoder:
        for plate, frame in zip(decoder.plates(range(3)), planar, strict=True):
            for number, plane in enumerate(_rgb_planes(frame)):
                np.testing.assert_array_equal(plate.planes[number], plane)
        assert equal(decoder.plate(1), next(decoder.plates(range(1, 2))))


def _planar(name: str) -> str:
    if name.startswith("gray"):
        return "gray16le"
    return {"rgb24": "gbrp", "gbrp10be": "gbrp10le", "gbrp12le": "gbrp12le"}.get(name, "gbrp16le")


def _rgb_planes(frame: av.VideoFrame) -> list[np.ndarray]:
    name = frame.format.name
    dtype = "<f4" if "f32" in name else "u1" if name == "gbrp" else "<u2"
    planes = [np.frombuffer(p, dtype).reshape(frame.height, -1)[:, : frame.width] for p in frame.planes]
    return planes if name.startswith("gray") else [planes[2], planes[0], planes[1], *planes[3:]]


def test_jpeg_sequence_is_full_range_at_an_assumed_rate(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "j", "%03d.jpg", "mjpeg", [numbered_frame(n, "yuvj420p") for n in range(4)])
    media = probe(folder)
    assert (media.tags.full_range, media.rate, media.rate_assumed) == (True, Fraction(24), True)
    assert probe(folder, sequence_rate=Fraction(25)).rate == 25
    with Decoder(media) as decoder:
        assert [read_number(p.planes[0]) for p in decoder.plates(range(4))] == [0, 1, 2, 3]


def test_half_exr_decodes_to_the_same_values_in_float(tmp_path: Path) -> None:
    frame = random_frame("gbrpf32le", (10, 15))
    for plane in frame.planes:
        values = np.frombuffer(memoryview(plane), np.float32)
        values[:] = values.astype(np.float16)
    (tmp_path / "h").mkdir()
    write_image(tmp_path / "h" / "1.exr", "exr", frame, {"format": "half"})
    with Decoder(probe(tmp_path / "h")) as decoder:
        for plane, values in zip(decoder.plate(0).planes, _rgb_planes(frame), strict=True):
            assert plane.dtype == np.float32
            np.testing.assert_array_equal(plane, values)


def test_palette_and_one_bit_images_decode_to_8_bit(tmp_path: Path) -> None:
    black_white = numbered_frame(5, "gray").reformat(format="monob")
    folder = write_images(tmp_path / "m", "%03d.png", "png", [black_white])
    with Decoder(probe(folder)) as decoder:
        plane = decoder.plate(0).planes[0]
    assert set(np.unique(plane)) == {0, 255}
    assert read_number(plane) == 5


def test_exr_header_gives_rate_and_timecode(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "e", "%03d.exr", "exr", [random_frame("gbrpf32le", (8, 8))])
    image = folder / "001.exr"
    data = image.read_bytes()
    time = struct.pack("<II", 0x01020304 | 0x40, 0)
    added = b"timeCode\0timecode\0" + struct.pack("<i", 8) + time
    added += b"framesPerSecond\0rational\0" + struct.pack("<iiI", 8, 30000, 1001)
    image.write_bytes(data[:8] + added + data[8:])
    header = read_header(image)
    assert (header.rate, header.timecode) == (NTSC, "01:02:03;04")


def test_dpx_header_gives_rate_and_timecode(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "d", "%03d.dpx", "dpx", [random_frame("gbrp10be", (8, 8))])
    image = folder / "001.dpx"
    plain = image.read_bytes()
    data = bytearray(plain[:1664] + b"\xff" * 384 + plain[1664:])
    data[4:8] = struct.pack(">I", 2048)
    data[1920:1924] = struct.pack(">I", 0x10203004)
    data[1940:1944] = struct.pack(">f", 23.976)
    image.write_bytes(data)
    media = probe(folder)
    assert media.rate == Fraction(24000, 1001)
    assert not media.rate_assumed
    assert str(media.start_timecode) == "10:20:30:04"


def test_sequence_with_a_gap_names_the_first_missing_image(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "g", "a.%04d.png", "png", [random_frame("gray", (8, 8)) for _ in range(6)])
    (folder / "a.0003.png").unlink()
    (folder / "a.0005.png").unlink()
    with pytest.raises(MediaError, match=r"a\.0003\.png is missing"):
        probe(folder)


def test_sequence_with_another_size_is_refused(tmp_path: Path) -> None:
    sizes = [(8, 8), (8, 10), (8, 8)]
    folder = write_images(tmp_path / "s", "%04d.png", "png", [random_frame("gray", size) for size in sizes])
    with Decoder(probe(folder)) as decoder, pytest.raises(MediaError, match=r"0002\.png holds a picture of 10x8"):
        list(decoder.plates(range(3)))


def test_folder_with_two_sequences_asks_for_a_pattern(tmp_path: Path) -> None:
    for pattern in ("a.%04d.png", "b.%04d.png"):
        write_images(tmp_path / "t", pattern, "png", [random_frame("gray", (8, 8))])
    with pytest.raises(InputError, match="give one as a pattern"):
        probe(tmp_path / "t")
    assert probe(tmp_path / "t" / "b.%04d.png").frame_count == 1


def test_damaged_image_is_named(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "d", "%04d.png", "png", [random_frame("rgb24") for _ in range(3)])
    media = probe(folder)
    (folder / "0002.png").write_bytes((folder / "0002.png").read_bytes()[:200])
    with Decoder(media) as decoder, pytest.raises(MediaError, match=r"0002\.png cannot be decoded"):
        decoder.plate(1)


@pytest.mark.parametrize("part", [0.35, 0.6, 0.9])
@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("a.mp4", Recipe(container={"movflags": "faststart"}, count=40, options={**X264, "bf": "2"})),
        ("a.mov", Recipe("prores_ks", "yuv422p10le", options={}, container={"movflags": "faststart"}, count=20)),
        ("a.mkv", Recipe(count=40, options={**X264, "bf": "2"})),
    ],
)
def test_truncated_file_gives_its_good_frames_and_names_the_last(
    name: str, recipe: Recipe, part: float, tmp_path: Path
) -> None:
    whole = write_video(tmp_path / name, recipe)
    with Decoder(probe(whole)) as decoder:
        expected = list(decoder.plates(range(recipe.count)))
    data = whole.read_bytes()
    cut = tmp_path / f"cut{whole.suffix}"
    cut.write_bytes(data[: int(len(data) * part)])
    media = probe(cut)
    assert 0 < media.frame_count < recipe.count
    assert media.missing_frame_count >= 1
    with Decoder(media) as decoder:
        plates = list(decoder.plates(range(media.frame_count)))
        assert all(equal(one, other) for one, other in zip(plates, expected, strict=False))
        with pytest.raises(MediaError, match=f"frame {media.frame_count - 1} is the last good one"):
            decoder.plate(media.frame_count)


def test_mp4_without_its_index_says_that_it_is_unfinished(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", Recipe())
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(MediaError, match="ends before its index"):
        probe(cut)


def test_frame_damaged_in_the_middle_names_the_last_good_one(tmp_path: Path) -> None:
    recipe = Recipe("ffv1", options={"level": "3", "slicecrc": "1"}, count=10)
    path = write_video(tmp_path / "a.mkv", recipe)
    with av.open(str(path)) as container:
        positions = [p.pos for p in container.demux(video=0) if p.pts is not None]
    data = bytearray(path.read_bytes())
    for offset in range(200, 400):
        data[positions[5] + offset] ^= 0xFF
    path.write_bytes(data)
    with Decoder(probe(path)) as decoder:
        assert read_number(decoder.plate(4).planes[0]) == 4
        with pytest.raises(MediaError, match="frame 4 is the last good one"):
            decoder.plate(5)


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "no.mov", tmp_path / "no.%04d.exr", tmp_path / "no" / "no.%04d.exr"):
        with pytest.raises(NotFoundError):
            probe(path)


@pytest.mark.parametrize("name", ["notes.txt", "notes.mov", "list.m3u8", "empty.mp4"])
def test_file_that_is_not_media_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("" if name.startswith("empty") else "#EXTM3U\nhttp://127.0.0.1:9/x.ts\nnothing to see\n" * 9)
    with pytest.raises(MediaError):
        probe(path)


def test_timestamps_against_the_order_of_pictures_are_refused(tmp_path: Path) -> None:
    recipe = Recipe(options={**X264, "bf": "2"}, rate=Fraction(25))
    with pytest.raises(MediaError, match="contradict the order"):
        probe(write_video(tmp_path / "a.mxf", recipe))


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("a.avi", Recipe("mpeg4", options={"bf": "2", "qscale": "2"})),
        ("a.webm", Recipe("libvpx-vp9", options={"cpu-used": "8", "deadline": "realtime"})),
        ("fragments.mp4", Recipe(container={"movflags": "frag_keyframe+empty_moov"}, gop=8)),
        ("a.m2v", Recipe("mpeg2video", options={"bf": "2"})),
    ],
)
def test_other_containers_count_and_order_frames(name: str, recipe: Recipe, tmp_path: Path) -> None:
    media = probe(write_video(tmp_path / name, recipe))
    with Decoder(media) as decoder:
        assert [read_number(p.planes[0]) for p in decoder.plates(range(24))] == list(range(24))
        assert [read_number(decoder.plate(n).planes[0]) for n in (20, 3, 23)] == [20, 3, 23]


def test_sound_alone_has_no_video_stream(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48000)
        frame = av.AudioFrame("s16", "stereo", 1024)
        frame.sample_rate, frame.pts = 48000, 0
        container.mux(stream.encode(frame))
    with pytest.raises(MediaError, match="0 video streams"):
        probe(tmp_path / "a.wav")


def test_second_video_stream_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Recipe(count=2))
    with pytest.raises(MediaError, match="has 1 video streams, and stream 1"):
        probe(path, stream_index=1)


def test_one_image_asks_for_its_pattern(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "i", "shot.%04d.png", "png", [random_frame("gray", (8, 8))])
    with pytest.raises(InputError, match=r"shot\.%04d\.png"):
        probe(folder / "shot.0001.png")


def test_frame_beyond_the_media_is_a_range_error(tmp_path: Path) -> None:
    with Decoder(probe(write_video(tmp_path / "a.mp4", Recipe(count=5)))) as decoder:
        for frame in (-1, 5):
            with pytest.raises(RangeError, match="frames 0 to 4"):
                decoder.plate(frame)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_is_an_access_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Recipe(count=2))
    path.chmod(0)
    with pytest.raises(AccessError, match="may not be read"):
        probe(path)


def test_file_name_with_percent_and_colon_is_a_plain_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Recipe(count=2))
    odd = tmp_path / "http:%04d take 5%.mp4"
    shutil.move(path, odd)
    assert probe(odd).frame_count == 2
