"""The page's files: a fixed table, read once; no path of a request ever reaches the disk."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from cleanplate_plugin.gateway.exchange import Answer

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "shot.html": "text/html; charset=utf-8",
    "shot.js": "text/javascript; charset=utf-8",
    "calls.js": "text/javascript; charset=utf-8",
    "marks.js": "text/javascript; charset=utf-8",
    "view.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
    "shot.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

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
        folder = files("cleanplate_plugin.gateway") / "page"
        self._answers = {name: _answer((folder / name).read_bytes(), kind) for name, kind in _TYPES.items()}

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
