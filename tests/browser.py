"""A headless Chromium for tests of pages; tests that need one are skipped where none is installed."""

import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@contextmanager
def opened(path, *, dark=False, width=1200, height=900, language="en", webgl=False):
    """A page of a file or an address in headless Chromium: (page, list of what its console complained about).

    webgl: with 3D graphics, drawn by the processor.
    """
    where = next(filter(None, map(shutil.which, NAMES)), None)
    if where is None:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    graphics = ["--use-angle=swiftshader", "--ignore-gpu-blocklist"] if webgl else ["--disable-gpu"]
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=where, args=["--no-sandbox", *graphics])
        try:
            page = chromium.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                locale=language,
            )
            complaints: list[str] = []
            page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(str(path) if "://" in str(path) else path.resolve().as_uri())
            yield page, complaints
        finally:
            chromium.close()
