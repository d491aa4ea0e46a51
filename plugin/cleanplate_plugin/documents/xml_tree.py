"""XML as a tree that is written as it was read: comments, instructions, DOCTYPE, empty elements, encoding, line ends.

``xml.etree`` alone drops what stands before the root, and writes a carriage return as a line end. Files come from
anywhere, so whatever could make a small file grow (entities, boundless nesting) is refused.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from xml.etree.ElementTree import Comment, Element, ProcessingInstruction
from xml.parsers import expat

from cleanplate_plugin.errors import TimelineError

_DEEPEST = 200
"""Timelines nest about 30 deep; writing is recursive."""
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# fmt: off
_ENCODINGS = frozenset((
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "iso8859-2", "iso8859-15", "cp1250", "cp1251",
    "cp1252", "mac-roman", "shift_jis", "euc_jp", "cp932", "gb2312", "gbk", "gb18030", "big5", "euc_kr",
))
# fmt: on
"""Text in one of these is read as written; any other name may be a trick codec."""
_TEXT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_VALUE_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
)


@dataclass
class XmlFile:
    """A document in memory.

    Args:
        root: its tree; edit it.
        before: all that stands before the root.
        after: all that stands behind it.
        encoding: Python's name of it.
        mark: bytes that open the file.
        newline: the line end.
    """

    root: Element
    before: str
    after: str
    encoding: str
    mark: bytes = b""
    newline: str = "\n"

    def encode(self) -> bytes:
        """Writes the document in its own encoding."""
        text = self.before + serialise(self.root) + self.after
        text = text.replace("\n", self.newline)
        return self.mark + text.encode(self.encoding, "xmlcharrefreplace")


@dataclass
class _Builder:
    """Makes a tree of expat's events.

    Args:
        what: the file, for sentences.
        source: what is parsed, UTF-8.
        parser: gives the events.
    """

    what: str
    source: bytes
    parser: expat.XMLParserType
    root: Element | None = None
    first_byte: int = 0
    stop_byte: int = 0
    _open: list[Element] = field(default_factory=list)
    _last: Element | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _DEEPEST:
            raise TimelineError(f"{self.what} nests elements more than {_DEEPEST} deep; export it again")
        element = Element(tag, attributes)
        if self._open:
            self._open[-1].append(element)
        else:
            self.root, self.first_byte = element, self.parser.CurrentByteIndex
        self._open.append(element)
        self._last = None

    def end(self, tag: str) -> None:
        element = self._open.pop()
        at = self.parser.CurrentByteIndex
        # Hosts write both `<name/>`, whose end is reported behind it, and `<name></name>`, kept as an empty text.
        has_end_tag = len(element) > 0 or self.source[at - 2 : at] != b"/>"
        if has_end_tag and element.text is None:
            element.text = ""
        self._last = element
        if not self._open:
            self.stop_byte = self.source.index(b">", at) + 1 if has_end_tag else at

    def data(self, text: str) -> None:
        if not self._open:
            return
        parent = self._open[-1]
        if self._last is None:
            parent.text = (parent.text or "") + text
        else:
            self._last.tail = (self._last.tail or "") + text

    def comment(self, text: str) -> None:
        self._leaf(new_comment(text))

    def instruction(self, target: str, text: str) -> None:
        self._leaf(cast("Element", ProcessingInstruction(target, text or None)))

    def _leaf(self, leaf: Element) -> None:
        if self._open:
            self._open[-1].append(leaf)
            self._last = leaf

    def refuse_entity(self, name: str, *_: object) -> None:
        raise TimelineError(
            f"{self.what} defines or uses the entity '{name}', which no editing program writes; export it again"
        )


def read_xml(path: Path) -> XmlFile:
    """Reads a document.

    Raises:
        TimelineError: cannot be opened, is no XML, or is not fit to be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TimelineError(f"{path} cannot be read ({error.strerror}); check the path") from error
    mark, encoding = _encoding_of(data, path.name)
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise TimelineError(
            f"{path.name} is not written in {encoding} as it says (byte {error.start}); export it again as UTF-8"
        ) from error
    newline = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n")
    root, first, stop = _parse(text, path.name)
    source = text.encode()
    return XmlFile(root, source[:first].decode(), source[stop:].decode(), encoding, mark, newline)


def parse_fragment(text: str, what: str) -> Element:
    """Reads one element.

    Raises:
        TimelineError: it is not whole.
    """
    return _parse(text, what)[0]


def serialise(element: Element) -> str:
    """Writes an element without what follows it."""
    parts: list[str] = []
    _write(element, parts)
    return "".join(parts)


def new_comment(text: str) -> Element:
    """Makes a comment; the stubs give its tag another type than an element's."""
    return cast("Element", Comment(text))


def is_comment(element: Element) -> bool:
    """Whether a node is a comment."""
    tag: object = element.tag
    return tag is Comment


def _parse(text: str, what: str) -> tuple[Element, int, int]:
    parser = expat.ParserCreate("utf-8")
    source = text.encode()
    builder = _Builder(what, source, parser)
    parser.buffer_text = True
    parser.specified_attributes = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.CommentHandler = builder.comment
    parser.ProcessingInstructionHandler = builder.instruction
    parser.EntityDeclHandler = builder.refuse_entity
    parser.SkippedEntityHandler = builder.refuse_entity
    try:
        parser.Parse(source, True)
    except expat.ExpatError as error:
        raise TimelineError(f"{what} is not whole XML ({error}); export it again") from error
    assert builder.root is not None, "expat takes no document without a root"
    return builder.root, builder.first_byte, builder.stop_byte


def _write(element: Element, parts: list[str]) -> None:
    tag: object = element.tag
    if tag is Comment:
        parts.append(f"<!--{element.text or ''}-->")
    elif tag is ProcessingInstruction:
        parts.append(f"<?{element.text or ''}?>")
    else:
        parts.append(f"<{element.tag}")
        parts += [f' {name}="{value.translate(_VALUE_ESCAPES)}"' for name, value in element.attrib.items()]
        if element.text is None and not len(element):
            parts.append("/>")
            return
        parts.append(">" + (element.text or "").translate(_TEXT_ESCAPES))
        for child in element:
            _write(child, parts)
            parts.append((child.tail or "").translate(_TEXT_ESCAPES))
        parts.append(f"</{element.tag}>")


def _encoding_of(data: bytes, name: str) -> tuple[bytes, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return mark, encoding
    declared = _DECLARED.match(data[:200])
    if not declared:
        return b"", "utf-8"
    try:
        encoding = codecs.lookup(declared[1].decode("ascii")).name
    except LookupError:
        encoding = ""
    if encoding not in _ENCODINGS:
        raise TimelineError(
            f"{name} is written in '{declared[1].decode('ascii')}', which is not known here; export it as UTF-8"
        )
    return b"", encoding
