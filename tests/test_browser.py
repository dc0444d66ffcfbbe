"""Every page of HTML in a real browser: nothing is missing, links arrive, clips play, it fits.

What a reader does with a page stands in test_reading.py; conftest.py has the pages.
"""

import itertools
import re

import pytest
from selenium.webdriver.common.by import By

from tests.browser import WIDTHS, Page

CLIP_FRAMES = """
const [source, done] = arguments;
(async () => {
  const data = await (await fetch(source)).arrayBuffer();
  const decoder = new ImageDecoder({data, type: "image/webp"});
  await decoder.tracks.ready;
  const count = decoder.tracks.selectedTrack.frameCount;
  const bytes = async (frameIndex) => {
    const {image} = await decoder.decode({frameIndex});
    const buffer = new Uint8Array(image.allocationSize());
    await image.copyTo(buffer);
    return buffer;
  };
  const [first, last] = [await bytes(0), await bytes(count - 1)];
  return [count, first.some((value, place) => value !== last[place])];
})().then(done, (error) => done(String(error)));
"""
# Links after whose click their target does not begin where reading begins, or as near to it as the
# end of the page allows.
ASTRAY = """
const arrived = (link) => {
  link.click();
  const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (target === null) return false;
  const top = target.getBoundingClientRect().top;
  const end = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
  return top >= -2 && top <= (end ? innerHeight : 2);
};
return arguments[0].filter((link) => !arrived(link)).map((link) => link.outerHTML);
"""
# What reaches out of the window to the right, unless it lies in a box that scrolls by itself.
WIDE = """
const scrolls = (element) => element !== null && element !== document.documentElement
  && (getComputedStyle(element).overflowX !== "visible" || scrolls(element.parentElement));
const edge = document.documentElement.clientWidth + 1;
return [...document.querySelectorAll("body *")]
  .filter((element) => element.getBoundingClientRect().right > edge)
  .filter((element) => !scrolls(element.parentElement) && !scrolls(element))
  .map((element) => element.outerHTML.slice(0, 120));
"""


def test_it_loads_without_a_word_in_the_console(page: Page) -> None:
    assert page.console == []
    assert page.browser.title
    assert page.ask("return document.documentElement.lang").startswith("en")


def test_nothing_fails_to_load_and_nothing_leaves_the_file(page: Page) -> None:
    asked = [
        event["params"]["request"]["url"]
        for event in page.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert page.address in asked
    assert {url.partition(":")[0] for url in asked if url != page.address} <= {"data"}
    failed = [event for event in page.events if event["method"] == "Network.loadingFailed"]
    assert failed == []


def test_every_picture_is_there_and_has_words(page: Page) -> None:
    pictures = page.ask(
        "return [...document.images].map(it => [it.complete && it.naturalWidth > 0, it.alt])"
    )
    assert len(pictures) >= 10
    assert all(loaded for loaded, _ in pictures)
    assert all(alt.strip() for _, alt in pictures)


def test_headings_descend_one_level_at_a_time(page: Page) -> None:
    levels = page.ask(
        "return [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(it => +it.tagName[1])"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))


def test_every_line_of_the_contents_leads_to_its_place(page: Page) -> None:
    # The contents, the lists of figures and of tables, and references in the text.
    links = page.browser.find_elements(By.CSS_SELECTOR, "a[href^='#']")
    assert len(links) > 30
    assert page.ask(ASTRAY, links) == []


def test_a_reader_clicks_through_the_contents(page: Page) -> None:
    contents = page.browser.find_element(By.TAG_NAME, "nav")
    for link in contents.find_elements(By.TAG_NAME, "a"):
        target = page.browser.find_element(By.ID, str(link.get_dom_attribute("href"))[1:])
        link.click()
        words = re.sub(r"^[A-Z]?[\d.]*\s", "", link.text)
        assert words and words in target.text
        assert page.ask("return scrollY") > 0


def test_every_clip_has_frames_that_differ(page: Page) -> None:
    sources = page.ask(
        "return [...document.images].map(it => it.src)"
        ".filter(it => it.startsWith('data:image/webp'))"
    )
    assert len(sources) >= 4
    for source in sources:
        found = page.browser.execute_async_script(CLIP_FRAMES, source)
        assert found[0] > 1 and found[1] is True, found


@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_no_wider_than_the_window(page: Page, width: int) -> None:
    page.resize(width)
    try:
        assert page.ask(WIDE) == []
        wide, window = page.ask(
            "const it = document.documentElement; return [it.scrollWidth, it.clientWidth]"
        )
        assert wide <= window <= width
    finally:
        page.resize(WIDTHS[0])
