"""The demo's shots by name."""

from __future__ import annotations

from collections.abc import Callable

from cleanplate_server.demo.parallax_shot import ParallaxShot
from cleanplate_server.demo.shot import Shot
from cleanplate_server.demo.street_shot import StreetShot

DEFAULT_SHOT = StreetShot.name

SHOTS: dict[str, Callable[[], Shot]] = {StreetShot.name: StreetShot, ParallaxShot.name: ParallaxShot}
"""What draws each."""
