"""Timelines with takes in Kdenlive: its own OTIO import, driven by its menu, then saved and rendered.

Kdenlive 26.08 takes the last clip of a track from its file's first frame. So every track here ends with a clip that
is not looked at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.timeline import Span, Use
from hosts.barcode import decode, read_patch
from hosts.edits import NTSC, PAL, Cut, Edit, Footage, Gap, Track, write_footage, write_patch_take, write_take
from hosts.oracle import BLACK, Picture, assert_shows, clean, run

ROOT = Path(os.environ.get("HOSTS_SID", Path(__file__).parents[2] / "build/hosts-sid"))
"""A Debian with Kdenlive in it."""

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(not (ROOT / ".set-up").exists(), reason=f"no Kdenlive in {ROOT}; run make test-hosts as root"),
]

_TIMEOUT_SECONDS = 240
_ENTER = """
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mkdir -p "$1$2"
mount --bind "$2" "$1$2"
root=$1
shift 2
exec chroot "$root" dbus-run-session -- bash "$@"
"""
HANDLES = 12
PICTURES: list[Picture] = [*run(1, 12, 14), *run(2, 20, 20), *[BLACK] * 5, *run(2, 44, 8)]


@pytest.fixture(scope="module", params=[PAL, NTSC], ids=lambda rate: f"{float(rate):.2f}fps")
def footage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Footage]:
    folder = tmp_path_factory.mktemp("footage")
    return [write_footage(folder, clip, request.param) for clip in (1, 2)]


def _edit(folder: Path, footage: list[Footage]) -> OtioDocument:
    one, two = footage
    track: Track = [Cut(one, 12, 14), Cut(two, 20, 20), Gap(5), Cut(two, 44, 8), Cut(one, 0, 10)]
    return OtioDocument.open(Edit(one.rate, [track]).write(folder / "edit.otio"))


def _use(document: OtioDocument, record_start: int) -> Use:
    (use,) = [item for item in document.items() if isinstance(item, Use) and item.record_start == record_start]
    return use


def _render(document: OtioDocument, folder: Path) -> Path:
    """Has Kdenlive import a timeline and gives what melt renders of the project that it saved."""
    job = folder / f"job{len(list(folder.iterdir()))}"
    job.mkdir()
    document.export(job / "edit.otio", "kdenlive")
    shutil.copy(Path(__file__).with_name("kdenlive.sh"), job)
    media = sorted({str(use.media.path.parent) for use in document.items() if isinstance(use, Use) and use.media.path})
    script = [job / "kdenlive.sh", job / "edit.otio", job / "edit.kdenlive", job / "render.mkv"]
    shared = os.path.commonpath([*media, str(job)])
    enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-euc", _ENTER, "enter", ROOT, shared]
    result = subprocess.run(
        [str(part) for part in [*enter, *script]], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
    )
    assert result.returncode == 0, result.stderr
    return job / "render.mkv"


def test_a_clip_and_a_range_of_it_show_their_takes_and_the_originals_after_restore(
    tmp_path: Path, footage: list[Footage]
) -> None:
    document = _edit(tmp_path, footage)
    assert_shows(_render(document, tmp_path), PICTURES, tmp_path, ignores_rest=True)
    one, two = footage
    document.replace(_use(document, 0), write_take(tmp_path, one, 0, 38))
    document.replace(_use(document, 14), write_take(tmp_path, two, 26 - HANDLES, 7 + 2 * HANDLES), Span(6, 7))
    expected = clean(clean(PICTURES, 1), 2, range(20, 27))
    assert_shows(_render(document, tmp_path), expected, tmp_path, ignores_rest=True)
    assert document.restore() == 2
    assert_shows(_render(document, tmp_path), PICTURES, tmp_path, ignores_rest=True)


def test_a_patch_on_the_track_above_covers_the_object_frame_by_frame(tmp_path: Path, footage: list[Footage]) -> None:
    document = _edit(tmp_path, footage)
    take = write_patch_take(tmp_path, footage[1], 8, 40)
    document.lay_above(_use(document, 14), take, Span(5, 8))
    document.lay_above(_use(document, 14), take, Span(16, 4))
    render = _render(document, tmp_path)
    expected = clean(PICTURES, 2, range(19, 27))
    assert_shows(render, expected[:30], tmp_path, ignores_rest=True)
    patched = list(decode(render))[19:27]
    assert [read_patch(luma) for luma in patched] == [(2, frame) for frame in range(25, 33)]
