"""Write the pictures of the console in docs/images, from a demo server of its own; needs chromium."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / "docs/images"
SCHEMES = ("light", "dark")
WIDTH, HEIGHT = 1280, 800
STARTED = re.compile(r"Console: +(http://\S+)/")


def wait_for_address(log: Path) -> str:
    """Return the address that a starting server prints."""
    for _ in range(300):
        if match := STARTED.search(log.read_text()):
            return match[1]
        time.sleep(0.1)
    raise SystemExit(f"The server did not start:\n{log.read_text()}")


def take_pictures(browser: Browser, address: str) -> None:
    """Take a picture of the inbox and of its first proposal, light and dark."""
    for scheme in SCHEMES:
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
        page = context.new_page()
        page.goto(f"{address}/")
        page.screenshot(path=FOLDER / f"console-inbox-{scheme}.png")
        page.get_by_role("link", name="Details").first.click()
        page.screenshot(path=FOLDER / f"console-proposal-{scheme}.png", full_page=True)
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
