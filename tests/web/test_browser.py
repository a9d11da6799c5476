"""The pages in a real browser: headless Chromium, driven by Playwright."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page
from test_opening import write_embedding, write_progress
from web_browser import (
    CHROMIUM,
    LEFT,
    NO_CHROMIUM,
    PHONE,
    RIGHT,
    WIDE,
    answer_of,
    axe_faults,
    click,
    downloaded,
    mask_of,
    spot,
)
from web_support import FloodEngine, discs, running, write_discs

from conftest import write_classes
from sightline.run_lengths import box_of, decode_rle
from sightline.web.opening import open_site
from sightline.web.settings import Settings

pytestmark = pytest.mark.skipif(not CHROMIUM, reason=NO_CHROMIUM)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A run with everything: report, map, progress; and two pictures of discs."""
    folder = tmp_path_factory.mktemp("served")
    run = write_progress(folder / "run")
    write_embedding(run / "features", write_classes(folder / "pictures", classes=2, each=10))
    (run / "report.html").write_text(
        "<!doctype html><html lang='en'><title>Report</title><main><h1>Numbers</h1></main></html>"
    )
    site = open_site(str(run))
    paths = tuple(write_discs(folder / "discs"))
    object.__setattr__(site, "pictures", paths)
    with running(site, FloodEngine(), settings=Settings(max_upload_bytes=200_000)) as address:
        yield address


@pytest.fixture(scope="module")
def welcomed(browser: Browser, served: str) -> Any:
    """The cookie of one visit by the address with the token."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(served)
    page.wait_for_url("**/report")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def visit(browser: Browser, served: str, welcomed: Any) -> Iterator[Any]:
    """Open a page of the server; afterwards: no script failed, and nothing was asked of another machine."""
    contexts: list[BrowserContext] = []
    said, asked = [], []

    def open_page(name: str, *, alone: bool = False, **options: Any) -> Page:
        if alone:
            options["storage_state"] = None
        context = browser.new_context(**({"viewport": WIDE, "storage_state": welcomed} | options))
        context.set_default_timeout(15_000)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        if alone:
            page.goto(served)
            page.wait_for_url("**/report")
        page.goto(served.partition("?")[0] + name)
        if name == "segment":
            page.wait_for_selector(".tile[aria-current]")
            page.wait_for_function("() => !document.getElementById('engine').textContent.includes('…')")
            page.wait_for_function("() => document.getElementById('zoom-value').textContent !== '100%'")
        if name == "map":
            page.wait_for_selector(".legend button")
        return page

    open_page.said = said  # type: ignore[attr-defined]
    yield open_page
    for context in contexts:
        context.close()
    base = served.partition("?")[0]
    assert asked
    assert [url for url in asked if not url.startswith((base, f"blob:{base}"))] == []
    assert said == []


def filled(polygons: list, shape: tuple[int, ...]) -> np.ndarray:
    """Return the pixels whose centers lie inside, by the even-odd rule over all rings."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    odd = np.zeros(shape, bool)
    for ring in (ring for polygon in polygons for ring in polygon):
        for (x0, y0), (_, y1) in itertools.pairwise(ring):
            odd ^= (x < x0) & (y > min(y0, y1)) & (y < max(y0, y1))
    return odd


def color_at(page: Page, x: float, y: float) -> tuple[int, ...]:
    at = spot(page, x, y)
    page.wait_for_timeout(60)  # two frames
    shot = page.screenshot(clip={"x": round(at[0]), "y": round(at[1]), "width": 1, "height": 1})
    return Image.open(io.BytesIO(shot)).convert("RGB").getpixel((0, 0))  # type: ignore[return-value]


# -- segment
def test_a_click_shows_a_mask_that_holds_it(visit: Any):
    page = visit("segment")
    before = color_at(page, 60, 130)
    answer = click(page, 80, 120)
    mask = mask_of(answer)
    assert mask[120, 80]
    assert (mask == LEFT).all()
    assert color_at(page, 60, 130) != before, "drawn over the disc"
    assert color_at(page, 240, 130) == before, "and not over the other"
    assert "ms on cpu" in page.inner_text("#timing")
    assert page.locator(".candidate").count() == 3
    page.keyboard.press("c")
    assert page.locator(".candidate").nth(1).get_attribute("aria-checked") == "true"


def test_what_is_clicked_away_goes(visit: Any):
    page = visit("segment")
    assert mask_of(click(page, 20, 20)).sum() > 50_000, "the ground"
    for options in ({"button": "right"}, {"modifiers": ["Shift"]}):
        page.keyboard.press("Escape")
        click(page, 80, 120)
        if "modifiers" in options:
            page.keyboard.down("Shift")
        answer = click(page, 90, 125, **{k: v for k, v in options.items() if k != "modifiers"})
        page.keyboard.up("Shift")
        assert not mask_of(answer).any()


def test_many_open_pictures_hold_one_bitmap_and_its_masks(visit: Any):
    page = visit("segment")
    page.evaluate(
        """() => {
          window.bitmaps = [];
          const real = window.createImageBitmap;
          window.createImageBitmap = async (...given) => {
            const made = await real(...given);
            window.bitmaps.push(made);
            return made;
          };
          window.paths = 0;
          const Path = window.Path2D;
          window.Path2D = class extends Path { constructor(...given) { super(...given); window.paths += 1; } };
        }"""
    )
    click(page, 80, 120)
    page.keyboard.press("k")
    page.wait_for_selector(".objects li")
    page.wait_for_timeout(60)
    drawn = page.evaluate("window.paths")
    for count in range(1, 5):
        page.locator(".tile").nth(count % 2).click()
        page.wait_for_function(f"() => window.bitmaps.length === {count}")
        page.wait_for_function("() => window.bitmaps.filter((b) => b.width > 0).length === 1")
    page.wait_for_timeout(60)
    assert page.locator(".objects li").count() == 1, "the first picture's object is still there"
    assert page.evaluate("window.paths") == drawn + 2, "and drawn anew, once for each time its picture came back"


def test_a_dragged_box(visit: Any):
    page = visit("segment")

    def drag() -> None:
        page.mouse.move(*spot(page, 100, 50))
        page.mouse.down()
        page.mouse.move(*spot(page, 150, 90), steps=3)
        page.mouse.move(*spot(page, 200, 150), steps=3)
        page.mouse.up()

    x, y, width, height = box_of(mask_of(answer_of(page, drag)))
    assert np.abs(np.array([x, y, width, height]) - [100, 50, 100, 100]).max() <= 1


def test_words_and_everything(visit: Any):
    page = visit("segment")
    page.fill("#text", "red disc")
    assert (mask_of(answer_of(page, lambda: page.press("#text", "Enter"))) == LEFT | RIGHT).all()
    page.click("#everything")
    page.wait_for_selector(".objects li:nth-child(2)")
    page.keyboard.press("Control+z")
    assert page.locator(".objects li").count() == 0


def test_undo_and_redo(visit: Any):
    page = visit("segment")
    assert page.is_disabled("#undo")
    click(page, 80, 120)
    click(page, 240, 120)
    plain, marked = (60, 130), (260, 130)
    with_both = color_at(page, *marked)
    page.click("#undo")
    assert color_at(page, *marked) != with_both
    assert page.locator(".candidate").count() == 3
    page.keyboard.press("Control+z")
    assert page.is_hidden("#ask-actions")
    assert page.is_disabled("#undo")
    assert color_at(page, *plain) == color_at(page, *marked)
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+y")
    assert color_at(page, *marked) == with_both
    assert page.is_disabled("#redo")


def test_exports_open_as_the_same_masks(visit: Any):
    page = visit("segment")
    click(page, 80, 120)
    page.click("#keep")
    page.click("#class-add")
    page.keyboard.type("moon")
    page.locator("#classes input[type=color]").nth(1).fill("#ff8800")
    click(page, 240, 120)
    page.keyboard.press("k")
    assert page.locator(".objects li").count() == 2
    assert page.locator(".objects select").nth(1).evaluate("s => s.selectedOptions[0].textContent") == "moon"
    truth = LEFT * 1 + RIGHT * 2

    name, content = downloaded(page, lambda: page.click("[data-export=palette]"))
    image = Image.open(io.BytesIO(content))
    assert (name, image.mode) == ("discs0_mask.png", "P")
    assert (np.asarray(image) == truth).all()
    assert image.convert("RGB").getpixel((240, 120)) == (255, 136, 0)
    assert json.loads(image.info["classes"]) == ["", "object", "moon"]

    name, content = downloaded(page, lambda: page.click("[data-export=coco]"))
    data = json.loads(content)
    assert name == "discs0_coco.json"
    for annotation, mask in zip(data["annotations"], (LEFT, RIGHT), strict=True):
        segmentation = annotation["segmentation"]
        assert (decode_rle(segmentation) == mask).all()

    name, content = downloaded(page, lambda: page.click("[data-export=polygons]"))
    objects = json.loads(content)["objects"]
    assert name == "discs0_polygons.json"
    for entry, mask in zip(objects, (LEFT, RIGHT), strict=True):
        assert (filled(entry["polygons"], mask.shape) == mask).all()
    assert [entry["class"] for entry in objects] == ["object", "moon"]


def test_keyboard_alone(visit: Any):
    """From the address bar to an exported mask without a pointer."""
    page = visit("segment")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "canvas":
            break
    else:
        pytest.fail("the picture cannot be reached by Tab")
    for _ in range(60):
        page.keyboard.press("Shift+ArrowLeft")
        place = [int(v) for v in page.inner_text("#notice").split(",")]
        if place[0] <= 85:
            break
    assert LEFT[place[1], place[0]]
    answer = answer_of(page, lambda: page.keyboard.press("Enter"))
    assert (mask_of(answer) == LEFT).all()
    page.keyboard.press("k")
    page.keyboard.press("b")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    assert mask_of(answer_of(page, lambda: page.keyboard.press("b"))).any()
    page.keyboard.press("Escape")
    _, content = downloaded(page, lambda: page.keyboard.press("s"))
    assert (np.asarray(Image.open(io.BytesIO(content))) == LEFT).all()
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert page.is_hidden("#help")
    page.keyboard.press("Delete")
    assert page.locator(".objects li").count() == 0
    page.keyboard.press("n")
    page.wait_for_function("() => document.querySelector('.tile[aria-current]').title === 'discs1.png'")


def test_single_keys_can_be_switched_off(visit: Any):
    page = visit("segment")
    page.keyboard.press("?")
    page.click("#shortcuts")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    assert page.get_attribute("[data-tool=remove]", "aria-checked") == "false"


def test_uploads_and_what_is_wrong_with_them(visit: Any):
    page = visit("segment", alone=True)
    buffer = io.BytesIO()
    Image.fromarray(discs(200, 200)).save(buffer, "JPEG")
    page.set_input_files("#file", {"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()})
    page.wait_for_function("() => document.querySelector('.tile[aria-current]').title === 'mine.jpg'")
    page.set_input_files("#file", {"name": "huge.png", "mimeType": "image/png", "buffer": b"x" * 300_000})
    page.wait_for_function("() => document.getElementById('notice').textContent.includes('over this page')")
    page.set_input_files("#file", {"name": "bad.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.wait_for_function("() => document.getElementById('notice').textContent.includes('not an image')")
    visit.said[:] = [line for line in visit.said if "415" not in line]  # the browser's own note of that answer


def test_zoom_and_pan_keep_the_place(visit: Any):
    page = visit("segment")
    at = spot(page, 80, 120)
    page.mouse.move(*at)
    page.mouse.wheel(0, -240)
    page.wait_for_timeout(80)
    answer = answer_of(page, lambda: page.mouse.click(*at))
    assert (mask_of(answer) == LEFT).all()
    page.keyboard.press("Escape")
    page.keyboard.down("Space")
    page.mouse.down()
    page.mouse.move(at[0] + 60, at[1] + 30, steps=4)
    page.mouse.up()
    page.keyboard.up("Space")
    answer = answer_of(page, lambda: page.mouse.click(at[0] + 60, at[1] + 30))
    assert (mask_of(answer) == LEFT).all()
    page.keyboard.press("0")
    page.keyboard.press("Escape")
    assert (mask_of(click(page, 240, 120)) == RIGHT).all()


def test_a_phone(visit: Any):
    page = visit("segment", viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "no sideways scrolling"
    answer = answer_of(page, lambda: page.touchscreen.tap(*spot(page, 80, 120)))
    assert (mask_of(answer) == LEFT).all()
    keep = page.locator("#keep").bounding_box()
    assert keep is not None
    assert keep["height"] >= 44
    before = page.inner_text("#zoom-value")
    devtools = page.context.new_cdp_session(page)
    x, y = spot(page, 160, 120)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(places)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x - 20, y))
    touch("touchStart", (x - 20, y), (x + 20, y))
    for reach in (30, 45, 60):
        touch("touchMove", (x - reach, y), (x + reach, y))
    touch("touchEnd")
    assert float(page.inner_text("#zoom-value").strip("%")) > 2 * float(before.strip("%"))
    assert page.locator(".candidate").count() == 3, "a pinch is no click"


# -- map
def test_lasso_list_and_csv(visit: Any):
    page = visit("map")
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + width * 0.5, y + 5)
    page.mouse.down()
    for px, py in ((0.02, 0.02), (0.02, 0.98), (0.5, 0.98)):
        page.mouse.move(x + width * px, y + height * py, steps=6)
    page.mouse.up()
    page.wait_for_selector(".samples li")
    assert page.inner_text("#list-count") == "10"
    assert page.locator(".samples img").first.evaluate("i => i.decode().then(() => i.naturalWidth)") > 0
    name, content = downloaded(page, lambda: page.click("#list-export"))
    lines = content.decode().splitlines()
    assert (name, lines[0], len(lines)) == ("points.csv", "id,label,prediction,x,y", 11)
    rows = [line.split(",") for line in lines[1:]]
    assert all(float(row[3]) < 5 for row in rows), "the left group"
    assert [row[0] for row in rows if row[1] != row[2]] == ["class1/000.png"]


def test_map_colors_hover_and_keys(visit: Any):
    page = visit("map")
    page.click("[data-by=error]")
    assert page.locator(".legend button").all_inner_texts() == ["right\n18", "wrong\n2"]
    page.click("[data-by=prediction]")
    assert "neighbours" in page.inner_text("#predicted-by")
    page.focus("#canvas")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#card:not([hidden]) img")
    first = page.inner_text("#card-text")
    for _, key in itertools.product(range(3), ("ArrowRight", "ArrowDown")):
        page.keyboard.press(key)
    assert page.inner_text("#card-text") != first
    page.keyboard.press("Enter")
    assert page.inner_text("#list-count") == "1"
    page.keyboard.press("w")
    assert page.inner_text("#list-count") == "10"
    page.keyboard.press("Escape")
    assert page.is_disabled("#list-export")


# -- progress
def test_the_slider_goes_through_the_stages(visit: Any):
    page = visit("progress")
    page.wait_for_function("() => document.getElementById('agreement').textContent.startsWith('100.0%')")
    assert page.inner_text("#epoch") == "Epoch 4"
    page.focus("#stage")
    page.keyboard.press("Home")
    page.wait_for_function("() => !document.getElementById('agreement').textContent.startsWith('100')")
    assert page.inner_text("#epoch") == "Epoch 1"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#epoch") == "Epoch 2"
    assert page.get_attribute("#stage", "aria-valuetext") == "epoch 2"
    page.click("#play")
    page.wait_for_function("() => document.getElementById('epoch').textContent === 'Epoch 4'")
    page.focus("#opacity")
    page.keyboard.press("ArrowLeft")
    assert (page.input_value("#opacity"), page.inner_text("#epoch")) == ("54", "Epoch 4")
    canvas = page.locator("#fig-overlay canvas")
    assert canvas.evaluate("c => [c.width, c.height]") == [60, 40]


def test_the_report_is_shown_with_ways_to_the_rest(visit: Any):
    page = visit("report")
    assert page.frame_locator("iframe").locator("h1").inner_text() == "Numbers"
    links = page.locator("nav a").all_inner_texts()
    assert links == ["Report", "Map", "Progress", "Segment"]


# -- for everybody
@pytest.mark.parametrize("name", ["segment", "map", "progress", "report"])
def test_a_phone_shows_where_one_is_and_what_answers(visit: Any, name: str):
    page = visit(name, viewport=PHONE, has_touch=True)
    for wanted in ["nav [aria-current]", *(["#engine"] if name == "segment" else [])]:
        element = page.locator(wanted)
        box, header = element.bounding_box(), page.locator("header.top").bounding_box()
        assert box is not None
        assert header is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= PHONE["width"]
        assert box["y"] + box["height"] <= header["y"] + header["height"]
        assert element.evaluate("e => e.scrollWidth <= e.clientWidth"), "its text is not cut off"
    ends = [page.locator(f"#{key}").bounding_box() for key in ("theme", "help-open")]
    nav = page.locator("nav").bounding_box()
    assert nav is not None
    assert all(end is not None and end["x"] >= nav["x"] + nav["width"] and end["y"] < 52 for end in ends)
    current = page.locator("nav [aria-current]").bounding_box()
    assert current["x"] + current["width"] <= nav["x"] + nav["width"] + 1, "and not scrolled out of sight"


def test_dark_and_light(visit: Any):
    page = visit("segment", color_scheme="dark")
    theme = "() => document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    page.click("#theme")
    assert page.evaluate(theme) == "light"
    page.reload()
    assert page.evaluate(theme) == "light"
    page.keyboard.press("d")
    assert page.evaluate(theme) == "dark"


@pytest.mark.parametrize("name", ["segment", "map", "progress", "report"])
def test_no_accessibility_fault(visit: Any, name: str):
    page = visit(name, bypass_csp=True)  # only so that axe can be put into the page
    if name == "segment":
        click(page, 80, 120)
        page.click("#keep")
        click(page, 240, 120)
    if name == "map":
        page.focus("#canvas")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("w")
    if name == "progress":
        page.wait_for_function("() => document.getElementById('agreement').textContent !== ''")
    faults = axe_faults(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")  # no color is caught half-way
    page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    faults += axe_faults(page)
    page.keyboard.press("?")
    page.wait_for_selector("#help[open]")
    assert faults + axe_faults(page) == []


def test_the_gate(browser: Browser, served: str):
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(served.partition("?")[0])
    assert "Open the address" in page.inner_text("p")
    assert axe_faults(page) == []
    page.fill("#token", served.partition("token=")[2])
    page.click("button")
    page.wait_for_url("**/report")
    assert "token" not in page.url
    context.close()
