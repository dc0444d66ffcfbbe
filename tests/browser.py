"""The system's own Chromium and its driver, and a page that was opened in it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.needs import needs_program

WIDTHS = (1280, 400)  # pixels: a desk, a telephone


@dataclass(frozen=True)
class Page:
    """A page that has been opened, and what the browser noted meanwhile."""

    browser: Chrome
    address: str
    console: list[dict[str, Any]]
    events: list[dict[str, Any]]  # of the network

    def ask(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def emulate(self, feature: str, value: str) -> None:
        features = [{"name": feature, "value": value}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def resize(self, width: int) -> None:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def start(profile: Path) -> Chrome:
    """Return a browser without a window, with a profile of its own."""
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
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # With both paths given nothing is looked for or downloaded.
    result = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
    # Away from the page that it starts with, which loads parts of its own.
    result.get("about:blank")
    return result


def noted(browser: Chrome) -> list[list[dict[str, Any]]]:
    """Return what the browser has noted since the last call: in its console, of its work."""
    return [browser.get_log(name) for name in ("browser", "performance")]  # type: ignore[no-untyped-call]


def opened(browser: Chrome, address: str) -> Page:
    """Open a page on a desk; what the browser notes of the page before is forgotten."""
    noted(browser)
    browser.get(address)
    console, performance = noted(browser)
    events = [json.loads(entry["message"])["message"] for entry in performance]
    network = [event for event in events if event["method"].startswith("Network.")]
    result = Page(browser, address, console, network)
    result.resize(WIDTHS[0])
    return result
