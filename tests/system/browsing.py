"""Examines pages in a browser: are they valid, reachable for everybody, and without any complaint?"""

from typing import Literal

import html5lib
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

# The browser says so of each answer with such a status; that the page has it is what the caller expects.
_STATUS = "Failed to load resource: the server responded with a status of"


def complaints_of(context: BrowserContext) -> list[str]:
    """What the browser will complain about: violations of the policy, and errors of the script."""
    found: list[str] = []
    context.on("weberror", lambda error: found.append(str(error.error)))
    context.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    return found


def examine(page: Page, url: str, *, status: int = 200) -> dict[str, str]:
    """What is wrong with the page; its context bypasses the policy, which does not let Axe in."""
    answer = page.goto(url)
    assert answer
    assert answer.status == status, url
    return check(page, answer.text())


def check(page: Page, html: str) -> dict[str, str]:
    """The same of a page that is open already."""
    wrong = {}
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    parser.parse(html)
    if parser.errors:
        wrong["html"] = str(parser.errors)
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        results = Axe().run(page)
        if results.violations_count:
            wrong[scheme] = results.generate_report()
    return wrong


def seen(complaints: list[str]) -> list[str]:
    return [each for each in complaints if not each.startswith(_STATUS)]
