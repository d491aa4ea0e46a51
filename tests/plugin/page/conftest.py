"""A browser, a gateway that is quick and fails at will, and the page between them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from plugin.page.fake_gateway import FakeGateway
from plugin.page.fake_shot import Shot
from plugin.page.picker_page import PickerPage, Scene

# The shell is the same browser without its windows: it starts in a third of the time.
CHROMIUM = next(
    (found for name in ("chromium-headless-shell", "chromium", "google-chrome") if (found := shutil.which(name))), None
)
ARGUMENTS = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
SIZE = {"width": 1280, "height": 720}


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no browser: apt-get install chromium-headless-shell")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


Opener = Callable[..., PickerPage]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Opener]:
    """Opens pages; at the end none of them may have met a fault of its own."""
    opened: list[PickerPage] = []

    def open_one(scene: Scene, *, beside: PickerPage | None = None, **options: object) -> PickerPage:
        context = beside.context if beside else browser.new_context(**{"viewport": SIZE, "locale": "en-US", **options})
        opened.append(PickerPage(scene, context))
        return opened[-1]

    yield open_one
    for page in opened:
        page.context.close()
    assert [fault for page in opened for fault in page.faults] == []


@pytest.fixture
def make_fake() -> Iterator[Callable[..., FakeGateway]]:
    made: list[FakeGateway] = []

    def make(**options: Any) -> FakeGateway:
        made.append(FakeGateway(**options))
        return made[-1]

    yield make
    for fake in made:
        fake.stop()


@pytest.fixture
def fake(make_fake: Callable[..., FakeGateway]) -> FakeGateway:
    return make_fake(shot=Shot())


@pytest.fixture
def page(fake: FakeGateway, open_page: Opener) -> PickerPage:
    """The page, open on the walker."""
    return open_page(fake).opened()
