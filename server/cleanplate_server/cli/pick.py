"""``pick``: the page where a person clicks on the picture, for a file or for a clip of a timeline."""

from __future__ import annotations

import signal
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import FrameType

import click
import grpc
from cleanplate.v1 import media_pb2, picker_pb2
from cleanplate_plugin.cleaning import media_path, needed_range, settle_use
from cleanplate_plugin.client import Client, ClientError, rational
from cleanplate_plugin.documents.opening import open_document
from cleanplate_plugin.gateway.calling import GatewayCalls

from cleanplate_server.cli.operations import absolute, voice_options
from cleanplate_server.cli.report import Report
from cleanplate_server.cli.serving import gateway_to
from cleanplate_server.cli.sessions import Place
from cleanplate_server.cli.timeline_selection import Wanted, choose, media_part
from cleanplate_server.cli.times import MediaTimeline, Moment, MomentType, RateType
from cleanplate_server.config import Settings
from cleanplate_server.errors import StateError
from cleanplate_server.service.server import Server

_WAIT_SECONDS = 0.5
"""Windows lets Ctrl-C through only between waits."""
_WATCH = "/cleanplate.v1.SessionService/WatchSession"


@dataclass(frozen=True)
class PickOptions:
    """What was given; the fields are the names of click's parameters."""

    media: str
    clip: str = ""
    track: int | None = None
    at: Moment | None = None
    first: Moment | None = None
    last: Moment | None = None
    handles: int = 0
    stream: int = 0
    rate: Fraction | None = None
    fresh: bool = False
    no_open: bool = False
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def names_a_clip(self) -> bool:
        """Whether MEDIA is a timeline, of which a clip is meant."""
        return bool(self.clip) or self.track is not None or self.at is not None


class PickCommand(click.Command):
    """Opens the page and, where no server runs, serves it until the person is done."""

    def invoke(self, ctx: click.Context) -> None:
        """Opens the page."""
        options = PickOptions(**ctx.params)
        report = Report(as_json=options.as_json, quiet=options.quiet, verbose=options.verbose)
        media, open_request = _media_of(options)
        done = threading.Event()
        signal.signal(signal.SIGTERM, lambda number, frame: _set(done, frame))
        with _server(ctx.ensure_object(Place), media) as (client, own):
            calls = GatewayCalls.discover(ctx.ensure_object(Place).settings().state_folder)
            request = open_request(client)
            session = calls.call("POST", "/v1/sessions", request, picker_pb2.Session)
            url = calls.url(session.page)
            report.json({"url": url, "session": session.name}) if options.as_json else report.result(url)
            if not options.no_open and not webbrowser.open(url):
                report.say("no browser could be opened; open the address above in one")
            if own:
                report.say("Ctrl-C, or Done on the page, ends it; what you did is kept")
                _wait_until_closed(client, session.name, done)


def _set(done: threading.Event, frame: FrameType | None) -> None:
    done.set()


class _OpenFile:
    """The request for a file's range."""

    def __init__(self, options: PickOptions, media: Path) -> None:
        self._options, self._media = options, media

    def __call__(self, client: Client) -> picker_pb2.OpenSessionRequest:
        options = self._options
        clip = client.open_clip(self._media, stream_index=options.stream, sequence_rate=options.rate)
        frames = MediaTimeline.of(clip).frame_range(options.first, options.last, options.handles)
        return _request(options, clip, frames, title="")


class _OpenUse:
    """The request for what a timeline's clip shows."""

    def __init__(self, options: PickOptions) -> None:
        self._options = options
        document = open_document(absolute(options.media), rate=options.rate)
        self._use = choose(document, Wanted(options.clip, options.track, options.at))
        self.media = media_path(self._use)

    def __call__(self, client: Client) -> picker_pb2.OpenSessionRequest:
        options = self._options
        clip = client.open_clip(self.media, stream_index=options.stream, sequence_rate=self._use.media.rate)
        use = settle_use(self._use, clip)
        part = media_part(use, MediaTimeline.of(clip), options.first, options.last)
        frames = needed_range(use, part, options.handles, clip.frame_count)
        return _request(options, clip, frames, title=use.name)


def _media_of(options: PickOptions) -> tuple[Path, _OpenFile | _OpenUse]:
    """The media to look at, and what asks for its session once a server is there."""
    if options.names_a_clip:
        use = _OpenUse(options)
        return use.media, use
    media = absolute(options.media)
    return media, _OpenFile(options, media)


def _request(
    options: PickOptions, clip: media_pb2.Clip, frames: media_pb2.FrameRange, *, title: str
) -> picker_pb2.OpenSessionRequest:  # fmt: skip
    rate = Fraction(clip.frame_rate.numerator, clip.frame_rate.denominator)
    return picker_pb2.OpenSessionRequest(
        path=clip.path, stream_index=options.stream, sequence_rate=rational(options.rate or rate), range=frames,
        title=title, fresh=options.fresh,
    )  # fmt: skip


@contextmanager
def _server(place: Place, media: Path) -> Iterator[tuple[Client, bool]]:
    """The server that runs, or one of our own with its gateway; and whether it is our own.

    Raises:
        ClientError: a server is there and refuses.
        StateError: no port for the page.
    """
    settings = place.settings()
    try:
        client = Client.discover(settings.state_folder, private=False)
    except ClientError as error:
        if error.code is not grpc.StatusCode.UNAVAILABLE:
            raise
        folder = media if media.is_dir() else media.parent
        allowed = [*settings.allowed_folders, folder, folder.resolve()]
        settings = Settings.load({**place.flags(), "allowed_folders": allowed})
        if not settings.gateway_ports:
            raise StateError(
                "the setting gateway_port is off, and the page needs it; set it to 0 or to a range of ports"
            ) from error
        with (
            Server(settings, private=True) as server,
            gateway_to(server, settings),
            Client(server.address, server.token) as own,
        ):
            yield own, True
        return
    with client:
        yield client, False


def _wait_until_closed(client: Client, name: str, done: threading.Event) -> None:
    """Waits until the person closes the session, or Ctrl-C."""
    stream = client.open_stream(
        _WATCH, picker_pb2.WatchSessionRequest(session=name), picker_pb2.WatchSessionResponse
    )  # fmt: skip

    def watch() -> None:
        try:
            closed = any(change.HasField("session") and change.session.closed for change in stream)
        except ClientError as error:
            closed = error.code is not grpc.StatusCode.CANCELLED
        if closed:
            done.set()

    watcher = threading.Thread(target=watch, name="pick")
    watcher.start()
    try:
        while not done.wait(_WAIT_SECONDS):
            pass
    except KeyboardInterrupt:
        return
    finally:
        stream.cancel()
        watcher.join()


pick = PickCommand(
    "pick",
    help="Click on the picture: opens a page in your browser, for a media file or with --clip for a timeline's clip.",
    params=[
        click.Argument(["media"], metavar="MEDIA|EDIT"),
        click.Option(["--in", "first"], type=MomentType(), help="First frame of the media, or its timecode."),
        click.Option(["--out", "last"], type=MomentType(), help="Last frame, included, or its timecode."),
        click.Option(["--handles"], type=click.IntRange(0), default=0, metavar="N", help="Spare frames on each side."),
        click.Option(["--rate"], type=RateType(), help="Frames a second of images, or of an EDL, that name none."),
        click.Option(["--stream"], type=click.IntRange(0), default=0, metavar="N", help="Video stream, from 0."),
        click.Option(["--clip"], default="", metavar="NAME", help="A clip of the timeline file EDIT."),
        click.Option(["--track"], type=click.IntRange(1), metavar="N", help="Its video track, from 1 at the bottom."),
        click.Option(["--at"], type=MomentType(), help="A moment of the timeline within it."),
        click.Option(["--fresh"], is_flag=True, help="Begin anew; else what you did before on these frames is there."),
        click.Option(["--no-open"], is_flag=True, help="Print the page's address and open no browser."),
        *voice_options(),
    ],
)
