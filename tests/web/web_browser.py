"""A real browser for the tests of pages: headless Chromium, driven by Playwright, and what is done in a page."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from playwright.sync_api import Page, Response
from web_support import discs

from sightline.run_lengths import from_run_lengths

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
NO_CHROMIUM = "no Chromium on this machine: the pages themselves were not tested (apt install chromium)"

LEFT = discs()[..., 0] > 200
LEFT[:, 160:] = False
RIGHT = (discs()[..., 0] > 200) & ~LEFT


def spot(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of a 320 × 240 picture is on the screen: the page fits it, as `Stage.fit` says."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    scale = min((box["width"] - 52) / 320, (box["height"] - 96) / 240)
    left = box["x"] + (box["width"] - 320 * scale) / 2
    top = box["y"] + 13 + (box["height"] - 70 - 240 * scale) / 2
    return left + x * scale, top + y * scale


def answer_of(page: Page, act: Any) -> dict[str, Any]:
    with page.expect_response(lambda r: r.url.endswith("/predict") and r.status == 200) as waited:
        act()
    response: Response = waited.value
    answer = response.json()
    page.wait_for_selector("#ask-actions:not([hidden])")
    return answer


def click(page: Page, x: float, y: float, **options: Any) -> dict[str, Any]:
    return answer_of(page, lambda: page.mouse.click(*spot(page, x, y), **options))


def mask_of(answer: dict[str, Any], index: int = 0) -> np.ndarray:
    return from_run_lengths(answer["masks"][index]["counts"], *answer["size"])


def downloaded(page: Page, act: Any) -> tuple[str, bytes]:
    with page.expect_download() as waited:
        act()
    return waited.value.suggested_filename, Path(waited.value.path()).read_bytes()


def axe_faults(page: Page) -> list[SimpleNamespace]:
    """Return what axe finds, of any weight; it is put into the page, opened with `bypass_csp`."""
    page.evaluate(AXE.read_text(encoding="utf-8") + "; null")
    found = page.evaluate("() => axe.run({iframes: false}).then((r) => r.violations)")
    return [
        SimpleNamespace(id=fault["id"], where=[node["target"] for node in fault["nodes"]], why=fault["help"])
        for fault in found
    ]
