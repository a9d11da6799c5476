"""The page with a project, in a real browser: what is kept, what is mended by hand, and the way through pictures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from web_browser import CHROMIUM, LEFT, NO_CHROMIUM, RIGHT, WIDE, axe_faults, click, downloaded, spot
from web_support import FloodEngine, running, write_discs

from sightline.data.masks.project import PictureWork, ProjectFolder
from sightline.web.opening import Keeping, open_site

pytestmark = pytest.mark.skipif(not CHROMIUM, reason=NO_CHROMIUM)
SIZE = (240, 320)


class Desk:
    """A page at a project of three pictures of discs."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        write_discs(folder / "photos" / "sub", 3)
        self.project = ProjectFolder(folder / "photos-project")
        self.faults: list[str] = []
        self._site = open_site(str(folder / "photos"), None, Keeping())
        self._server = running(self._site, FloodEngine())
        self.address = self._server.__enter__()
        self.context = browser.new_context(viewport=WIDE, bypass_csp=True)
        self.context.set_default_timeout(15_000)
        self.page = self.tab()

    def tab(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.goto(self.address)
        page.wait_for_url("**/segment")
        self.ready(page)
        return page

    @staticmethod
    def ready(page: Page) -> None:
        page.wait_for_selector("#done:enabled")
        page.wait_for_function("() => !document.getElementById('engine').textContent.includes('…')")

    def reload(self) -> None:
        self.saved()
        self.page.reload()
        self.ready(self.page)

    def saved(self) -> None:
        self.page.wait_for_timeout(30)
        self.page.wait_for_function("() => document.getElementById('saved').textContent === 'Saved'")

    def work(self, name: str = "discs0.png") -> PictureWork:
        self.saved()
        work = self.project.work(f"sub/{name}")
        assert work is not None
        return work

    def keep(self, x: float, y: float) -> None:
        click(self.page, x, y)
        self.page.keyboard.press("k")

    def drag(self, *places: tuple[float, float]) -> None:
        self.page.mouse.move(*spot(self.page, *places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*spot(self.page, *place), steps=4)
        self.page.mouse.up()

    def close(self) -> None:
        self.context.close()
        self._server.__exit__(None, None, None)
        assert self.faults == []


@pytest.fixture
def desk(browser: Browser, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(browser, tmp_path)
    yield made
    made.close()


def test_a_reload_and_a_second_tab_lose_nothing(desk: Desk):
    page = desk.page
    desk.keep(80, 120)
    desk.reload()
    assert page.locator("#objects li").count() == 1
    other = desk.tab()
    click(other, 240, 120)
    other.keyboard.press("k")
    other.wait_for_function("() => document.getElementById('saved').textContent === 'Saved'")
    # It also gives the first object another class, which this tab must not take back.
    other.locator("#objects select").first.select_option(label="Unlabelled")
    other.wait_for_function("() => document.getElementById('saved').textContent === 'Saved'")
    # This tab does not know of it, and goes on; and an undo here takes nothing of the other's back.
    page.bring_to_front()
    desk.keep(10, 10)
    page.wait_for_selector("#objects li:nth-child(3)")
    page.keyboard.press("Control+z")
    assert page.locator("#objects li").count() == 2
    work = desk.work()
    assert {item.mask.mask.tobytes(): item.value for item in work.objects} == {LEFT.tobytes(): 255, RIGHT.tobytes(): 1}
    page.wait_for_function("() => document.querySelector('#objects select').value === '254'")


def test_what_is_typed_while_a_class_is_added_is_its_name(desk: Desk):
    """And no shortcut, however late the server answers: an f would say that the picture is done."""
    page = desk.page
    page.evaluate(
        """() => { const real = window.fetch; window.fetch = async (path, ...rest) => {
          if (path.endsWith("/classes")) await new Promise((done) => setTimeout(done, 300));
          return real(path, ...rest);
        }; }"""
    )
    page.click("#class-add")
    page.keyboard.type("forest")
    page.keyboard.press("Enter")
    desk.keep(80, 120)
    work = desk.work()
    page.wait_for_function(
        "() => document.querySelector('#objects select').selectedOptions[0].textContent === 'forest'"
    )
    assert (work.state, [item.value for item in work.objects]) == ("begun", [2])
    for _ in range(50):
        if [item.name for item in desk.project.settings.classes] == ["object", "forest"]:
            break
        page.wait_for_timeout(50)
    else:
        pytest.fail(f"the classes are {desk.project.settings.classes}")


def test_an_object_reopens_with_its_clicks(desk: Desk):
    page = desk.page
    desk.keep(80, 120)
    desk.keep(240, 120)
    desk.reload()
    page.get_by_role("button", name="Change object 1, object").click()
    assert page.inner_text("#keep") == "Keep the change"
    desk.page.keyboard.down("Shift")
    answer = click(page, 240, 120)  # as if it had been part of it
    desk.page.keyboard.up("Shift")
    assert answer["masks"], "the first click was asked again with the new one"
    before = [item.id for item in desk.work().objects]
    page.click("#keep")
    objects = {item.id: item for item in desk.work().objects}
    assert set(objects) == set(before), "it is the same object still"
    assert [point[2] for point in objects[before[0]].points] == [1, 0]


def test_brush_eraser_holes_and_islands(desk: Desk):
    page = desk.page
    page.keyboard.press("q")
    page.locator("#brush-size").fill("20")
    desk.drag((50, 50), (250, 50), (250, 200), (50, 200), (50, 50))
    page.keyboard.press("w")
    desk.drag((30, 125), (70, 125))
    page.keyboard.press("q")
    desk.drag((300, 20), (302, 22))
    page.keyboard.press("k")
    drawn = desk.work().objects[0].mask.mask
    truth = np.zeros(SIZE, np.uint8)
    cv2.polylines(truth, [np.array([(50, 50), (250, 50), (250, 200), (50, 200)])], True, (1,), 20)
    cv2.line(truth, (30, 125), (70, 125), (0,), 20)
    cv2.line(truth, (300, 20), (302, 22), (1,), 20)
    assert (drawn != (truth > 0)).mean() < 0.01
    page.get_by_role("button", name="Change object 1, object").click()
    page.click("#drop-islands")
    page.keyboard.press("k")
    mended = desk.work().objects[0].mask.mask
    assert not mended[10:30, 290:315].any()
    assert (mended == (drawn & mended)).all()
    page.get_by_role("button", name="Change object 1, object").click()
    page.keyboard.press("q")
    desk.drag((50, 100), (50, 150))
    page.click("#fill-holes")
    page.keyboard.press("k")
    assert desk.work().objects[0].mask.mask[60:190, 60:240].all()


def test_polygons_keep_their_corners(desk: Desk):
    page = desk.page
    page.keyboard.press("v")
    for place in ((40, 40), (200, 40), (200, 140)):
        page.mouse.click(*spot(page, *place))
    page.mouse.click(*spot(page, 40, 140))
    page.keyboard.press("k")
    desk.reload()
    page.get_by_role("button", name="Change object 1, object").click()
    desk.drag((200, 140), (260, 200))
    page.mouse.click(*spot(page, 40, 40), button="right")
    page.keyboard.press("k")
    (item,) = desk.work().objects
    assert len(item.polygon) == 3
    corners = np.array(item.polygon)
    assert np.abs(corners - [(200, 40), (260, 200), (40, 140)]).max() <= 1
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    inside = np.ones(SIZE, bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0
    assert (item.mask.mask != inside).sum() == 0


def test_the_way_through_the_pictures(desk: Desk):
    page = desk.page
    assert page.inner_text("#picture-place") == "1 of 3"
    assert page.inner_text("#picture-name") == "sub/discs0.png"
    desk.keep(80, 120)
    page.keyboard.press("f")
    page.wait_for_function("() => document.getElementById('picture-place').textContent === '2 of 3'")
    desk.ready(page)
    page.click("#skip")
    page.wait_for_function("() => document.getElementById('picture-place').textContent === '3 of 3'")
    desk.saved()
    assert [tile.get_attribute("data-state") for tile in page.locator(".tile").all()] == [
        "done",
        "skipped",
        "untouched",
    ]
    page.select_option("#filter", "done")
    assert page.locator(".tile").count() == 2, "the one that is open stays in sight"
    page.select_option("#filter", "all")
    desk.reload()
    assert page.inner_text("#picture-place") == "3 of 3", "the first that is not finished"
    assert (desk.work().state, desk.work("discs1.png").state) == ("done", "skipped")


def test_classes_background_and_the_whole_project(desk: Desk):
    page = desk.page
    page.click("#class-add")
    page.wait_for_selector("#classes li:nth-child(4)")
    page.keyboard.type("moon")
    page.keyboard.press("Tab")
    page.wait_for_timeout(100)
    desk.keep(80, 120)
    page.get_by_role("radio", name="Next object is Unlabelled").check()
    desk.keep(240, 120)
    page.click("#done")
    desk.saved()
    name, content = downloaded(page, lambda: page.click("#export-all button"))
    assert name == "photos-project-palette.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        mask = cv2.imdecode(np.frombuffer(archive.read("masks/sub/discs0.png"), np.uint8), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    assert [item.value for item in desk.work().objects] == [2, 255]
    assert [item.name for item in desk.project.settings.classes] == ["object", "moon"]
    assert (desk.work().index() == np.where(LEFT, 2, np.where(RIGHT, 255, 0))).all()


def test_no_accessibility_fault_with_a_project(desk: Desk):
    page = desk.page
    desk.keep(80, 120)
    click(page, 240, 120)
    page.keyboard.press("q")
    faults = axe_faults(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    page.click("#done")
    assert faults + axe_faults(page) == []
