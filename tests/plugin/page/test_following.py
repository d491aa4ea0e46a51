"""Moving through the range, following objects, judging and taking."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from plugin.page.fake_gateway import FakeGateway
from plugin.page.fake_shot import Shot
from plugin.page.picker_page import PickerPage

Opener = Callable[..., PickerPage]


def _states(fake: FakeGateway, state: str) -> list[int]:
    return sorted(frame for frame, row in fake.tracks.get(1, {}).items() if row["state"] == state)


def test_keys_of_editors_move_through_the_range(page: PickerPage) -> None:
    page.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert (page.frame, page.text("#timecode")) == (1, "01:00:00:01")
    page.press("Shift+ArrowRight")
    assert page.frame == 11
    page.press("i", "Shift+ArrowRight", "o", "Home")
    assert page.frame == 11
    page.until(lambda: page.text("#bounds") == "11 \u2013 21  (11 frames)")
    page.press("l", "l")
    assert page.text("#speed") == "2\u00d7"
    page.until(lambda: page.frame > 14)
    page.press("j")
    assert page.text("#speed") == "-1\u00d7"
    page.press("k")
    rests = page.frame
    page.tab.wait_for_timeout(150)
    assert page.frame == rests
    page.press("Space")
    page.until(lambda: page.frame != rests)
    page.press("Space", "Alt+x", "End")
    assert page.frame == 39


def test_in_and_out_are_the_frames_that_are_worked_on(page: PickerPage) -> None:
    page.press("Shift+ArrowRight", "i", "End", "ArrowLeft", "o")
    page.until(lambda: page.fake.session["range"]["frame_count"] == "29")
    assert page.fake.session["range"]["start_frame"] == "10"
    page.press("Control+z")
    page.until(lambda: page.fake.session["range"]["frame_count"] == "30")
    page.press("Alt+x")
    page.until(lambda: page.fake.session["range"]["frame_count"] == "40")
    page.press("ArrowLeft", "Home")
    assert page.frame == 0


def test_in_and_out_that_wait_for_the_server_stay_as_they_were_set(page: PickerPage) -> None:
    page.fake.answer_seconds = 0.3
    page.press("Shift+ArrowRight", "i", "Shift+ArrowRight", "o")
    shown = []

    def is_known(count: str) -> bool:
        shown.append(page.text("#bounds"))
        return bool(page.fake.session["range"]["frame_count"] == count)

    page.until(lambda: is_known("30"))
    page.tab.wait_for_timeout(100)  # the server's word of the first change is here
    page.until(lambda: is_known("11"))
    assert set(shown) == {"10 \u2013 20  (11 frames)"}


def test_in_and_out_only_bound_playing_while_a_host_waits(fake: FakeGateway, open_page: Opener) -> None:
    fake.session["shot"] = {"name": "shots/1", "host": "resolve", "clip_name": "w", "state": "WAITING", "message": ""}
    page = open_page(fake).opened()
    page.press("Shift+ArrowRight", "i")
    assert page.text("#bounds").startswith("10 ")
    assert fake.bodies("range") == []


def test_timeline_is_led_by_pointer_and_keys(page: PickerPage) -> None:
    box = page.tab.locator("#strip").bounding_box()
    assert box is not None
    page.tab.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 30)
    assert page.frame in (19, 20, 21)
    page.tab.locator("#strip").focus()
    page.press("Home")
    page.until(lambda: page.tab.locator("#strip").get_attribute("aria-valuenow") == "0")


def test_objects_are_followed_with_masks_as_they_come(page: PickerPage) -> None:
    page.fake.pace_seconds = 0.4
    page.click_object()
    page.press("ArrowRight", "ArrowRight")
    page.tab.click("#both")
    page.until(lambda: "followed" in page.strip())
    assert page.fake.session["run"]["state"] == "RUNNING"
    assert page.text("#followed").startswith("Following ")
    page.fake.pace_seconds = 0.0
    page.until(lambda: page.text("#status") == "Followed to the end.")
    assert len(_states(page.fake, "FOLLOWED")) == 39


def test_following_stops_and_keeps_what_it_found(page: PickerPage) -> None:
    page.fake.pace_seconds = 0.3
    page.click_object()
    page.press("f")
    page.until(lambda: len(_states(page.fake, "FOLLOWED")) > 2)
    page.press("s")
    page.until(lambda: page.text("#status").startswith("Stopped."))
    assert 2 < len(_states(page.fake, "FOLLOWED")) < 30


def test_mended_frame_is_followed_again_to_the_neighbouring_keys_only(page: PickerPage) -> None:
    page.click_object()
    page.follow()
    page.press("Shift+ArrowRight", "Shift+ArrowRight")
    page.click_object()
    page.follow()
    page.press("Shift+ArrowRight")
    page.click_object()
    page.until(lambda: page.text("#followed") == "18 frames to follow again")
    page.fake.pace_seconds = 0.0
    page.press("f")
    page.until(lambda: page.text("#followed") == "All frames are followed.")
    assert page.fake.session["run"]["frame_count"] == "18"
    page.press("ArrowUp")
    assert page.frame == 20


def test_learning_is_told_before_the_following_and_so_is_what_took_over(page: PickerPage) -> None:
    page.click_object()
    note = "large ran out of memory at frame 8; embedded follows the objects instead"
    run = {"kind": "PROPAGATE", "state": "RUNNING", "done_frame_count": "0", "frame_count": "39", "message": "",
           "frames_per_second": 0.0, "learned_update_count": "40", "update_count": "200", "notes": []}  # fmt: skip
    page.fake.session["run"] = run
    page.fake.touch()
    page.until(lambda: page.text("#followed") == "Learning 40 of 200")
    assert page.tab.locator("#stoprun").is_enabled()
    run.update(learned_update_count="200", done_frame_count="3", notes=[note])
    page.fake.touch()
    page.until(lambda: page.text("#followed") == "Following 3 of 39" and page.text("#runnotes") == note)


def test_run_that_the_servers_end_cut_off_is_told_until_it_is_done(page: PickerPage) -> None:
    page.click_object()
    page.fake.session["run"] = {
        "kind": "PROPAGATE", "state": "INTERRUPTED", "done_frame_count": "3", "frame_count": "39", "notes": [],
        "frames_per_second": 0.0, "learned_update_count": "0", "update_count": "0", "message": "the server ended",
    }  # fmt: skip
    page.fake.touch()
    page.until(lambda: page.text("#followed").startswith("The server ended while it followed; follow again"))
    page.follow()


def test_few_filled_frames_are_compared_by_wipe_difference_and_hole(page: PickerPage) -> None:
    page.zoom_to_pixels()
    page.click_object()
    page.press("p")
    page.until(lambda: page.text("#status") == "The take is finished.")
    assert page.fake.bodies("preview") == [{"start_frame": "0", "frame_count": 5}]
    shot = page.fake.shot
    before, after = shot.plate(0)[..., ::-1], shot.wall()[..., ::-1]
    page.tab.locator("#wipe").fill("150")
    x = round(0.15 * shot.width)

    def is_wiped() -> bool:
        seen, rows = page.picture(), slice(0, 170)  # the handle is in the middle
        return (np.array_equal(seen[rows, : x - 2], before[rows, : x - 2])
                and np.array_equal(seen[rows, x + 2 :], after[rows, x + 2 :]))  # fmt: skip

    page.until(is_wiped)
    page.press("6")
    difference = np.minimum(4 * np.abs(before.astype(int) - after.astype(int)), 255)
    page.until(lambda: np.array_equal(page.picture(), difference))
    page.press("4")
    page.until(lambda: np.array_equal(page.picture(), after))
    page.press("2")
    page.until(lambda: set(np.unique(page.picture()[..., 0])) == {0, 255})
    page.press("3")
    page.until(lambda: set(map(tuple, page.picture()[shot.disc(0)])) == {(0x9A,) * 3, (0x66,) * 3})
    page.press("1", "u")
    page.until(lambda: (page.picture()[shot.disc(0, 0.4)] == (255, 62, 165)).all(-1).any())
    page.press("End")
    page.until(lambda: page.text("#hint").startswith("No take has looked"))
    page.press("4")
    page.until(lambda: page.text("#hint") == "This frame is not in it; it holds 0\u20134.")


def test_wipe_is_dragged_by_its_edge(page: PickerPage) -> None:
    page.zoom_to_pixels()
    page.click_object()
    page.press("p")
    page.until(lambda: page.text("#status") == "The take is finished.")
    page.drag((320, 50), (480, 50))
    page.until(lambda: abs(int(page.tab.input_value("#wipe")) - 750) < 5)
    assert len(page.fake.bodies("prompt")) == 1


def test_needs_and_licences_are_told_before_the_job(page: PickerPage) -> None:
    page.click_object()
    page.until(lambda: page.text("#estimate") == "40 frames · roughly 1:35 · 1.5 of 8.0 GiB memory")
    assert "CC-BY-NC-4.0, not commercial" in page.text("#engines")
    assert page.text("#notes") == "39 frames are followed first."


def test_engine_is_chosen_and_left_to_the_server_again(page: PickerPage) -> None:
    page.click_object()
    engine = page.tab.get_by_role("combobox", name="Filling")
    page.until(
        lambda: engine.locator("option").all_text_contents() == ["Auto: studio", "studio", "plate", "away (not here)"]
    )
    engine.select_option("plate")
    page.until(lambda: page.fake.session["settings"]["engines"] == [{"kind": "inpainter", "name": "plate"}])
    engine.select_option("")
    page.until(lambda: page.fake.session["settings"]["engines"] == [])


def test_take_is_saved_where_the_person_says(page: PickerPage) -> None:
    page.click_object()
    page.tab.click("#remove")
    assert page.tab.input_value("#path") == "/media/walker_clean.mov"
    page.tab.fill("#path", "/media/taken.mov")
    page.tab.click("#save")
    page.until(lambda: "is there already" in page.text("#savefailure"))
    page.tab.check("#overwrite")
    page.tab.click("#save")
    page.until(lambda: page.text("#status") == "The take is finished.")
    take = page.fake.bodies("submit")[-1]
    assert (take["path"], take["overwrite"], take["omit_audio"]) == ("/media/taken.mov", True, False)
    assert "taken.mov" in page.text("#takes strong")
    page.tab.click("#takes summary")
    assert "1.2 % never seen" in page.text("#takes details")


def test_take_goes_to_the_timeline_of_a_host_that_waits(fake: FakeGateway, open_page: Opener) -> None:
    fake.session["shot"] = {
        "name": "shots/1",
        "host": "resolve",
        "clip_name": "walker",
        "state": "WAITING",
        "message": "",
    }
    page = open_page(fake).opened()
    page.click_object()
    page.until(lambda: page.tab.locator("#remove").is_enabled())
    assert page.text("#remove") == "Put on the timeline of DaVinci Resolve"
    page.tab.click("#remove")
    page.until(lambda: bool(fake.bodies("submit")))
    assert "path" not in fake.bodies("submit")[0]
    page.tab.click("#giveup")
    page.until(lambda: page.text("#shotstate") == "Given up. Nothing was changed.")


def test_job_is_cancelled_and_resumed(page: PickerPage) -> None:
    page.fake.pace_seconds = 0.1
    page.click_object()
    page.press("Control+Enter", "Enter")
    page.until(lambda: "frames/s" in page.text("#takes .stages"))
    page.tab.get_by_role("button", name="Cancel: walker_clean.mov").click()
    page.until(lambda: page.text("#takes .state") == "cancelled")
    page.fake.pace_seconds = 0.0
    page.tab.get_by_role("button", name="Resume: walker_clean.mov").click()
    page.until(lambda: page.text("#takes .state") == "finished")


def test_job_that_fails_says_why_and_may_be_tried_again(page: PickerPage) -> None:
    page.fake.fails = "the disk is full; free some space and resume"
    page.click_object()
    page.press("Control+Enter", "Enter")
    page.until(lambda: page.text("#takes .problem") == "the disk is full; free some space and resume")
    assert page.fake.session["objects"][0]["prompts"]
    page.tab.get_by_role("button", name="Resume: walker_clean.mov").click()
    page.until(lambda: page.text("#takes .state") == "finished")
    page.until(lambda: page.text("#takes .problem") == "")


def test_page_loaded_again_in_mid_job_finds_it(page: PickerPage) -> None:
    page.fake.pace_seconds = 0.1
    page.click_object()
    page.press("Control+Enter", "Enter")
    page.until(lambda: "frames/s" in page.text("#takes .stages"))
    page.tab.reload()
    page.opened()
    assert page.text("#takes .state") == "at work"
    page.until(lambda: "frames/s" in page.text("#takes .stages"))
    assert page.text("#said") == "1 mark on this frame."
    page.fake.pace_seconds = 0.0
    page.until(lambda: page.text("#takes .state") == "finished")


def test_range_of_one_frame_is_pointed_at_and_taken(make_fake: Callable[..., FakeGateway], open_page: Opener) -> None:
    page = open_page(make_fake(shot=Shot(count=1))).opened()
    page.press("Space", "ArrowRight", "l", "End")
    assert page.frame == 0
    assert page.tab.locator("#play").is_disabled()
    page.click_object()
    page.follow()
    page.press("p")
    page.until(lambda: page.text("#status") == "The take is finished.")
    assert page.fake.bodies("preview") == [{"start_frame": "0", "frame_count": 1}]
