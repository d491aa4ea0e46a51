"""Who may call: the token for hosts, a cookie for pages, and no web page of anybody else.

Every page in a browser on this machine can send requests to the loopback. It does not know the token; it cannot read an
answer, for none allows another origin; and what it can make a browser send along, our cookie, counts only with our own
origin. A name that leads to 127.0.0.1 by somebody else's DNS does not pass as ``Host``. The cookie names what its
browser was given links for, and opens nothing else; it is signed, so that it is still good after a restart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

import grpc

from cleanplate_plugin.gateway.exchange import Caller, Request
from cleanplate_plugin.gateway.refusals import RefusedError

_CODE_SECONDS = 3600.0
"""A page is opened at once, or after a coffee."""
_CODE_LIMIT = 256
_COOKIE_SECONDS = 7 * 86400
_SCOPE_LIMIT = 32
"""Names that one browser's cookie opens; the longest unused is forgotten, for browsers keep small cookies only."""
_WEB_SCHEMES = ("http", "https")


class Access:
    """Checks requests. Safe to use from several threads.

    Args:
        token: what hosts must know.
        port: that the gateway listens on.
        key: signs cookies.
    """

    def __init__(self, token: str, port: int, key: bytes) -> None:
        self._expected = f"Bearer {token}".encode()
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self._cookie = f"cleanplate_{port}"
        self._key = key
        self._codes: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def check_place(self, request: Request) -> None:
        """Refuses a request that was not meant for this gateway, or that a foreign web page has sent.

        A panel of a host is no web page: what it gives as its origin, if anything, is ``null`` or has a scheme of the
        host's own. That passes here, and only the token lets it go further.

        Raises:
            RefusedError: PERMISSION_DENIED.
        """
        host = request.headers.get("host", "").lower()
        if host not in self._hosts:
            raise _forbidden(f"the request is for host {host!r}; send it to {self._hosts[0]}", "WRONG_HOST")
        origin = request.headers.get("origin", "")
        if origin.partition(":")[0].lower() in _WEB_SCHEMES and not self._is_own(request):
            raise _forbidden(f"a page of {origin} may not call Cleanplate; use its own page", "WRONG_ORIGIN")

    def caller(self, request: Request) -> Caller:
        """Who calls.

        Raises:
            RefusedError: UNAUTHENTICATED, a token that is wrong.
        """
        given = request.headers.get("authorization")
        if given is not None:
            if not hmac.compare_digest(given.encode(), self._expected):
                raise RefusedError(
                    "the token is wrong; read it anew from the file 'token' in the server's state folder",
                    grpc.StatusCode.UNAUTHENTICATED,
                    reason="WRONG_TOKEN",
                )
            return "host"
        return "page" if self._scopes(request) else "nobody"

    def check_scope(self, request: Request, name: str) -> None:
        """Refuses a page that was not given a link for what it asks for; hosts may ask for everything.

        Args:
            name: ``sessions/ID``.

        Raises:
            RefusedError: PERMISSION_DENIED.
        """
        if request.caller == "page" and name not in self._scopes(request):
            raise _forbidden(
                f"this page was not opened for {name}; open that one's own page from where it was announced",
                "NOT_THIS_PAGES",
            )

    def check_own_page(self, request: Request) -> None:
        """Refuses what another page has made the browser send.

        Raises:
            RefusedError: PERMISSION_DENIED.
        """
        site = request.headers.get("sec-fetch-site", "none")
        changes = request.method != "GET"
        if site not in ("none", "same-origin") or (
            (changes or "origin" in request.headers) and not self._is_own(request)
        ):
            raise _forbidden("another page has sent this; use Cleanplate's own page", "WRONG_ORIGIN")

    def new_code(self, *names: str) -> str:
        """A code that opens some names for one browser, within an hour."""
        code = secrets.token_urlsafe(32)
        with self._lock:
            self._codes[code] = time.monotonic() + _CODE_SECONDS, names
            while len(self._codes) > _CODE_LIMIT:
                self._codes.popitem(last=False)
        return code

    def open_session(self, code: str, request: Request) -> str:
        """Takes a code and gives the cookie's header, for what the code opens and what the browser had before.

        Raises:
            RefusedError: UNAUTHENTICATED, a code that is not known, was used or has become old.
        """
        with self._lock:
            known = next((each for each in self._codes if hmac.compare_digest(each.encode(), code.encode())), None)
            ends, names = self._codes.pop(known) if known else (0.0, ())
        if ends < time.monotonic():
            raise RefusedError(
                "this page's link was used already or is too old; open the page again from where you got it: your"
                " editing program, or `cleanplate pick`",
                grpc.StatusCode.UNAUTHENTICATED,
                reason="WRONG_CODE",
            )
        scopes = [*(name for name in self._scopes(request) if name not in names), *names][-_SCOPE_LIMIT:]
        value = self._sign(scopes, int(time.time()) + _COOKIE_SECONDS)
        return f"{self._cookie}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={_COOKIE_SECONDS}"

    def _sign(self, scopes: Iterable[str], ends: int) -> str:
        payload = base64.urlsafe_b64encode(json.dumps([ends, *scopes]).encode()).rstrip(b"=")
        return f"{payload.decode()}.{self._mac(payload)}"

    def _mac(self, payload: bytes) -> str:
        return hmac.new(self._key, self._cookie.encode() + b"=" + payload, hashlib.sha256).hexdigest()

    def _scopes(self, request: Request) -> tuple[str, ...]:
        """What the request's cookie opens; nothing where it has none of ours, or one that has ended."""
        try:
            morsel = SimpleCookie(request.headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ()
        payload, _, mac = (morsel.value if morsel else "").partition(".")
        if not payload.isascii() or not hmac.compare_digest(mac.encode(), self._mac(payload.encode()).encode()):
            return ()
        ends, *scopes = _decoded(payload)
        return tuple(map(str, scopes)) if isinstance(ends, int) and ends > time.time() else ()

    def _is_own(self, request: Request) -> bool:
        """Whether the origin is the very place that the request was sent to."""
        return request.headers.get("origin", "").lower() == f"http://{request.headers.get('host', '').lower()}"


def unauthenticated() -> RefusedError:
    """For a caller who is nobody."""
    return RefusedError(
        "the call has no token; send the one in the file 'token' of the server's state folder as"
        " 'Authorization: Bearer TOKEN', or open the page again from your editing program or `cleanplate pick`",
        grpc.StatusCode.UNAUTHENTICATED,
        reason="NO_TOKEN",
    )


def _decoded(payload: str) -> list[object]:
    """What we have signed."""
    try:
        found: list[object] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError) as error:
        raise AssertionError("a payload with our signature is ours") from error
    return found


def _forbidden(sentence: str, reason: str) -> RefusedError:
    return RefusedError(sentence, grpc.StatusCode.PERMISSION_DENIED, reason=reason, status=HTTPStatus.FORBIDDEN)
