"""Take the pictures of docs/images that show the dashboard, from a server that `flakeguard demo` has filled.

    flakeguard demo --json                                # account, and addresses of project and pull request
    .venv/bin/python scripts/pictures.py PROJECT_URL RUN_URL EMAIL

It asks for the account's password. Chromium: `sh scripts/chromium.sh`.
"""

import getpass
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu"]


def main(project: str, run: str, email: str) -> None:
    """Sign in, and take each picture in a window of its size."""
    site = urlsplit(project)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(reduced_motion="reduce")
        page.goto(f"{site.scheme}://{site.netloc}/signin")
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password").fill(getpass.getpass())
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/signin" not in url)
        for name, address, height in (("dashboard", project, 1000), ("run", run, 900)):
            page.set_viewport_size({"width": 1200, "height": height})
            page.goto(address)
            page.locator("#live-state[data-state=on]").wait_for()
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
