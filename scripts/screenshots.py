"""Write the pictures of the console in docs/images, from a demo server of its own; needs chromium."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / "docs/images"
VIEWS: Mapping[str, tuple[int, int, str]] = {
    "light": (1280, 720, "light"),
    "dark": (1280, 720, "dark"),
    "narrow": (360, 900, "dark"),
}
"""Width, height and colour scheme of each picture of a page, by the end of its name."""
ORDERS = "/assets/analytics.marts.orders"
STARTED = re.compile(r"Console: +(http://\S+)/")


def wait_for_address(log: Path) -> str:
    """Return the address that a starting server prints."""
    for _ in range(1_200):
        if match := STARTED.search(log.read_text()):
            return match[1]
        time.sleep(0.1)
    raise SystemExit(f"The server did not start:\n{log.read_text()}")


def open_proposal(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Details").first.click()


def open_team(page: Page) -> None:
    page.goto("/teams")
    page.get_by_role("link", name="finance").first.click()


PAGES = {
    "inbox": lambda page: page.goto("/"),
    "proposal": open_proposal,
    "asset": lambda page: page.goto(ORDERS),
    "lineage": lambda page: page.goto(f"{ORDERS}/lineage"),
    "team": open_team,
    "audit": lambda page: page.goto("/audit?kind=proposals"),
}
"""How to open each page that has pictures, by the name in their files."""
PARTS = {"lineage": "[aria-labelledby=picture]"}
"""The part of a page that its pictures show; the others show the page from its top."""


def take_pictures(browser: Browser, address: str) -> None:
    """Take a picture of each page in each view, of the height of a window, so that the files stay small."""
    for view, (width, height, scheme) in VIEWS.items():
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, base_url=address
        )
        page = context.new_page()
        for name, open_page in PAGES.items():
            open_page(page)
            path = FOLDER / f"console-{name}-{view}.png"
            if part := PARTS.get(name):
                page.locator(part).screenshot(path=path)
            else:
                page.screenshot(path=path)
        context.close()


def main() -> None:
    """Start the server, take the pictures, stop the server."""
    if (chromium := shutil.which("chromium") or shutil.which("google-chrome")) is None:
        raise SystemExit("No chromium is on the PATH. `apt-get install chromium` installs it.")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        environment = {**os.environ, "API_PORT": "0", "NO_COLOR": "1"}
        with log.open("w") as stderr:
            server = subprocess.Popen(
                [sys.executable, "-m", "tessera_gql", "serve", "--demo"], cwd=folder, env=environment, stderr=stderr
            )
        try:
            address = wait_for_address(log)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                take_pictures(browser, address)
                browser.close()
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
