"""Runs inside Blender: strips as JSON to its sequence editor, rendered without loss.

blender -b --factory-startup -noaudio --python blender_vse.py -- STRIPS.json RENDER.mkv
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bpy

CHANNELS_A_TRACK = 3
"""Neighbours lie on two channels by turns, so that they can overlap; their dissolves on the third."""


def main() -> None:
    job, output = sys.argv[sys.argv.index("--") + 1 :]
    edit = json.loads(Path(job).read_text())
    scene = bpy.context.scene
    _set_up(scene, edit, output)
    sequences = scene.sequence_editor_create().sequences
    made = []
    for index, strip in enumerate(edit["strips"]):
        channel = (strip["track"] - 1) * CHANNELS_A_TRACK + 1
        made.append(_movie(sequences, strip, channel + index % 2))
    for index, start, stop in edit["dissolves"]:
        before, after = made[index], made[index + 1]
        channel = (edit["strips"][index]["track"] - 1) * CHANNELS_A_TRACK + 3
        sequences.new_effect(
            f"dissolve{index}", "CROSS", channel, frame_start=start, frame_end=stop, seq1=before, seq2=after
        )
    bpy.ops.render.render(animation=True)


def _movie(sequences, strip, channel):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # bpy has no types
    start = strip["record_start"] - strip["source_start"]
    movie = sequences.new_movie(strip["name"], strip["path"], channel, start)
    movie.frame_offset_start = strip["source_start"]
    movie.frame_final_duration = strip["frame_count"]
    movie.blend_type = "ALPHA_OVER"
    return movie


def _set_up(scene, edit, output):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # bpy has no types
    scene.frame_start, scene.frame_end = 0, edit["frame_count"] - 1
    render = scene.render
    render.resolution_y, render.resolution_x = edit["size"]
    render.resolution_percentage = 100
    # Blender has whole rates over a base: 30 over 1.001.
    render.fps, render.fps_base = round(edit["rate"]), round(edit["rate"]) / edit["rate"]
    # Anything but Standard is a film look.
    scene.display_settings.display_device = "sRGB"
    scene.view_settings.view_transform = "Standard"
    scene.sequencer_colorspace_settings.name = "sRGB"
    render.filepath = output
    render.use_file_extension = False
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MKV", "FFV1"


main()
