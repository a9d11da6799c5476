"""Pictures of the page in each of its states, on generated pictures, in a real browser.

`uv run python docs/screens.py` writes those that the documents show into docs/images/. `--all DIR --width 1100` writes
every state at one width, for whoever wants to look. Needs Chromium, and draws the demo's pictures on first use; the run
whose test tiles are shown is trained for an epoch.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from sightline.data import demo_home, find

IMAGES = Path(__file__).parent / "images"
SHOWN = {
    # State: file of docs/images.
    "click": "serve-segment.webp",
    "kept": "serve-objects.webp",
    "list": "serve-list.webp",
    "tiles": "serve-tiles.webp",
}
WIDTH, HEIGHT = 1280, 800
PHONE, TABLET = (390, 844), (800, 1100)
QUALITY = 82  # of a committed picture: text stays sharp, and none is over 100 kB
SCENES = 8


# -- what is served
def photos(folder: Path) -> Path:
    """Return a folder of the demo's scenes and some of its objects."""
    objects = find("demo/objects")
    for path in sorted((demo_home() / "landcover" / "validation").glob("*_sat.jpg"))[:SCENES]:
        target = folder / "photos" / "scenes" / path.name.replace("_sat", "")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for kind in sorted(path for path in (objects / "photo").iterdir() if path.is_dir())[:4]:
        target = folder / "photos" / "objects" / f"{kind.name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(min(kind.glob("*.png")), target)
    return folder / "photos"


def segmenter(folder: Path) -> Path:
    """Return a small segmenter of the demo's land cover, trained now."""
    run = folder / "landcover"
    settings = ["--backbone", "resnet18", "--epochs", "3", "--crop", "128"]
    subprocess.run(
        [sys.executable, "-m", "sightline", "segment", "demo/landcover", "--out", run, *settings], check=True
    )
    return run


@contextmanager
def served(*words: str | Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve until the end; yields the address, and the server."""
    command = [sys.executable, "-m", "sightline", "serve", *map(str, words), "--no-open"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().rpartition(" ")[2].strip()
    try:
        yield address, server
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(120)


def chromium() -> str:
    """Return the browser of this machine."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    sys.exit("no Chromium on this machine (apt install chromium)")


# -- what is done in the page
def spot(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return where a place of the picture, in shares of its sides, is on the screen."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    scale = float(page.inner_text("#zoom-value").rstrip("%")) / 100
    width, height = page.evaluate(
        "async () => { const m = await createImageBitmap(await (await fetch(`/api/pictures/${document.querySelector"
        "('.tile[aria-current]').dataset.id}/image`)).blob()); return [m.width, m.height]; }"
    )
    tools = page.locator(".tools").bounding_box()
    assert tools is not None
    left = box["x"] + (box["width"] - width * scale) / 2
    top = box["y"] + 13 + (tools["y"] - 8 - box["y"] - height * scale) / 2
    return left + x * width * scale, top + y * height * scale


def answered(page: Page, act: Callable[[], object]) -> None:
    """Do what asks the engine, and wait for its answer."""
    with page.expect_response(lambda said: said.url.endswith("/predict") and said.status == 200, timeout=600_000):
        act()
    page.wait_for_selector("#ask-actions:not([hidden])")


def click(page: Page, x: float, y: float, button: str = "left") -> None:
    """Click at a place of the picture, in shares of its sides."""
    answered(page, lambda: page.mouse.click(*spot(page, x, y), button=button))  # type: ignore[arg-type]


def drag(page: Page, *places: tuple[float, float]) -> None:
    """Draw a line through places of the picture."""
    page.mouse.move(*spot(page, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*spot(page, *place), steps=6)
    page.mouse.up()


def ready(page: Page) -> None:
    """Wait until a picture, the engine and thumbnails are there."""
    page.wait_for_selector(".tile[aria-current]")
    page.wait_for_function("() => !document.getElementById('engine').textContent.includes('…')", timeout=600_000)
    page.wait_for_function("() => document.getElementById('zoom-value').textContent !== '100%'")
    page.wait_for_function("() => [...document.querySelectorAll('.tile img')].slice(0, 4).every((i) => i.complete)")


def choose(page: Page, name: str) -> None:
    """Open a picture of the list."""
    page.locator(f'.tile[title$="{name}"]').click()
    page.wait_for_function(f"() => document.querySelector('.tile[aria-current]').title.endsWith('{name}')")
    page.wait_for_timeout(400)


class Camera:
    """Takes the pictures of one walk."""

    def __init__(self, browser: Browser, out: Path, names: set[str] | None, size: tuple[int, int]) -> None:
        self.browser, self.out, self.names, self.size = browser, out, names, size
        out.mkdir(parents=True, exist_ok=True)

    def tab(self, address: str, size: tuple[int, int] | None = None, **options: object) -> Page:
        """Return a new tab at an address."""
        width, height = size or self.size
        context = self.browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
        context.set_default_timeout(180_000)  # a busy machine takes its time
        page = context.new_page()
        page.goto(address)
        page.wait_for_load_state()
        return page

    def take(self, page: Page, name: str) -> None:
        """Take a picture of the page, if it is wanted."""
        if self.names is not None and name not in self.names:
            return
        page.mouse.move(2, 2)
        page.wait_for_timeout(350)  # nothing is caught half-way
        page.screenshot(path=self.out / f"{name}.png")


def at_photos(camera: Camera, folder: Path) -> None:
    """Go through the states of a project of pictures."""
    pictures = photos(folder)
    with served(pictures) as (address, server):
        page = camera.tab(address)
        ready(page)
        camera.take(page, "start")
        page.keyboard.press("?")
        camera.take(page, "help")
        page.keyboard.press("Escape")
        choose(page, "scenes/0001.jpg")
        click(page, 0.5, 0.5)
        camera.take(page, "click")
        page.keyboard.press("c")
        camera.take(page, "proposals")
        click(page, 0.8, 0.2, "right")
        camera.take(page, "negative")
        page.keyboard.press("k")
        answered(page, lambda: drag(page, (0.05, 0.55), (0.2, 0.7), (0.35, 0.9)))
        camera.take(page, "box")
        for name in ("water", "forest"):
            page.click("#class-add")
            page.keyboard.type(name)
            page.keyboard.press("Enter")
        page.locator("#classes input[type=radio]").nth(1).check()
        page.keyboard.press("k")
        page.keyboard.press("q")
        drag(page, (0.55, 0.75), (0.65, 0.85), (0.8, 0.8))
        camera.take(page, "brush")
        page.locator("#classes input[type=radio]").nth(2).check()
        page.keyboard.press("k")
        page.keyboard.press("v")
        for place in ((0.6, 0.1), (0.9, 0.12), (0.85, 0.35), (0.62, 0.3)):
            page.mouse.click(*spot(page, *place))
        camera.take(page, "polygon")
        page.keyboard.press("k")
        page.keyboard.press("a")
        page.wait_for_timeout(300)
        camera.take(page, "kept")
        page.locator(".export").scroll_into_view_if_needed()
        page.focus("#export-format")
        camera.take(page, "export")
        page.locator(".work").scroll_into_view_if_needed()
        page.click("#done")
        choose(page, "objects/" + sorted(p.name for p in (pictures / "objects").iterdir())[1])
        page.click("#skip")
        choose(page, "scenes/0003.jpg")
        click(page, 0.3, 0.3)
        page.keyboard.press("k")
        page.locator(".strip").evaluate("e => e.scrollTo(0, 0)")
        camera.take(page, "list")
        page.select_option("#filter", "done")
        camera.take(page, "filter")
        page.select_option("#filter", "all")
        other = camera.tab(address)
        ready(other)
        choose(other, "scenes/0001.jpg")
        camera.take(other, "second-tab")
        other.emulate_media(color_scheme="dark")
        camera.take(other, "dark")
        other.context.close()
        bad = folder / "broken.png"
        bad.write_bytes(b"no picture")
        page.set_input_files("#file", bad)
        page.wait_for_selector(".notice.shown")
        camera.take(page, "error")
        server.send_signal(signal.SIGKILL)
        server.wait()
        page.wait_for_timeout(5_500)
        page.mouse.click(*spot_blind(page))
        page.wait_for_selector(".notice.shown")
        camera.take(page, "server-gone-click")
        page.locator("#objects .button[aria-label^=Hide]").first.click()
        page.locator("#objects select").first.select_option(label="object")
        page.wait_for_selector(".saved.bad")
        camera.take(page, "server-gone")
    with served(pictures) as (address, _):
        page = camera.tab(address, PHONE, has_touch=True)
        ready(page)
        choose(page, "scenes/0001.jpg")
        camera.take(page, "phone")
        page = camera.tab(address, TABLET, has_touch=True)
        ready(page)
        choose(page, "scenes/0001.jpg")
        answered(page, lambda: page.touchscreen.tap(*spot(page, 0.2, 0.4)))
        camera.take(page, "tablet")
        page.keyboard.press("Escape")
        # Each press says that a picture is done, and goes on to the next unfinished one.
        for _ in range(SCENES + 4):
            page.keyboard.press("f")
            page.wait_for_timeout(400)
        camera.take(page, "finished")


def at_run(camera: Camera, run: Path) -> None:
    """Go through what a segmenter shows, and what it draws to be corrected."""
    with served(run) as (address, _):
        page = camera.tab(address)
        page.wait_for_url("**/report")
        page.wait_for_timeout(1_500)
        camera.take(page, "run-report")
        page.goto(address.partition("?")[0] + "progress")
        page.wait_for_function("() => document.getElementById('agreement').textContent !== ''")
        page.wait_for_timeout(500)
        camera.take(page, "tiles")
        page.emulate_media(color_scheme="dark")
        camera.take(page, "tiles-dark")
        page.emulate_media(color_scheme="light")
        page.goto(address.partition("?")[0] + "segment")
        ready(page)
        camera.take(page, "run-segment")
    with served("demo", "--predictions", run, "--project", run.with_name("corrected")) as (address, _):
        page = camera.tab(address)
        ready(page)
        page.wait_for_selector("#objects li")
        page.get_by_role("button", name="Change object 1,").click()
        camera.take(page, "predictions")


def spot_blind(page: Page) -> tuple[float, float]:
    """Return the middle of the picture's field."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 3


def main() -> None:
    """Take the pictures that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="DIR", help="write every state there")
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--height", type=int, default=HEIGHT)
    parser.add_argument("--run", type=Path, help="a finished segmenter of the demo's land cover, instead of a new one")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        out = chosen.all or folder / "out"
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        names = None if chosen.all else set(SHOWN)
        camera = Camera(browser, out, names, (chosen.width, chosen.height))
        at_photos(camera, folder)
        at_run(camera, chosen.run or segmenter(folder))
        browser.close()
        if not chosen.all:
            for name, target in SHOWN.items():
                with Image.open(out / f"{name}.png") as picture:
                    picture.convert("RGB").save(IMAGES / target, quality=QUALITY, method=6)


if __name__ == "__main__":
    main()
