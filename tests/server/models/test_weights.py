from __future__ import annotations

from pathlib import Path

import pytest
from cleanplate_server.errors import InputError
from cleanplate_server.models.weights import manifest_file, read_manifest

ROW = """schema = 1
[[weights]]
name = "one"
file = "one.pth"
kind = "segmenter"
purpose = "clicks to masks"
licence = "MIT"
commercial_use = true
page = "https://example.org"
"""


def _write(folder: Path, text: str) -> Path:
    file = folder / "manifest.toml"
    file.write_text(text)
    return file


def test_manifest_of_this_version_is_sound() -> None:
    rows = {row.name: row for row in read_manifest(manifest_file())}
    assert not rows["e2fgvi"].commercial_use
    assert rows["rvm-mobilenetv3"].licence == "GPL-3.0-only"
    assert len(rows["rvm-mobilenetv3"].sha256) == 64


def test_row_without_hash_and_size_leaves_them_empty(tmp_path: Path) -> None:
    (row,) = read_manifest(_write(tmp_path, ROW))
    assert (row.sha256, row.bytes, row.url) == ("", 0, "")


def test_is_present_follows_the_file(tmp_path: Path) -> None:
    (row,) = read_manifest(_write(tmp_path, ROW))
    assert not row.is_present(tmp_path)
    (tmp_path / "one.pth").touch()
    assert row.is_present(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema = 1", "schema = 2", "its schema is 2"),
        ('"segmenter"', '"wizard"', "its kind 'wizard' is none of"),
        ("true", '"yes"', "needs true or false"),
        ('"one.pth"', '"../one.pth"', "no plain file name"),
        ("https://", "http://", "no https address"),
        ("purpose", "porpoise", "unknown entry 'porpoise'"),
        ("schema", "[[[", "it is not TOML"),
        ('page = "https://example.org"', 'page = "https://example.org"\nmd5 = "12"', "not 32 hex digits"),
        (ROW, ROW + 'parts = [{ file = "a", md5 = "1" }]', "a part with the unknown entry 'md5'"),
        (ROW, ROW + 'parts = [{ file = "../a" }]', "part '../a' is no plain file name"),
        (ROW, ROW + 'parts = [{ file = "a", sha256 = "1" }]', "not 64 hex digits"),
        (ROW, ROW + f'parts = [{{ file = "a" }}]\nmd5 = "{"0" * 32}"', "hashes belong to the parts"),
        (ROW, ROW + 'model_type = "bert"', "no part config.json"),
        (ROW, ROW + ROW.split("\n", 1)[1], "the name 'one' stands in it twice"),
    ],
)
def test_manifest_with_a_fault_is_refused_by_name(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(InputError, match="manifest") as caught:
        read_manifest(_write(tmp_path, ROW.replace(old, new)))
    assert words in str(caught.value)
