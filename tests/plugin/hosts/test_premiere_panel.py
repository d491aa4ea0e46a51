"""The panel's own checks, which need Node: its types against Premiere's, its tests, and what it says in Python."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cleanplate.v1 import job_pb2, shot_pb2
from cleanplate_plugin.errors import UnsupportedClipError
from cleanplate_plugin.hosts.premiere_facts import shot_from_facts
from cleanplate_plugin.timeline import Span
from google.protobuf import json_format

CHECKS = Path(__file__).resolve().parents[1] / "premiere"
NODE = shutil.which("node")
NODE_LOWEST = 20


def _lacking() -> str:
    if NODE is None:
        return "Node is not installed"
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < NODE_LOWEST:
        return f"Node is {version.strip()}, {NODE_LOWEST} is needed"
    if not (CHECKS / "node_modules" / "typescript").is_dir():
        return "the panel's checks are not installed: npm ci --prefix tests/plugin/premiere"
    return ""


LACKING = _lacking()
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING)


def _node(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert NODE is not None
    return subprocess.run(
        [NODE, *arguments], cwd=CHECKS, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False
    )


@pytest.fixture(scope="module")
def announced() -> dict[str, shot_pb2.AnnounceShotRequest]:
    """What the panel sends, by the edit that it stands on."""
    lines = [json.loads(line) for line in _node("print_facts.js").stdout.splitlines()]
    return {line["name"]: json_format.ParseDict(line["request"], shot_pb2.AnnounceShotRequest()) for line in lines}


def test_panel_types_fit_premieres_published_ones() -> None:
    checked = _node("node_modules/typescript/bin/tsc", "--noEmit")
    assert checked.returncode == 0, checked.stdout


def test_panel_tests_pass() -> None:
    tested = _node("--test")
    assert tested.returncode == 0, tested.stdout


def test_panel_plain_clip_read_as_the_shot_that_it_is(announced: dict[str, shot_pb2.AnnounceShotRequest]) -> None:
    shot = shot_from_facts(announced["plain"].premiere)
    assert shot.use.record_span == Span(100, 50)
    assert shot.needed == Span(10, 50)
    assert (shot.playhead, shot.prompt_frame, shot.part) == (20, 30, None)
    assert shot.use.media.start_frame == 90_000
    assert shot_from_facts(announced["timecode"].premiere).needed == shot.needed
    assert shot_from_facts(announced["part"].premiere).part == Span(10, 20)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ("gap", "nothing stands under the playhead"),
        ("nested", "nested sequence"),
        ("multicam", "multicam"),
        ("title", "no media file"),
        ("offline", "offline"),
        ("retimed", "50 %"),
        ("locked", "locked track"),
    ],
)
def test_panel_clip_that_cannot_be_cleaned_refused(
    announced: dict[str, shot_pb2.AnnounceShotRequest], edit: str, why: str
) -> None:
    with pytest.raises(UnsupportedClipError, match=why):
        shot_from_facts(announced[edit].premiere)


def test_panel_reads_placements_by_the_names_that_the_proto_gives() -> None:
    placement = shot_pb2.Placement(delivery=job_pb2.DELIVERY_PLATE, record_frame_count=2**60)
    written = json_format.MessageToDict(
        placement, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    types = (CHECKS.parents[2] / "plugin/premiere/js/types.d.ts").read_text(encoding="utf-8")
    fields = types.partition("export type Placement = {")[2].partition("};")[0]
    assert {line.strip().partition(":")[0] for line in fields.strip().splitlines()} == set(written)
    assert (written["delivery"], written["record_frame_count"]) == ("DELIVERY_PLATE", str(2**60))
