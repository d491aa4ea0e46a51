"""The page's files: a table that is read once; no path of a request ever reaches the disk."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from cleanplate_plugin.gateway.exchange import Answer

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""By ending; files of other kinds in the folder are no part of the page."""

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


class Pages:
    """Answers with the page's files."""

    def __init__(self) -> None:
        self._answers = {
            file.name: _answer(file.read_bytes(), _TYPES[file.name.rpartition(".")[2]])
            for file in (files("cleanplate_plugin.gateway") / "page").iterdir()
            if file.name.rpartition(".")[2] in _TYPES
        }

    def find(self, name: str) -> Answer | None:
        """A file by its name; None when there is none."""
        return self._answers.get(name)


def _answer(body: bytes, content_type: str) -> Answer:
    headers = {
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "no-cache",
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"',
    }
    return Answer(body, content_type, headers=headers)
