"""Pictures of the picker's page on the demo's street, from the real server in a real browser.

PYTHONPATH=tests python tests/plugin/page/take_pictures.py OUT

OUT/picker-masks.jpg and OUT/picker-wipe.jpg stand in the README; the others are for looking at. A minute or two.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from cleanplate_server.demo.recording import record
from cleanplate_server.demo.shot import FRAME_COUNT, RATE, SIZE
from cleanplate_server.demo.street_shot import StreetShot
from playwright.sync_api import sync_playwright
from plugin.page.conftest import ARGUMENTS, CHROMIUM
from plugin.page.conftest import SIZE as WINDOW
from plugin.page.fake_shot import Shot
from plugin.page.picker_page import PickerPage
from plugin.page.real_scene import RealScene

_FRAME = 24
_STREET = StreetShot()
_NAMES = ("Walker", "Shadow")
_QUALITY = 88
_PATIENCE_SECONDS = 900.0
"""Other things may be going on on the machine."""


def _draw(folder: Path) -> Path:
    media = folder / "street.mov"
    record(media, (_STREET.frame(number).plate for number in range(FRAME_COUNT)), size=SIZE, rate=RATE)
    return media


class _Photographer:
    """Somebody who takes pictures of what they do.

    Args:
        scene: with the street.
        browser: that is open.
        out: folder for the pictures.
    """

    def __init__(self, scene: RealScene, browser: Any, out: Path) -> None:
        self._scene, self._browser, self._out = scene, browser, out
        self._contexts: list[Any] = []

    def open(self, **options: object) -> PickerPage:
        context = self._browser.new_context(**{"viewport": WINDOW, "locale": "en-US", **options})
        self._contexts.append(context)
        return PickerPage(self._scene, context, patience_seconds=_PATIENCE_SECONDS).opened()

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def take(self, page: PickerPage, name: str, *, is_shown: bool = False) -> None:
        """Takes a picture, once more as JPEG where the README shows it."""
        page.tab.mouse.move(4, 400)  # nothing under the pointer
        page.tab.evaluate("document.activeElement.blur()")
        page.tab.wait_for_timeout(1500)
        page.tab.screenshot(path=str(self._out / f"{name}.png"))
        if is_shown:
            page.tab.screenshot(path=str(self._out / f"picker-{name}.jpg"), type="jpeg", quality=_QUALITY)
        sys.stdout.write(f"{name}.png\n")


def _point(page: PickerPage, number: int) -> None:
    pointing = _STREET.pointings[number]
    left, top = _STREET.on_screen(_FRAME, *pointing.box[:2])
    right, bottom = _STREET.on_screen(_FRAME, *pointing.box[2:])
    page.drag((left, top), (right, bottom))
    _until_answered(page)
    page.click(*_STREET.on_screen(_FRAME, *pointing.click))
    _until_answered(page)


def _mend(page: PickerPage) -> None:
    """The shadow of the heel that stands apart."""
    page.press("b")
    page.tab.locator("#brushsize").fill("5")
    page.drag(_STREET.on_screen(_FRAME, -44, 0), _STREET.on_screen(_FRAME, 2, 8))
    _until_answered(page)
    page.press("v")


def _until_answered(page: PickerPage) -> None:
    page.tab.wait_for_timeout(200)
    page.until(lambda: "key" in page.strip() and "Looking" not in page.text("#status"))


def _name(page: PickerPage, number: int) -> None:
    field = page.tab.locator("#objects input.name").nth(number)
    field.fill(_NAMES[number])
    field.press("Enter")
    page.tab.locator("#view").focus()


def _go_to(page: PickerPage, frame: int) -> None:
    page.tab.locator("#view").focus()
    while page.frame != frame:
        page.press("ArrowRight" if page.frame < frame else "ArrowLeft")


def _wait_for_take(page: PickerPage) -> None:
    page.tab.wait_for_timeout(500)
    page.until(lambda: page.text("#takes .state") in ("finished", "failed"))


def _photograph(photographer: _Photographer, scene: RealScene) -> None:
    page = photographer.open(color_scheme="dark")
    photographer.take(page, "opened")
    _go_to(page, _FRAME)
    for number in range(len(_NAMES)):
        if number:
            page.press("n")
        _point(page, number)
        _name(page, number)
    _mend(page)
    photographer.take(page, "pointed")
    page.press("f")
    page.until(lambda: "Following" in page.text("#followed"))
    page.tab.wait_for_timeout(2500)
    photographer.take(page, "following")
    page.until(lambda: page.text("#followed") == "All frames are followed.")
    photographer.take(page, "masks", is_shown=True)
    page.press("p")
    _wait_for_take(page)
    page.press("5")
    middle, foot = _STREET.on_screen(_FRAME, 4, 0)
    page.drag((SIZE[1] / 2, foot), (middle, foot))
    photographer.take(page, "wipe", is_shown=True)
    for mode, name in (("2", "matte"), ("3", "hole"), ("4", "after"), ("6", "difference"), ("1", "judged")):
        page.press(mode)
        photographer.take(page, name)
    page.press("?")
    photographer.take(page, "keys")
    page.press("Escape", "Control+Enter")
    photographer.take(page, "saving")
    page.press("Escape")
    chinese = photographer.open(locale="zh-CN", color_scheme="light")
    _go_to(chinese, _FRAME)
    photographer.take(chinese, "chinese")
    chinese.press("?")
    photographer.take(chinese, "chinese-keys")
    light = photographer.open(color_scheme="light")
    _go_to(light, _FRAME)
    light.press("5")
    photographer.take(light, "light-wipe")
    scene.stop()
    page.until(lambda: page.text("#link") == "No connection")
    photographer.take(page, "lost")


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    if CHROMIUM is None:
        sys.exit("no browser: apt-get install chromium-headless-shell")
    with tempfile.TemporaryDirectory(prefix="cleanplate-pictures-") as folder, sync_playwright() as playwright:
        scene = RealScene.of(_draw(Path(folder)), Shot(height=SIZE[0], width=SIZE[1], count=FRAME_COUNT))
        scene.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        photographer = _Photographer(scene, browser, out)
        try:
            _photograph(photographer, scene)
        finally:
            photographer.close()
            browser.close()
            scene.stop()
    return 0


if __name__ == "__main__":
    sys.exit(_main())
