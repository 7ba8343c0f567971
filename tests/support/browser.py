"""A headless Chromium for the page's tests, when the machine has one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--no-sandbox",  # the tests also run as root, where Chromium's sandbox cannot start
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
)


def chromium() -> str:
    """Where the browser is; the test is skipped, saying so, when there is none."""
    named = os.environ.get("COUNTERSIGN_CHROMIUM")
    found = named or next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
    return found


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser for the length of the block; it knows no proxy and no network but this machine's."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_QUIET, "--no-proxy-server"])
        try:
            yield browser
        finally:
            browser.close()
