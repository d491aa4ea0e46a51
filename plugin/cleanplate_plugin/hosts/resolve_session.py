"""From the clip under Resolve's playhead to clean media in its place: with clicks given, or by the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cleanplate.v1 import job_pb2, prompt_pb2, shot_pb2

from cleanplate_plugin.cleaning import Order, Watch, media_path, prepare, settle_use
from cleanplate_plugin.client import Client, ClientError
from cleanplate_plugin.errors import HostError, PluginError
from cleanplate_plugin.hosts.resolve import ResolveHost
from cleanplate_plugin.hosts.resolve_facts import shot_from_facts
from cleanplate_plugin.hosts.resolve_gateway import ShotGateway

Shot = shot_pb2.Shot

_WAIT_SECONDS = 1.0
_GONE_TRIES = 15


@dataclass(frozen=True)
class Clicks:
    """What is meant, on the frame under the playhead; pixels of the media.

    Args:
        inside: on the object.
        outside: on something else.
        box: left, top, right, bottom.
    """

    inside: Sequence[tuple[float, float]] = ()
    outside: Sequence[tuple[float, float]] = ()
    box: tuple[int, int, int, int] | None = None

    @property
    def are_given(self) -> bool:
        """Whether anything is meant."""
        return bool(self.inside or self.box)

    def prompt(self, frame: int) -> prompt_pb2.Prompt:
        """As the server takes it."""
        sides = ((self.inside, prompt_pb2.Point.SIDE_INSIDE), (self.outside, prompt_pb2.Point.SIDE_OUTSIDE))
        points = [prompt_pb2.Point(x=x, y=y, side=side) for clicks, side in sides for x, y in clicks]
        prompt = prompt_pb2.Prompt(frame=frame, points=points)
        if self.box:
            left, top, right, bottom = self.box
            prompt.box.CopyFrom(prompt_pb2.Box(x0=left, y0=top, x1=right, y1=bottom))
        return prompt


@dataclass(frozen=True)
class Wishes:
    """How it is to be done."""

    delivery: job_pb2.Delivery.ValueType = job_pb2.DELIVERY_PLATE
    effort: job_pb2.Effort.ValueType = job_pb2.EFFORT_BALANCED
    takes_folder: Path | None = None


def clean_here(host: ResolveHost, client: Client, clicks: Clicks, wishes: Wishes, *, watch: Watch) -> str:
    """Cleans the clip under the playhead by clicks on the frame there.

    Returns:
        One sentence: what was done.

    Raises:
        PluginError: the clip cannot be cleaned, or the media not be placed.
        ClientError: the server refused, or the job failed.
    """
    shot = host.current_shot()
    clip = client.open_clip(media_path(shot.use, remedy="relink it in Resolve"))
    shot = replace(shot, use=settle_use(shot.use, clip))
    order = Order((clicks.prompt(shot.prompt_frame),), delivery=wishes.delivery, effort=wishes.effort)
    cleaning = prepare(client, clip, shot.use, order, part=shot.part, takes_folder=wishes.takes_folder)
    return host.place(shot, cleaning.run(client, watch))


def clean_by_page(
    host: ResolveHost, gateway: ShotGateway, *, open_page: Callable[[str], object], sleep: Callable[[float], None]
) -> str:
    """Announces the clip under the playhead, lets a person click on the page, and places what comes of it.

    Returns:
        One sentence: what was done.

    Raises:
        PluginError: as for ``clean_here``; the gateway is told.
        ClientError: the gateway refused, or is gone.
    """
    facts = host.current_facts()
    announced = shot_from_facts(facts)
    shot = gateway.announce(facts)
    page = gateway.page(shot)
    host.tell(f"click what is to go, at {page}")
    open_page(page)
    try:
        ready = _wait_until_ready(host, gateway, shot, sleep)
    except KeyboardInterrupt:
        _report(host, gateway, shot, Shot.CANCELLED, "given up")
        raise
    try:
        gateway.check(ready.name, host.facts_of(announced.use.place))
        done = host.place_media(announced, ready.placement)
    except (PluginError, ClientError) as error:
        _report(host, gateway, ready, Shot.FAILED, error.sentence)
        raise
    _report(host, gateway, ready, Shot.PLACED, done)
    return done


def _report(
    host: ResolveHost, gateway: ShotGateway, shot: Shot, state: shot_pb2.Shot.State.ValueType, message: str
) -> None:  # fmt: skip
    """Tells the gateway what became of a shot; what was done in Resolve stays done when it cannot be told."""
    try:
        gateway.report(shot.name, state, message)
    except ClientError as error:
        host.tell(f"the server was not told of it ({error.sentence})")


def _wait_until_ready(host: ResolveHost, gateway: ShotGateway, shot: Shot, sleep: Callable[[float], None]) -> Shot:
    told, gone = "", 0
    while shot.state != Shot.READY:
        if shot.state == Shot.CANCELLED:
            raise HostError("the shot was given up on its page; nothing was changed")
        if shot.state == Shot.PLACED:
            raise HostError("this shot was placed already; nothing was changed")
        if shot.state == Shot.FAILED and shot.message != told:
            told = shot.message
            host.tell(f"{told} (change the clicks on the page and try again, or cancel there)")
        sleep(_WAIT_SECONDS)
        try:
            shot, gone = gateway.shot(shot.name), 0
        except ClientError as error:
            gone += 1
            if error.reason != "UNAVAILABLE" or gone == _GONE_TRIES:
                raise
    return shot
