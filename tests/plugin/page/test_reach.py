"""Who can use the page: by keys alone, by what is read out, in both languages, on a small screen."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from plugin.hosts.test_premiere_panel import CHECKS, LACKING, NODE
from plugin.page.fake_gateway import FakeGateway
from plugin.page.picker_page import PickerPage

Opener = Callable[..., PickerPage]
CONTROLS = {"button", "slider", "combobox", "textbox", "checkbox", "radio", "application", "ColorWell"}
KEPT_WORDS = re.compile(
    r"walker\.mov|walker_clean\.mov|prores|Apache-2\.0|CC-BY-NC-4\.0|grabcut|tracker|studio|plate|away|English|GiB|px|Cleanplate|"
    r"Alt|Shift|Ctrl|Space|Enter|Home|End|Delete|\b[A-Z]\b|dog|DaVinci Resolve"
)
COUNT_CONTROLS = """() => [...document.querySelectorAll('button, select, input, canvas[tabindex], summary')]
    .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled
        && !(each.type === 'radio' && !each.checked)).length"""
TELL_FOCUS = """() => {
    const each = document.activeElement;
    const seen = each.type === 'radio' ? each.nextElementSibling : each;
    const isShown = each === document.body || getComputedStyle(seen).outlineStyle !== 'none';
    return [each.id || each.className + each.ariaLabel + each.textContent + each.dataset.command, isShown].join();
}"""
FIND_COLLISIONS = """() => {
    const places = 'header > *, #bar > *, #transport > *, #foot > *';
    const shown = [...document.querySelectorAll(places)].filter((each) => each.checkVisibility());
    const boxes = shown.map((each) => [each.id || each.outerHTML.slice(0, 60), each.getBoundingClientRect()]);
    const isCut = (box) => box.right > innerWidth + 1 || box.bottom > innerHeight + 1;
    const isOver = (a, b) => a.width && b.width && a.left < b.right - 1 && b.left < a.right - 1
        && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    return [...boxes.filter(([, box]) => isCut(box)).map(([name]) => name),
        ...boxes.flatMap(([name, a], place) => boxes.slice(place + 1).filter(([, b]) => isOver(a, b))
            .map(([other]) => `${name} / ${other}`))];
}"""


def _named(page: PickerPage) -> list[tuple[str, str]]:
    """Role and name of all controls, as they are read out."""
    tree = page.context.new_cdp_session(page.tab).send("Accessibility.getFullAXTree")["nodes"]
    found = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree if not node["ignored"]]
    return [(role, name) for role, name in found if role in CONTROLS]


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_every_control_has_a_name(fake: FakeGateway, open_page: Opener, locale: str) -> None:
    page = open_page(fake, locale=locale).opened()
    page.click(*fake.shot.center(0))
    page.until(lambda: page.tab.locator("#candidates").is_visible())
    page.press("p")
    page.until(lambda: page.tab.locator("#takebox").is_visible() and page.tab.locator("#takes details").count() == 1)
    controls = _named(page)
    assert len(controls) > 40
    assert [each for each in controls if not each[1].strip()] == []


def test_page_is_used_by_keys_alone(page: PickerPage) -> None:
    page.tab.locator("#view").focus()
    page.press("Enter")
    x, y = page.fake.shot.center(0)
    for _ in range(round((320 - x) / 9)):
        page.press("ArrowLeft")
    page.press("Enter")
    page.until(lambda: "key" in page.strip())
    page.press("Escape", "ArrowRight")
    assert page.frame == 1
    page.press("f")
    page.until(lambda: page.text("#status") == "Followed to the end.")
    page.press("Control+Enter")
    page.press("Enter")
    page.until(lambda: page.text("#takes .state") == "finished")
    page.press("5")
    page.tab.locator("#wipe").focus()
    page.press("ArrowRight")
    assert page.tab.input_value("#wipe") == "501"
    assert page.fake.bodies("prompt")[0]["prompt"]["points"][0]["y"] == pytest.approx(y, abs=1)


def test_tabulator_reaches_every_control_and_shows_where_it_is(page: PickerPage) -> None:
    page.click_object()
    wanted = page.tab.evaluate(COUNT_CONTROLS)
    page.tab.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(wanted + 12):
        page.press("Tab")
        reached.add(page.tab.evaluate(TELL_FOCUS))
    assert [each for each in reached if each.endswith("false")] == []
    assert len([each for each in reached if not each.startswith(",")]) >= wanted


def test_chinese_browser_reads_chinese_and_may_switch(fake: FakeGateway, open_page: Opener) -> None:
    page = open_page(fake, locale="zh-CN").opened()
    page.click(*fake.shot.center(0))
    page.until(lambda: page.tab.locator("#candidates").is_visible() and page.tab.locator("#engines li").count() == 3)
    page.press("p", "?")
    page.until(lambda: page.tab.locator("#helping").is_visible() and page.tab.locator("#takes .state").count() == 1)
    told = page.tab.locator("body").inner_text() + " ".join(name for _, name in _named(page))
    assert re.findall(r"[A-Za-z]{2,}", KEPT_WORDS.sub("", told)) == []
    page.press("Escape")
    page.tab.select_option("#language", "en")
    page.until(lambda: page.text("#remove").startswith("Remove"))
    page.tab.reload()
    page.opened()
    assert page.text("#remove").startswith("Remove")


def test_languages_say_the_same_things(page: PickerPage) -> None:
    script = "async () => (await import('/page/{0}.js')).{0}"
    english, chinese = (page.tab.evaluate(script.format(each)) for each in ("english", "chinese"))
    assert english.keys() == chinese.keys()


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_nothing_is_cut_off_or_lies_over_another(fake: FakeGateway, open_page: Opener, size: tuple[int, int]) -> None:
    page = open_page(fake, viewport={"width": size[0], "height": size[1]}).opened()
    page.click_object()
    page.press("p")
    page.until(lambda: page.text("#status") == "The take is finished.")
    problems = page.tab.evaluate(FIND_COLLISIONS)
    assert problems == []
    assert page.tab.evaluate("document.querySelector('#view').clientHeight") >= 400


@pytest.mark.skipif(bool(LACKING), reason=LACKING)
def test_types_of_the_page_fit() -> None:
    assert NODE is not None
    compiler = CHECKS / "node_modules" / "typescript" / "bin" / "tsc"
    checked = subprocess.run([NODE, str(compiler), "-p", str(Path(__file__).parent)],
                             capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert checked.returncode == 0, checked.stdout
