"""What a person sees of the page, and does on it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from plugin.page.fake_gateway import FakeGateway
from plugin.page.fake_shot import Shot

PATIENCE_SECONDS = 60.0
"""Only a page that fails waits so long, or a machine that does much else."""
_CANVAS_SIZE = "() => ['width', 'height'].map((side) => document.querySelector('#view')[side])"
_ASIDE = ("Failed to load resource", "net::ERR_", "ERR_EMPTY_RESPONSE")


class Scene(Protocol):
    """A server with the walker."""

    @property
    def page(self) -> str:
        """The address, with its code."""

    @property
    def shot(self) -> Shot:
        """What there is to be seen."""


class PickerPage:
    """One tab."""

    def __init__(self, scene: Scene, context: Any, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.scene, self.context, self.patience_seconds = scene, context, patience_seconds
        self.tab = context.new_page()
        self.tab.set_default_timeout(patience_seconds * 1000)
        self.faults: list[str] = []
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.on("console", self._listen)
        self.scale = 0.0  # fitted
        self.tab.goto(scene.page)

    @property
    def fake(self) -> FakeGateway:
        """The scene, where it is a fake one."""
        assert isinstance(self.scene, FakeGateway)
        return self.scene

    def _listen(self, message: Any) -> None:
        if message.type == "error" and not any(each in message.text for each in _ASIDE):
            self.faults.append(message.text)

    def opened(self) -> PickerPage:
        """Waits for the first frame."""
        self.until(lambda: "closed" not in (self.tab.locator("body").get_attribute("class") or ""))
        self.until(lambda: self.canvas().max() > 40)
        return self

    def until(self, holds: Callable[[], bool]) -> None:
        """Waits for something, and fails where it does not come."""
        end = time.monotonic() + self.patience_seconds
        while not holds():
            assert time.monotonic() < end, f"it did not come: {self.text('#status')!r}, {self.text('#told')!r}"
            self.tab.wait_for_timeout(30)

    def text(self, place: str) -> str:
        return str(self.tab.locator(place).text_content())

    def strip(self) -> str:
        return str(self.tab.locator("#strip").get_attribute("aria-valuetext"))

    @property
    def frame(self) -> int:
        return int(self.text("#number"))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tab.keyboard.press(key)

    def zoom_to_pixels(self) -> None:
        self.press("9")
        self.scale = 1.0

    def canvas(self) -> NDArray[np.uint8]:
        """uint8 [H,W,3] RGB, as it stands on the screen."""
        address = self.tab.evaluate("() => document.querySelector('#view').toDataURL('image/png')")
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
        return np.asarray(picture, np.uint8)[..., ::-1]

    def picture(self) -> NDArray[np.uint8]:
        """The shot's part of the canvas, one screen pixel for each of its own."""
        assert self.scale == 1.0
        canvas, shot = self.canvas(), self.scene.shot
        left, top = _corner(canvas.shape[1], shot.width), _corner(canvas.shape[0], shot.height)
        return canvas[max(0, top) : top + shot.height, max(0, left) : left + shot.width]

    def seen(self, picture: NDArray[Any]) -> NDArray[Any]:
        """What of a picture of the shot's size, [H,W] or [H,W,3], stands on the screen where it is larger than that."""
        shot = self.scene.shot
        width, height = self.tab.evaluate(_CANVAS_SIZE)
        left, top = max(0, -_corner(width, shot.width)), max(0, -_corner(height, shot.height))
        return picture[top : top + height, left : left + width]

    def place_of(self, x: float, y: float) -> tuple[float, float]:
        """Where a source pixel is on the screen."""
        box, shot = self.tab.locator("#view").bounding_box(), self.scene.shot
        assert box is not None
        scale = self.scale or min(box["width"] / shot.width, box["height"] / shot.height)
        left, top = (box["width"] - scale * shot.width) / 2, (box["height"] - scale * shot.height) / 2
        return box["x"] + left + (x + 0.5) * scale, box["y"] + top + (y + 0.5) * scale

    def click(self, x: float, y: float, *, alt: bool = False) -> None:
        if alt:
            self.tab.keyboard.down("Alt")
        self.tab.mouse.click(*self.place_of(x, y))
        if alt:
            self.tab.keyboard.up("Alt")

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.tab.mouse.move(*self.place_of(*start))
        self.tab.mouse.down()
        self.tab.mouse.move(*self.place_of(*end), steps=4)
        self.tab.mouse.up()

    def click_object(self) -> None:
        """On the disc, and waits for the answer."""
        self.click(*self.scene.shot.center(self.frame))
        # an event may tell of the key before the answer itself has come
        self.until(lambda: "key" in self.strip() and "Looking" not in self.text("#status"))

    def follow(self) -> None:
        self.tab.click("#both")
        self.until(lambda: self.text("#followed") == "All frames are followed.")


def _corner(screen: int, own: int) -> int:
    return (screen - own + 1) // 2
