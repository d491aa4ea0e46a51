"""What goes wrong between the page and its server, and goes on without being loaded again."""

from __future__ import annotations

from collections.abc import Callable

from plugin.page.fake_gateway import FakeGateway
from plugin.page.picker_page import PickerPage

Opener = Callable[..., PickerPage]


def test_lost_connection_is_told_and_what_was_said_is_sent_then(page: PickerPage) -> None:
    page.click_object()
    page.fake.is_down = True
    page.until(lambda: page.text("#link") == "No connection")
    page.press("ArrowRight")
    page.click(*page.fake.shot.center(1))
    page.press("Control+z", "Control+Shift+z")
    page.until(lambda: "One change is kept" in page.text("#told"))
    page.fake.is_down = False
    page.until(lambda: page.text("#link") == "Connected" and page.tab.locator("#banner").is_hidden())
    page.until(lambda: len(page.fake.session["objects"][0]["prompts"]) == 2)
    page.until(lambda: "key" in page.strip())


def test_change_that_was_replaced_on_its_way_counts_once(page: PickerPage) -> None:
    page.click_object()
    x, y = page.fake.shot.center(0)
    page.fake.is_down = True
    page.until(lambda: page.text("#link") == "No connection")
    page.fake.down_seconds = 0.6
    page.click(x + 5, y)
    page.tab.wait_for_timeout(200)
    page.click(x + 9, y)  # while the one before is being tried
    page.until(lambda: "One change is kept" in page.text("#told"))
    page.fake.is_down = False
    page.until(lambda: len(page.fake.session["objects"][0]["prompts"][0]["prompt"]["points"]) == 3)


def test_server_that_was_started_again_is_found_as_it_was(page: PickerPage) -> None:
    page.click_object()
    page.follow()
    page.fake.is_down = True
    page.until(lambda: page.text("#link") == "No connection")
    page.fake.log.clear()
    page.fake.session["run"]["state"] = "STOPPED"
    page.fake.is_down = False
    page.tab.click("#retry")
    page.until(lambda: page.text("#link") == "Connected")
    page.press("ArrowRight")
    page.until(lambda: "followed" in page.strip())


def test_expired_link_says_how_to_get_in_and_keeps_everything(
    page: PickerPage, fake: FakeGateway, open_page: Opener
) -> None:
    page.click_object()
    fake.is_locked = True
    page.click(600, 40, alt=True)
    page.until(lambda: page.text("#link") == "Locked")
    assert "Open the page again" in page.text("#told")
    assert "One change is kept" in page.text("#told")
    open_page(fake, beside=page).opened()
    page.until(lambda: page.text("#link") == "Connected")
    page.until(lambda: len(fake.session["objects"][0]["prompts"][0]["prompt"]["points"]) == 2)


def test_page_with_an_old_link_says_so(fake: FakeGateway, open_page: Opener) -> None:
    page = open_page(fake).opened()
    fake.is_locked = True
    page.tab.goto(f"{fake.address}/pick/walk#old")
    page.tab.reload()
    page.until(lambda: page.text("#link") == "Locked")
    assert page.tab.locator("#banner").is_visible()
    page.tab.evaluate("code => { location.hash = code; }", "once")
    page.opened()


def test_two_tabs_show_the_same_session(page: PickerPage, fake: FakeGateway, open_page: Opener) -> None:
    other = open_page(fake, beside=page).opened()
    page.click_object()
    other.until(lambda: "key" in other.strip())
    other.tab.bring_to_front()
    other.press("Delete")
    other.until(lambda: other.text("#said") == "Nothing said on this frame.")
    page.until(lambda: page.text("#said") == "Nothing said on this frame.")
    page.tab.bring_to_front()
    page.press("Control+z")
    page.until(lambda: not page.fake.session["objects"][0]["prompts"])


def test_media_that_cannot_be_decoded_says_what_to_do(fake: FakeGateway, open_page: Opener) -> None:
    fake.undecodable = "frame 0 of walker.mov cannot be decoded (damaged); make a new copy of the file"
    page = open_page(fake)
    page.until(lambda: page.text("#told") == fake.undecodable)
    fake.undecodable = ""
    page.press("ArrowRight")
    page.opened()


def test_refused_command_is_told_in_the_servers_words(page: PickerPage) -> None:
    page.click_object()
    page.until(lambda: page.tab.locator("#both").is_enabled())
    page.fake.session["objects"][0]["prompts"] = []
    page.tab.click("#both")
    page.until(lambda: page.text("#told") == "no object has a key yet; click on one")
    page.tab.click("#dismiss")
    assert page.tab.locator("#banner").is_hidden()
