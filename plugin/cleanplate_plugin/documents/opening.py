"""Opens any timeline file as a document, by its ending and, for XML, by its first element."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from cleanplate_plugin.documents.aaf import open_aaf
from cleanplate_plugin.documents.edl import EdlDocument
from cleanplate_plugin.documents.fcpxml import open_fcpxml
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.documents.xmeml import XmemlDocument
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import Document

_HEAD_BYTES = 65_536
_ROOT = re.compile(rb"<(xmeml|fcpxml)[\s>]")


def open_document(path: Path, rate: Fraction | None = None) -> Document:
    """Opens a timeline file.

    Args:
        path: ends with .otio, .otioz, .xml, .fcpxml, .fcpxmld (a folder), .edl or .aaf.
        rate: record frames a second, for an EDL, which does not say it.

    Raises:
        TimelineError: not there, of no known kind, or damaged.
    """
    ending = path.suffix.lower()
    if not (path.is_file() or (ending == ".fcpxmld" and path.is_dir())):
        raise TimelineError(f"{path} is not there, or is no file; give a timeline file")
    if ending in (".otio", ".otioz"):
        return OtioDocument.open(path)
    if ending == ".edl":
        return EdlDocument.open(path, rate)
    if ending == ".aaf":
        return open_aaf(path)
    if ending in (".fcpxml", ".fcpxmld") or (ending == ".xml" and _root_tag(path) == "fcpxml"):
        return open_fcpxml(path)
    if ending == ".xml" and _root_tag(path) == "xmeml":
        return XmemlDocument.open(path)
    raise TimelineError(
        f"{path.name} is no timeline that can be opened; give an .otio, .otioz, .fcpxml, .edl or .aaf file,"
        " or an .xml of Final Cut or Premiere"
    )


def _root_tag(path: Path) -> str:
    """Finds which of the two XML languages of timelines a file is written in; empty for neither."""
    with path.open("rb") as file:
        # In UTF-16 every second byte of these names is 0.
        head = file.read(_HEAD_BYTES).replace(b"\0", b"")
    found = _ROOT.search(head)
    return found[1].decode() if found else ""
