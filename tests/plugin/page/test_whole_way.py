"""The page against the real server with its embedded engines: from the click to the take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from gateways import RATE, facts_of
from media import X264, Recipe, write_video
from plugin.page.fake_shot import Shot
from plugin.page.picker_page import PickerPage
from plugin.page.real_scene import RealScene

Opener = Callable[..., PickerPage]
SHOT = Shot(height=180, width=320, count=12)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[RealScene]:
    frames = [
        av.VideoFrame.from_ndarray(SHOT.plate(number), "bgr24").reformat(format="yuv420p")
        for number in range(SHOT.count)
    ]
    recipe = Recipe(size=(SHOT.height, SHOT.width), count=SHOT.count, rate=RATE, options=X264, frames=frames)
    media = write_video(tmp_path / "walker.mov", recipe)
    made = RealScene.of(media, SHOT)
    made.start()
    yield made
    made.stop()


def test_object_is_clicked_on_followed_mended_filled_and_saved(scene: RealScene, open_page: Opener) -> None:
    page = open_page(scene).opened()
    page.zoom_to_pixels()
    page.until(lambda: page.text("#zoom") == "100 %")
    plain = page.picture()
    page.click_object()

    def shows_the_servers_mask() -> bool:
        mask, (x, y) = scene.mask(0), SHOT.center(0)
        tinted = (page.picture() != plain).any(-1)
        tinted[y - 9 : y + 10, x - 9 : x + 10] = mask[y - 9 : y + 10, x - 9 : x + 10]  # the click's own sign
        return bool(np.array_equal(tinted, mask))

    page.until(shows_the_servers_mask)
    assert (scene.mask(0) & SHOT.disc(0)).sum() > 0.9 * SHOT.disc(0).sum()
    page.follow()
    page.press(*["ArrowRight"] * 6)
    page.until(lambda: "followed" in page.strip())
    page.press("b")
    page.drag((150, 30), (180, 30))
    page.until(lambda: "key" in page.strip() and scene.mask(6)[30, 165])
    page.until(lambda: page.text("#followed") == "10 frames to follow again")
    page.press("Control+z")
    page.until(lambda: page.text("#followed") == "All frames are followed." and not scene.mask(6)[30, 165])

    page.press("Control+Enter", "Enter")
    page.until(lambda: page.tab.locator("#takes .state").count() == 1)
    page.tab.reload()
    page.opened()
    page.until(lambda: page.text("#takes .state") == "finished")
    assert (scene.media.parent / "walker_clean.mov").exists()
    page.press(*["ArrowRight"] * 3, "9", "4")
    x, y = SHOT.center(3)
    wall = SHOT.wall()[..., ::-1].astype(int)
    page.until(lambda: page.frame == 3 and bool(np.abs(page.picture()[y, x] - wall[y, x]).max() < 40))
    page.press("5")
    page.tab.locator("#wipe").fill("1000")
    page.until(lambda: bool(np.abs(page.picture()[y + 10, x - 10] - wall[y, x]).max() > 60))


def test_server_that_ends_under_the_page_is_found_again(scene: RealScene, open_page: Opener) -> None:
    page = open_page(scene).opened()
    page.click_object()
    scene.stop()
    page.until(lambda: page.text("#link") == "No connection")
    x, y = SHOT.center(0)
    page.click(x + 5, y)
    page.until(lambda: "One change is kept" in page.text("#told"))
    scene.start()
    page.until(lambda: page.text("#link") == "Connected" and page.text("#said") == "2 marks on this frame.")
    page.until(lambda: "key" in page.strip() and page.tab.locator("#banner").is_hidden())


def test_shot_that_a_host_announced_is_put_on_its_timeline(scene: RealScene, open_page: Opener) -> None:
    shot = scene.host.post("/v1/shots", {"resolve": facts_of(scene.media)}).json
    scene.announced, scene.session = shot["page"], shot["session"]
    page = open_page(scene).opened()
    assert page.text("#shotstate") == "DaVinci Resolve waits for clean media."
    page.click_object()
    page.until(lambda: page.tab.locator("#remove").is_enabled())
    page.tab.click("#remove")
    page.until(lambda: page.text("#shotstate").startswith("Clean media is ready."))
    placement = scene.host.get(f"/v1/{shot['name']}").json["placement"]
    assert Path(placement["path"]).exists()
    scene.host.post(f"/v1/{shot['name']}/report", {"state": "PLACED", "message": "Placed as a take."})
    page.until(lambda: page.text("#shotstate") == "Placed as a take.")
