"""A reader in a real browser: a page opens with what was made, clips are held, contents in reach.

Each page of a finished study of the tests is opened, see conftest.py.
"""

import re
import time
from collections.abc import Callable

import pytest
from selenium.webdriver.common.by import By

from tests.browser import WIDTHS, Page

# Whether an element lies in the window, and on top of all others.
INSIDE = """
const box = arguments[0].getBoundingClientRect();
const top = document.elementFromPoint(box.left + box.width / 2, box.bottom - 5);
return box.top >= 0 && box.bottom <= innerHeight && arguments[0].contains(top);
"""


def until(true: Callable[[], bool]) -> bool:
    """Wait for at most five seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


def test_a_clip_is_held_played_and_stepped(page: Page) -> None:
    box = page.browser.find_element(By.CLASS_NAME, "clip")
    page.ask("arguments[0].scrollIntoView({block: 'center'})", box)
    assert until(lambda: len(box.find_elements(By.TAG_NAME, "button")) == 3)
    back, hold, on = box.find_elements(By.TAG_NAME, "button")
    told, canvas = (box.find_element(By.TAG_NAME, name) for name in ("output", "canvas"))
    assert (
        canvas.get_dom_attribute("aria-label")
        and not box.find_element(By.TAG_NAME, "img").is_displayed()
    )
    count = int(told.text.split()[-1])

    def moves() -> bool:
        frame = told.text
        time.sleep(1.2)  # longer than the last frame stays
        return told.text != frame

    # This reader prefers reduced motion.
    assert (hold.text, told.text) == ("Play", f"frame 1 of {count}")
    assert not moves()
    first = canvas.screenshot_as_png
    hold.click()
    assert until(moves) and hold.text == "Pause"
    # Out of sight it rests.
    page.ask("scrollTo(0, document.body.scrollHeight)")
    assert until(lambda: not moves())
    page.ask("arguments[0].scrollIntoView({block: 'center'})", box)
    assert until(moves)
    on.click()  # who steps, holds
    assert until(lambda: hold.text == "Play")
    assert not moves()
    hold.click()
    assert until(moves)
    hold.click()
    assert until(lambda: hold.text == "Play")
    assert not moves()
    while told.text != f"frame 1 of {count}":
        before = told.text
        back.click()
        assert until(lambda before=before: told.text != before)  # type: ignore[misc]
    assert canvas.screenshot_as_png == first
    back.click()
    assert until(lambda: told.text == f"frame {count} of {count}")
    assert canvas.screenshot_as_png != first
    on.click()
    assert until(lambda: told.text == f"frame 1 of {count}")


def test_a_clip_plays_by_itself_unless_its_reader_wants_no_motion(page: Page) -> None:
    page.emulate("prefers-reduced-motion", "no-preference")
    page.browser.refresh()
    try:
        box = page.browser.find_element(By.CLASS_NAME, "clip")
        page.ask("arguments[0].scrollIntoView({block: 'center'})", box)
        told = "return document.querySelector('.clip output')?.textContent"
        assert until(lambda: page.ask(told) not in (None, "") and "frame 1 " not in page.ask(told))
    finally:
        page.emulate("prefers-reduced-motion", "reduce")
        page.browser.refresh()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_contents_stay_in_reach(page: Page, width: int) -> None:
    page.resize(width)
    try:
        for share in (0.0, 0.5, 1.0):
            page.ask("scrollTo(0, document.body.scrollHeight * arguments[0])", share)
            contents = page.browser.find_element(By.CLASS_NAME, "contents")
            links = contents.find_elements(By.TAG_NAME, "a")
            if width < 1000:  # a menu, which a choice closes
                assert not links[0].is_displayed()
                contents.find_element(By.TAG_NAME, "summary").click()
            assert links[0].is_displayed()
            assert page.ask(INSIDE, contents)
            links[1].click()
            assert links[0].is_displayed() == (width > 1000)
    finally:
        page.resize(WIDTHS[0])


def test_nothing_lies_under_the_column_of_contents(page: Page) -> None:
    edge = page.ask("return document.querySelector('.contents').getBoundingClientRect().right")
    left = page.ask(
        "return Math.min(...[...document.querySelectorAll('p, figure, h2')]"
        ".filter(it => it.offsetParent && !it.closest('.contents'))"
        ".map(it => it.getBoundingClientRect().left))"
    )
    assert left > edge > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_page_by_day_and_by_night(page: Page, scheme: str) -> None:
    page.emulate("prefers-color-scheme", scheme)
    try:
        paper = luminance(page.ask("return getComputedStyle(document.body).backgroundColor"))
        assert (paper > 0.5) == (scheme == "light")
        for selector, least in (
            ("p:not([class])", 7),
            ("a", 4.5),
            ("figcaption", 7),
            (".provenance", 4.5),
        ):
            ink = luminance(
                page.ask(
                    "return getComputedStyle(document.querySelector(arguments[0])).color", selector
                )
            )
            light, dark = max(ink, paper), min(ink, paper)
            assert (light + 0.05) / (dark + 0.05) >= least, selector
        # Charts are drawn in dark ink.
        behind = page.ask(
            "return getComputedStyle(document.querySelector(\"figure img[src*='svg']\"))"
            ".backgroundColor"
        )
        assert scheme == "light" or luminance(behind) == 1
    finally:
        page.emulate("prefers-color-scheme", "light")


def luminance(colour: str) -> float:
    """Return the relative luminance of `rgb(r, g, b)`, as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_report_opens_with_a_sentence_a_clip_and_five_numbers(page: Page) -> None:
    if not page.address.endswith("report.html"):
        assert page.browser.find_elements(By.CLASS_NAME, "opening") == []
        return
    opening = page.browser.find_element(By.CLASS_NAME, "opening")
    first = page.ask("return document.querySelector('h2').getBoundingClientRect().top + scrollY")
    assert opening.rect["y"] < first
    assert len(opening.find_elements(By.CLASS_NAME, "clip")) == 1
    # On a desk the clip is seen without scrolling.
    assert (
        page.ask("return document.querySelector('.clip').getBoundingClientRect().bottom + scrollY")
        < 900
    )
    numbers = opening.find_elements(By.CSS_SELECTOR, ".numbers > div")
    assert len(numbers) == 5
    for number in numbers:
        assert re.search(r"better than .*: .*\d", number.text), number.text
