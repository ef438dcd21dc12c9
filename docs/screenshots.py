"""Pictures of built pages, in the dark and in the light, on a telephone and on a desk.

``python docs/screenshots.py FOLDER PAGE...`` (all pages if none is named) needs ``playwright`` and
a Chromium of the system. It also lists what a reader would call broken: pages wider than the
screen, formulas that KaTeX refused, requests that left the machine, errors in the console.
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

SITE = Path(__file__).parent / "_build" / "html"
WIDTHS = (390, 1280)
# Longer pages are cut, so that the pictures can be looked at.
TALLEST = 6000


def photograph(browser: Browser, page: str, folder: Path) -> list[str]:
    """Four pictures of a page, and its faults."""
    faults = set()
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            tab.on("request", lambda r: is_here(r.url) or faults.add(f"asks for {r.url}"))
            tab.on("console", lambda m: m.type == "error" and faults.add(f"console: {m.text}"))
            tab.goto((SITE / f"{page}.html").as_uri())
            wide = tab.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                faults.add(f"{wide} pixels wide on a screen of {width}")
            if refused := tab.locator(".katex-error").count():
                faults.add(f"{refused} formulas refused")
            height = min(TALLEST, tab.evaluate("document.documentElement.scrollHeight"))
            tab.set_viewport_size({"width": width, "height": height})
            tab.screenshot(path=folder / f"{page.replace('/', '-')}-{width}-{scheme}.png")
            tab.close()
    return sorted(faults)


def is_here(url: str) -> bool:
    """A file of the site, or within the page."""
    return url.startswith(("file:", "data:"))


def main() -> None:
    """Photograph the pages named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    paths = sorted(SITE.rglob("*.html"))
    found = [path.relative_to(SITE).with_suffix("").as_posix() for path in paths]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        for page in sys.argv[2:] or found:
            for fault in photograph(browser, page, folder):
                print(f"{page}: {fault}")
        browser.close()


if __name__ == "__main__":
    main()
