"""The page against the real server with its embedded engines: from the click to the take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from cleanplate_server.models.registry import Registry
from gateways import RATE, facts_of
from media import X264, Recipe, write_video
from naming_server import BlobRegistry
from numpy.typing import NDArray
from plugin.page.fake_shot import Shot
from plugin.page.picker_page import PickerPage
from plugin.page.real_scene import RealScene

Opener = Callable[..., PickerPage]
SHOT = Shot(height=180, width=320, count=12)


SceneMaker = Callable[..., RealScene]
SECOND = (slice(150, 170), slice(280, 310))
"""Rows and columns of something else that is bright, in a shot of two things."""


def _write(folder: Path, shot: Shot, *, has_second: bool) -> Path:
    frames = []
    for number in range(shot.count):
        plate = shot.plate(number)
        if has_second:
            plate[SECOND] = (230, 230, 230)
        frames.append(av.VideoFrame.from_ndarray(plate, "bgr24").reformat(format="yuv420p"))
    recipe = Recipe(size=(shot.height, shot.width), count=shot.count, rate=RATE, options=X264, frames=frames)
    return write_video(folder / "walker.mov", recipe)


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[SceneMaker]:
    made: list[RealScene] = []

    def make(shot: Shot = SHOT, *, registry: Registry | None = None, has_second: bool = False) -> RealScene:
        made.append(RealScene.of(_write(tmp_path, shot, has_second=has_second), shot, registry=registry))
        made[-1].start()
        return made[-1]

    yield make
    for scene in made:
        scene.stop()


@pytest.fixture
def scene(make_scene: SceneMaker) -> RealScene:
    return make_scene()


def _exact(page: PickerPage, scene: RealScene) -> NDArray[np.uint8]:
    """uint8 [H,W,3] RGB: the picture once it is the server's, pixel by pixel."""
    body = scene.host.get(f"/v1/{scene.session}/frames/{page.frame}?encoding=png").body
    plain = page.seen(cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])
    page.until(lambda: bool(np.array_equal(page.picture(), plain)))
    return np.asarray(plain, np.uint8)


def _shows_the_servers_mask(page: PickerPage, scene: RealScene, plain: NDArray[np.uint8]) -> bool:
    mask, (x, y) = scene.mask(page.frame), scene.shot.center(page.frame)
    tinted = mask.copy()
    tinted[y - 9 : y + 10, x - 9 : x + 10] = False  # the click's own sign
    shown, sign = (page.picture() != plain).any(-1), page.seen(mask & ~tinted)
    return bool(np.array_equal(shown & ~sign, page.seen(tinted)))


def test_object_is_clicked_on_followed_mended_filled_and_saved(scene: RealScene, open_page: Opener) -> None:
    page = open_page(scene).opened()
    page.zoom_to_pixels()
    plain = _exact(page, scene)
    page.click_object()
    page.until(lambda: _shows_the_servers_mask(page, scene, plain))
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


def test_mask_on_4k_media_is_the_servers_to_the_pixel(make_scene: SceneMaker, open_page: Opener) -> None:
    shot = Shot(height=2160, width=3840, count=3)
    scene = make_scene(shot)
    page = open_page(scene, viewport={"width": 1280, "height": 1000}).opened()
    page.press("ArrowRight")
    assert shot.center(1) == (1920, 1080)  # the object stands in the middle, which is what is seen at one to one
    page.zoom_to_pixels()
    plain = _exact(page, scene)
    page.click_object()
    page.until(lambda: _shows_the_servers_mask(page, scene, plain))
    assert (scene.mask(1) & shot.disc(1)).sum() > 0.9 * shot.disc(1).sum()


def test_in_and_out_are_the_frames_that_the_server_works_on(scene: RealScene, open_page: Opener) -> None:
    page = open_page(scene).opened()
    page.click_object()
    page.press("ArrowRight", "ArrowRight", "i", *["ArrowRight"] * 5, "o")
    wanted = {"start_frame": "2", "frame_count": "6", "handle_frame_count": 0}
    page.until(lambda: bool(scene.kept["range"] == wanted))
    page.until(lambda: page.text("#bounds") == "2 \u2013 7  (6 frames)")
    page.press("Alt+x")
    page.until(lambda: bool(scene.kept["range"]["frame_count"] == str(SHOT.count)))
    page.press("Control+z")
    page.until(lambda: bool(scene.kept["range"] == wanted))


def test_engine_of_this_machine_is_chosen_and_others_say_that_they_are_not_here(
    scene: RealScene, open_page: Opener
) -> None:
    page = open_page(scene).opened()
    page.click_object()
    engine = page.tab.get_by_role("combobox", name="Filling")
    page.until(lambda: engine.locator("option").count() > 2)
    assert engine.locator("option:not([disabled])").all_text_contents() == ["Auto: embedded", "embedded"]
    assert all(text.endswith(" (not here)") for text in engine.locator("option[disabled]").all_text_contents())
    engine.select_option("embedded")
    page.until(lambda: bool(scene.kept["settings"]["engines"] == [{"kind": "inpainter", "name": "embedded"}]))
    page.until(lambda: page.text("#engines li:nth-child(3) .licence") == "Apache-2.0")
    engine.select_option("")
    page.until(lambda: bool(scene.kept["settings"]["engines"] == []))


def test_hits_of_a_name_are_stepped_through_and_past_the_last_the_server_says_so(
    make_scene: SceneMaker, open_page: Opener
) -> None:
    scene = make_scene(registry=BlobRegistry(), has_second=True)
    page = open_page(scene).opened()
    page.tab.fill("#name", "blob")
    page.tab.press("#name", "Enter")
    x, y = SHOT.center(0)
    page.until(lambda: "key" in page.strip() and bool(scene.mask(0)[y, x]))
    assert not scene.mask(0)[SECOND].any()
    page.tab.click("#hitnext")
    page.until(lambda: bool(scene.mask(0)[SECOND].mean() > 0.8 and not scene.mask(0)[y, x]))
    page.tab.click("#hitnext")
    page.until(lambda: page.tab.locator("#problem").is_visible() and "blob" in page.text("#problem"))
    page.tab.click("#hitbefore")
    page.until(lambda: page.tab.locator("#problem").is_hidden() and "key" in page.strip())
    assert scene.mask(0)[SECOND].mean() > 0.8


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
