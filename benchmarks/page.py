"""What the local page costs a browser: paints, bytes, requests, and the faults that axe finds.

    python benchmarks/page.py demo-study [--rounds 3] [--write docs/benchmarks/page.md]

Each page of `sightline serve` in headless Chromium at 1280 × 800: the segment page of a folder of the demo's pictures,
and report, map and progress of the study that is named. A browser of its own for each visit, so nothing is cached;
medians over visits. First and largest paint as Chromium reports them (what Lighthouse shows as FCP and LCP, without its
throttling); ready: until the page answers, for the segment page until a picture and the engine are there. Bytes as they
went over the wire. Faults of axe-core of any weight, light and dark.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from sightline.bench.page import Page, add_output, finish

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from screens import chromium, photos, served  # noqa: E402

AXE = ROOT / "tests" / "web" / "vendor" / "axe.min.js"
PATIENCE = 120_000  # ms that a busy machine may take for a page
READY = {
    "segment": "() => document.querySelector('.tile[aria-current]') && !document.getElementById('engine').textContent"
    ".includes('…') && document.getElementById('zoom-value').textContent !== '100%'",
    "report": "() => document.querySelector('iframe').contentDocument?.readyState === 'complete'",
    "map": "() => document.querySelector('.legend button')",
    "progress": "() => document.getElementById('agreement').textContent !== ''",
}
PAINTS = """() => new Promise((done) => {
  const found = { first: performance.getEntriesByName("first-contentful-paint")[0]?.startTime };
  new PerformanceObserver((list) => { found.largest = list.getEntries().at(-1).startTime; })
    .observe({ type: "largest-contentful-paint", buffered: true });
  setTimeout(() => done(found), 200);
})"""


def visit(browser: Browser, address: str, name: str) -> dict[str, Any]:
    """Return what one visit cost, with an empty cache; times in milliseconds."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(address)  # the token is taken, and the first page shown
    page.wait_for_load_state()
    state = context.storage_state()
    context.close()
    context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True, storage_state=state)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    finished: list[float] = []
    network.on("Network.loadingFinished", lambda event: finished.append(event["encodedDataLength"]))
    begin = time.perf_counter()
    page.goto(address.partition("?")[0] + name)
    page.wait_for_function(READY[name])
    ready = 1000 * (time.perf_counter() - begin)
    page.wait_for_load_state("networkidle")
    paints, errors = page.evaluate(PAINTS), len(said)
    cost = {"requests": len(finished), "kB": sum(finished) / 1000}
    page.evaluate(AXE.read_text(encoding="utf-8") + "; null")
    faults = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_function(f"() => document.documentElement.dataset.theme === '{scheme}'")
        faults += [fault["id"] for fault in page.evaluate("() => axe.run().then((r) => r.violations)")]
    context.close()
    return {
        "first paint, ms": paints["first"],
        "largest paint, ms": paints.get("largest", paints["first"]),
        "ready, ms": ready,
        **cost,
        "console errors": errors,
        "axe faults": len(faults),
        "which": ", ".join(sorted(set(faults))) or "none",
    }


def row(browser: Browser, address: str, name: str, rounds: int) -> dict[str, Any]:
    """Return the medians over visits to a page."""
    visits = [visit(browser, address, name) for _ in range(rounds)]
    worst = max(visits, key=lambda of: of["axe faults"])
    medians = {key: statistics.median(of[key] for of in visits) for key in visits[0] if key != "which"}
    counts = {key: int(medians[key]) for key in ("requests", "console errors", "axe faults")}
    return {"page": name, **medians, **counts, "which": worst["which"]}


def main() -> None:
    """Visit the pages, and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, help="a finished study, for the pages that show one")
    parser.add_argument("--rounds", type=int, default=3)
    add_output(parser)
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        with served(photos(Path(folder))) as (address, _):
            rows.append(row(browser, address, "segment", chosen.rounds))
        with served(chosen.study) as (address, _):
            rows += [row(browser, address, name, chosen.rounds) for name in ("report", "map", "progress")]
        version = browser.version
        browser.close()
    facts = {"browser": f"Chromium {version}", "load": f"{os.getloadavg()[0]:.1f} processes at the end"}
    finish(Page("The local page", __doc__ or "", {"Visits": rows}, facts), chosen)


if __name__ == "__main__":
    main()
