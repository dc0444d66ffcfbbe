"""Every page of HTML in a real browser: nothing is missing, links arrive, clips play, it fits.

The browser and its driver are the system's own. A further study's page is one more line in PAGES.
"""

import itertools
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By

from tests import smoke
from tests.needs import needs_program

# Each with the fixture that has made it; that of the thesis study takes minutes.
PAGES = (
    ("by_dvc", "reports/driving/report.html"),
    ("by_dvc", "reports/driving/data.html"),
    pytest.param(("replicated", "reports/driving_thesis/report.html"), marks=pytest.mark.slow),
)
WIDTHS = (1280, 400)  # pixels: a desk, a telephone

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


@dataclass(frozen=True)
class Page:
    """A page that has been opened, and what the browser noted meanwhile."""

    browser: Chrome
    address: str
    console: list[dict[str, Any]]
    events: list[dict[str, Any]]  # of the network

    def ask(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def resize(self, width: int) -> None:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """The system's Chromium without a window, with a profile of its own."""
    needs_program("chromium")
    needs_program("chromedriver")
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--force-prefers-reduced-motion",
        "--disable-ipc-flooding-protection",  # many links are followed at once
        "--window-size=1280,900",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # With both paths given nothing is looked for or downloaded.
    result = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
    # Away from the page that it starts with, which loads parts of its own.
    result.get("about:blank")
    yield result
    result.quit()


def noted(browser: Chrome) -> list[list[dict[str, Any]]]:
    """Return what the browser has noted since the last call: in its console, of its work."""
    return [browser.get_log(name) for name in ("browser", "performance")]  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest, browser: Chrome) -> Page:
    """Each page of the finished studies, opened."""
    fixture, path = request.param
    clone: smoke.Clone = request.getfixturevalue(fixture)
    address = (clone.folder / path).as_uri()
    noted(browser)  # of the page before
    browser.get(address)
    console, performance = noted(browser)
    events = [json.loads(entry["message"])["message"] for entry in performance]
    network = [event for event in events if event["method"].startswith("Network.")]
    result = Page(browser, address, console, network)
    result.resize(WIDTHS[0])
    return result


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


def test_a_clip_plays(page: Page) -> None:
    clip = page.browser.find_element(By.CSS_SELECTOR, ".clip img")
    page.ask("arguments[0].scrollIntoView({block: 'center'})", clip)
    first = clip.screenshot_as_png
    for _ in range(50):
        time.sleep(0.1)
        if clip.screenshot_as_png != first:
            return
    pytest.fail("the clip stood still for five seconds")


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
