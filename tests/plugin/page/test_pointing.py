"""Pointing at objects: what is said, what is shown, and taking it back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from plugin.page.fake_gateway import FakeGateway
from plugin.page.fake_shot import Mask, Shot, paint
from plugin.page.picker_page import PickerPage

Opener = Callable[..., PickerPage]


def _tinted(page: PickerPage) -> Mask:
    """Where the picture is not the plate."""
    plate = page.fake.shot.plate(page.frame)[..., ::-1]
    return np.asarray((page.picture() != plate).any(-1))


def _shows(page: PickerPage, mask: Mask, *, but_for_marks: bool = True) -> bool:
    found, said = _tinted(page), mask.copy()
    if but_for_marks:  # the click's own sign stands on the mask
        for point in page.fake.bodies("prompt")[-1]["prompt"]["points"]:
            x, y = round(point["x"]), round(point["y"])
            found[y - 9 : y + 10, x - 9 : x + 10] = said[y - 9 : y + 10, x - 9 : x + 10]
    return bool(np.array_equal(found, said))


def test_picture_at_one_to_one_is_every_pixel_of_the_frame(page: PickerPage) -> None:
    page.zoom_to_pixels()
    page.until(lambda: not _tinted(page).any())


def test_picture_enlarged_eight_times_is_not_smoothed(page: PickerPage) -> None:
    page.press("9", *"+++")
    assert page.text("#zoom") == "800 %"
    shot = page.fake.shot

    def block_is_one_value() -> bool:
        canvas = page.canvas()
        left, top = (canvas.shape[1] - 8 * shot.width) // 2, (canvas.shape[0] - 8 * shot.height) // 2
        x, y = -(left // 8) + 4, -(top // 8) + 4
        part = canvas[top + 8 * y : top + 8 * y + 160, left + 8 * x : left + 8 * x + 160]
        plate = shot.plate(0)[y : y + 20, x : x + 20, ::-1].repeat(8, 0).repeat(8, 1)
        return any(np.array_equal(np.roll(part, (dy, dx), (0, 1))[8:-8, 8:-8], plate[8:-8, 8:-8])
                   for dy in (-1, 0, 1) for dx in (-1, 0, 1))  # fmt: skip

    page.until(block_is_one_value)


def test_click_on_the_object_shows_the_servers_mask(page: PickerPage) -> None:
    page.zoom_to_pixels()
    page.click_object()
    page.until(lambda: _shows(page, page.fake.shot.disc(0)))
    assert page.text("#said") == "1 mark on this frame."


def test_alt_click_says_what_is_to_stay(page: PickerPage) -> None:
    page.click_object()
    page.click(600, 40, alt=True)
    page.until(lambda: len(page.fake.bodies("prompt")) == 2)
    points = page.fake.bodies("prompt")[-1]["prompt"]["points"]
    assert [point["side"] for point in points] == ["SIDE_INSIDE", "SIDE_OUTSIDE"]
    assert points[1]["x"] == pytest.approx(600, abs=1)
    assert points[1]["y"] == pytest.approx(40, abs=1)


def test_drag_says_a_box(page: PickerPage) -> None:
    page.zoom_to_pixels()
    page.drag((30, 100), (160, 250))
    page.until(lambda: "key" in page.strip())
    box = page.fake.bodies("prompt")[-1]["prompt"]["box"]
    assert [box[name] for name in ("x0", "y0", "x1", "y1")] == pytest.approx([30, 100, 160, 250], abs=1)


def test_brush_and_eraser_mend_the_mask_exactly(page: PickerPage) -> None:
    page.zoom_to_pixels()
    page.click_object()
    x, y = page.fake.shot.center(0)
    page.press("b")
    page.drag((x + 60, y), (x + 120, y))
    page.until(lambda: len(page.fake.bodies("prompt")) == 2)
    page.press("e")
    page.drag((x - 30, y + 20), (x - 10, y + 20))
    page.until(lambda: len(page.fake.bodies("prompt")) == 3)
    page.tab.mouse.move(5, 300)
    edits = page.fake.bodies("prompt")[-1]["edits"]
    assert [edit["side"] for edit in edits] == ["SIDE_INSIDE", "SIDE_OUTSIDE"]
    expected = page.fake.shot.disc(0)
    paint(expected, edits)
    page.until(lambda: _shows(page, expected))


def test_brush_on_a_followed_frame_begins_from_its_mask(page: PickerPage) -> None:
    page.click_object()
    page.follow()
    page.press(*["ArrowRight"] * 5, "b")
    page.until(lambda: "followed" in page.strip())
    page.drag((300, 60), (340, 60))
    page.until(lambda: "key" in page.strip())
    page.drag((400, 60), (440, 60))
    page.until(lambda: len(page.fake.bodies("prompt")) == 3)
    assert [body["base"] for body in page.fake.bodies("prompt")] == ["BASE_UNSPECIFIED", "BASE_CURRENT", "BASE_KEPT"]


def test_name_is_said_and_stays_in_its_field(page: PickerPage) -> None:
    page.tab.fill("#name", "disc")
    page.tab.press("#name", "Enter")
    page.until(lambda: "key" in page.strip())
    assert page.fake.bodies("prompt")[-1]["prompt"]["object_name"] == "disc"
    assert page.tab.input_value("#name") == "disc"
    page.tab.click("#hitnext")
    page.until(lambda: page.text("#hit") == "Hit 2" and page.text("#said") == "1 mark on this frame.")
    assert page.fake.bodies("prompt")[-1]["prompt"]["name_hit"] == 2
    page.tab.click("#hitnext")
    page.until(lambda: page.tab.locator("#problem").is_visible())
    page.tab.click("#hitbefore")
    page.until(lambda: page.tab.locator("#problem").is_hidden())


def test_outlines_are_stepped_through(page: PickerPage) -> None:
    page.zoom_to_pixels()
    page.click_object()
    page.until(lambda: page.text("#candidate") == "Outline 1 of 2 · 90 %")
    page.press("c")
    page.until(lambda: page.text("#candidate").startswith("Outline 2 of 2"))
    page.until(lambda: _shows(page, page.fake.shot.disc(0, 1.5)))
    page.press("Control+z")
    page.until(lambda: _shows(page, page.fake.shot.disc(0)))


def test_several_objects_have_names_and_colours_of_their_own(page: PickerPage) -> None:
    page.click_object()
    page.press("n")
    page.click(*page.fake.shot.center(0))
    page.until(lambda: page.tab.locator(".object").count() == 2 and len(page.fake.bodies("prompt")) == 2)
    assert [body["prompt"]["object_id"] for body in page.fake.bodies("prompt")] == [1, 2]
    page.until(lambda: page.tab.locator("input.name").nth(1).input_value() == "Object 2")
    page.tab.locator("input.name").nth(1).fill("Ball")
    page.tab.locator("input.name").nth(1).press("Enter")
    page.until(lambda: page.fake.session["objects"][1]["name"] == "Ball")
    page.tab.locator("input.color").nth(1).fill("#00ffaa")
    page.until(lambda: page.fake.session["objects"][1]["color"] == "#00ffaa")
    page.tab.locator(".object button.icon").nth(2).click()
    page.until(lambda: page.fake.session["objects"][1]["hidden"])


def test_changes_made_while_others_are_on_their_way_are_all_kept(page: PickerPage) -> None:
    page.click_object()
    page.fake.answer_seconds = 0.3
    page.tab.locator("#grow").fill("9")
    page.tab.locator("#feather").fill("5")
    page.tab.locator("input.name").first.fill("Ball")
    page.tab.locator("input.name").first.press("Enter")
    page.until(lambda: page.fake.session["settings"].get("grow_px") == 9)
    page.tab.wait_for_timeout(100)  # the server's word of the first change is here
    page.tab.locator(".object button.icon").first.click()
    page.until(lambda: page.fake.session["objects"][0]["hidden"])
    assert page.fake.session["objects"][0]["name"] == "Ball"
    assert (page.fake.session["settings"]["grow_px"], page.fake.session["settings"]["feather_px"]) == (9, 5)


def test_undo_and_redo_go_over_everything(page: PickerPage) -> None:
    page.click_object()
    page.click(600, 40, alt=True)
    page.until(lambda: page.text("#said") == "2 marks on this frame.")
    page.tab.locator("input.name").first.fill("Ball")
    page.tab.locator("input.name").first.press("Enter")
    page.tab.locator("#view").focus()
    page.tab.locator("#grow").fill("9")
    page.until(lambda: page.fake.session["settings"].get("grow_px") == 9)
    page.press("Delete")
    page.until(lambda: page.text("#said") == "Nothing said on this frame.")
    page.press(*["Control+z"] * 5)
    page.until(lambda: not page.fake.session["objects"][0]["prompts"] and page.tab.locator("#undo").is_disabled())
    assert page.fake.session["settings"].get("grow_px") is None
    assert page.fake.session["objects"][0]["name"] == "Object 1"
    page.press(*["Control+Shift+z"] * 4)
    page.until(lambda: page.fake.session["settings"].get("grow_px") == 9)
    assert len(page.fake.session["objects"][0]["prompts"][0]["prompt"]["points"]) == 2
    assert page.fake.session["objects"][0]["name"] == "Ball"


def test_deleted_object_comes_back_with_all_that_was_said(page: PickerPage) -> None:
    page.click_object()
    page.tab.locator(".object button.icon").nth(1).click()
    page.until(lambda: page.fake.session["objects"] == [])
    page.tab.locator("#view").focus()
    page.press("Control+z")
    page.until(lambda: [len(each["prompts"]) for each in page.fake.session["objects"]] == [1])
    page.until(lambda: "key" in page.strip())


def test_click_where_nothing_is_says_so_and_keeps_it(page: PickerPage) -> None:
    page.click(600, 40)
    page.until(lambda: page.text("#told") == "nothing was found there; click on the object itself")
    assert page.text("#problem") == page.text("#told")
    assert page.tab.locator("#again").is_visible()
    page.click(*page.fake.shot.center(0))
    page.until(lambda: "key" in page.strip() and page.tab.locator("#banner").is_hidden())
    assert len(page.fake.bodies("prompt")[-1]["prompt"]["points"]) == 2


def test_click_before_its_frame_has_arrived_counts_for_that_frame(fake: FakeGateway, open_page: Opener) -> None:
    page = open_page(fake).opened()
    fake.frame_seconds = 1.0
    page.press("End")
    page.click(*fake.shot.center(39))
    page.until(lambda: bool(fake.bodies("prompt")))
    assert fake.bodies("prompt")[0]["prompt"]["frame"] == "39"
    page.until(lambda: "key" in page.strip())


def test_edge_is_drawn_while_the_slider_moves_and_told_when_it_rests(page: PickerPage) -> None:
    page.zoom_to_pixels()
    page.click_object()
    page.until(lambda: _tinted(page).any())
    before = int(_tinted(page).sum())
    page.tab.locator("#grow").fill("16")
    page.until(lambda: int(_tinted(page).sum()) > 1.3 * before)
    assert page.text("#growvalue") == "16 px"
    page.until(lambda: page.fake.session["settings"].get("grow_px") == 16)


def test_large_media_is_pointed_at_in_its_own_pixels(make_fake: Callable[..., FakeGateway], open_page: Opener) -> None:
    fake = make_fake(shot=Shot(height=2160, width=3840, count=6))
    page = open_page(fake).opened()
    x, y = fake.shot.center(0)
    page.click(x + 100, y)
    page.until(lambda: "key" in page.strip())
    point = fake.bodies("prompt")[0]["prompt"]["points"][0]
    assert point["x"] == pytest.approx(x + 100, abs=3)
    page.tab.mouse.move(*page.place_of(x, y))
    for _ in range(3):
        page.tab.mouse.wheel(0, -100)
    page.until(lambda: page.text("#zoom") == "100 %")
