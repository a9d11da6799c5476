"""The engine's thread: order, newer questions, and what the requests of the segment page answer."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient
from web_support import BASE, TOKEN, FloodEngine, app_of, discs, write_discs

from sightline.prompts import Prompts
from sightline.run_lengths import box_of, from_run_lengths, run_lengths
from sightline.web.live import Busy, Stopping, Superseded, Worker
from sightline.web.site import Site

ORIGIN = {"origin": BASE}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site("pictures", tuple(write_discs(tmp_path / "pictures")))


def browser(app) -> TestClient:
    client = TestClient(app, base_url=BASE)
    client.get(f"/?token={TOKEN}")
    return client


def test_the_worker_keeps_order_and_passes_errors_on():
    async def work() -> list[object]:
        worker = Worker(10)
        calls = [worker.call(lambda i=i: 10 // i) for i in (1, 0, 2, 5)]
        return await asyncio.gather(*calls, return_exceptions=True)

    first, error, *rest = asyncio.run(work())
    assert (first, rest) == (10, [5, 2])
    assert isinstance(error, ZeroDivisionError)


def test_the_loop_goes_on_while_the_engine_works():
    async def work() -> int:
        worker, gate, ticks = Worker(10), threading.Event(), 0
        call = asyncio.create_task(worker.call(lambda: gate.wait(10)))
        for _ in range(20):
            await asyncio.sleep(0.001)
            ticks += 1
        gate.set()
        assert await call
        return ticks

    assert asyncio.run(work()) == 20


def test_stale_calls_are_dropped_and_a_full_queue_says_so():
    async def work() -> None:
        worker, gate = Worker(2), threading.Event()
        done: list[str] = []
        running = asyncio.create_task(worker.call(lambda: gate.wait(10)))
        await asyncio.sleep(0.05)
        stale = asyncio.create_task(worker.call(lambda: done.append("stale"), lambda: True))
        fresh = asyncio.create_task(worker.call(lambda: done.append("fresh")))
        await asyncio.sleep(0.05)
        with pytest.raises(Busy):
            await worker.call(lambda: None)
        gate.set()
        with pytest.raises(Superseded):
            await stale
        await asyncio.gather(running, fresh)
        assert done == ["fresh"]

    asyncio.run(work())


def test_nobody_waits_once_the_server_stops():
    async def work() -> list[object]:
        worker, gate = Worker(5), threading.Event()
        calls = [asyncio.create_task(worker.call(lambda: gate.wait(10))) for _ in range(2)]
        await asyncio.sleep(0.02)
        worker.stop()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        gate.set()
        return answers

    assert all(isinstance(answer, Stopping) for answer in asyncio.run(work()))


def test_a_newer_click_takes_the_place_of_a_waiting_one(site: Site):
    engine = FloodEngine()
    app = app_of(site, engine)
    statuses: dict[int, int] = {}
    with browser(app) as client:
        client.get(f"/?token={TOKEN}")

        def click(x: int) -> None:
            ask = {"points": [[x, 120, 1]]}
            statuses[x] = client.post("/api/pictures/f0/predict", json=ask, headers=ORIGIN).status_code

        click(60)
        engine.wait.clear()
        threads = []
        for x in (70, 80, 90):
            threads.append(threading.Thread(target=click, args=(x,)))
            threads[-1].start()
            time.sleep(0.15)
        engine.wait.set()
        for thread in threads:
            thread.join(10)
    assert statuses == {60: 200, 70: 200, 80: 409, 90: 200}
    assert [question.points[0][0] for question in engine.asked] == [59.5, 69.5, 89.5]


def test_a_click_gives_masks_that_hold_it(site: Site):
    client = browser(app_of(site))
    answer = client.post("/api/pictures/f0/predict", json={"points": [[80, 120, 1]]}, headers=ORIGIN).json()
    assert answer["size"] == [240, 320]
    assert len(answer["masks"]) == 3
    for sent in answer["masks"]:
        mask = from_run_lengths(sent["counts"], 240, 320)
        assert mask[120, 80]
        assert (mask.sum(), box_of(mask)) == (sent["area"], tuple(sent["box"]))
    red = (discs()[..., 0] > 200) & (np.arange(320) < 160)
    assert (from_run_lengths(answer["masks"][0]["counts"], 240, 320) == red).all()


def test_after_one_click_the_whole_picture_is_proposed_last_and_refined_as_it_was_proposed(site: Site):
    class Greedy(FloodEngine):
        def _answer(self, state, prompts: Prompts, multimask: bool):
            masks, scores, _, _ = super()._answer(state, prompts, multimask)
            masks[0] = True
            return masks, scores, np.arange(3, dtype=np.float32).reshape(3, 1, 1), None

    engine = Greedy()
    client = browser(app_of(site, engine))
    ask = {"points": [[80, 120, 1]]}
    answer = client.post("/api/pictures/f0/predict", json=ask, headers=ORIGIN).json()
    assert [sent["area"] == 240 * 320 for sent in answer["masks"]] == [False, False, True]
    client.post("/api/pictures/f0/predict", json={**ask, "refine": 0}, headers=ORIGIN)
    refined = engine.asked[1].mask_input
    assert refined is not None
    assert refined.item() == 1, "what stood first on the page is the engine's second"


def test_kinds_that_the_engine_does_not_take(site: Site):
    engine = FloodEngine(accepts=frozenset({"points"}))
    client = browser(app_of(site, engine))
    for ask in ({"box": [1, 1, 9, 9]}, {"text": "disc"}):
        answer = client.post("/api/pictures/f0/predict", json=ask, headers=ORIGIN)
        assert (answer.status_code, "flood takes no" in answer.json()["error"]) == (400, True)
    assert client.post("/api/pictures/f0/everything", headers=ORIGIN).status_code == 400


def test_a_box_over_the_edge_is_cut_to_the_picture(site: Site):
    engine = FloodEngine()
    ask = {"box": [300, 200, 9999, 9999]}
    answer = browser(app_of(site, engine)).post("/api/pictures/f0/predict", json=ask, headers=ORIGIN)
    assert answer.status_code == 200
    assert engine.asked[0].box == (299.5, 199.5, 319.5, 239.5)


def test_refining_hands_the_engine_its_own_mask(site: Site):
    engine = FloodEngine()
    client = browser(app_of(site, engine))

    def ask(key: str, **more: object) -> None:
        said = {"points": [[80, 120, 1]], **more}
        assert client.post(f"/api/pictures/{key}/predict", json=said, headers=ORIGIN).status_code == 200

    ask("f0", refine=1)
    ask("f0", refine=1)
    ask("f1", refine=1)
    ask("f1", refine=64)
    assert [question.mask_input is not None for question in engine.asked] == [False, True, False, False]
    assert engine.asked[1].mask_input is not None
    assert engine.asked[1].mask_input.shape == (60, 80)


def test_everything(site: Site):
    answer = browser(app_of(site)).post("/api/pictures/f0/everything", headers=ORIGIN).json()
    assert len(answer["masks"]) == 2


def test_a_click_ends_the_search_for_everything(site: Site):
    engine = FloodEngine(slow=0.1)
    with browser(app_of(site, engine)) as client:
        statuses = {}

        def everything() -> None:
            statuses["everything"] = client.post("/api/pictures/f0/everything", headers=ORIGIN).status_code

        searching = threading.Thread(target=everything)
        searching.start()
        until = time.monotonic() + 10
        while not engine.steps:
            assert time.monotonic() < until
            time.sleep(0.01)
        ask = {"points": [[80, 120, 1]]}
        statuses["click"] = client.post("/api/pictures/f0/predict", json=ask, headers=ORIGIN).status_code
        searching.join(20)
    assert statuses == {"everything": 409, "click": 200}
    assert len(engine.steps) < 50


def test_exports_must_fit_the_picture(site: Site):
    client = browser(app_of(site))
    classes = [{"name": "disc", "color": "#ff0000"}]
    good = run_lengths(discs()[..., 0] > 200)

    def export(objects: list, **more: object) -> tuple[int, str]:
        body = {"format": "palette", "classes": classes, "objects": objects, **more}
        answer = client.post("/api/pictures/f0/export", json=body, headers=ORIGIN)
        return answer.status_code, answer.headers.get("content-disposition", "")

    assert export([{"label": 0, "counts": good}]) == (200, "attachment; filename*=UTF-8''discs0_mask.png")
    assert export([{"label": 1, "counts": good}])[0] == 400
    assert export([{"label": 0, "counts": good[:-1]}])[0] == 400
    for counts in ([2**62, 2**62, 5], [2**64, 1], [2**63 - 1, 2**63 - 1, 240 * 320 + 2]):
        assert export([{"label": 0, "counts": counts}])[0] == 400
    assert export([])[0] == 400
    assert export([{"label": 0, "counts": good}], format="svg")[0] == 400
    assert export([{"label": 0, "counts": good}], classes=[{"name": "x", "color": "red"}])[0] == 400


def test_geojson_of_a_picture_without_georeference_says_what_else_there_is(site: Site):
    body = {
        "format": "geojson",
        "classes": [{"name": "disc", "color": "#ff0000"}],
        "objects": [{"label": 0, "counts": run_lengths(discs()[..., 0] > 200)}],
    }
    answer = browser(app_of(site)).post("/api/pictures/f0/export", json=body, headers=ORIGIN)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("discs0.png: has no georeference")
    assert str(site.pictures[0].parent) not in answer.text


def test_the_engine_is_built_when_it_is_first_needed(site: Site):
    made = []

    def make() -> FloodEngine:
        made.append(threading.current_thread().name)
        return FloodEngine()

    from web_support import HOST, served_hosts

    from sightline.web.app import make_app

    client = browser(make_app(site, make, token=TOKEN, served=served_hosts(HOST)))
    assert client.get("/segment").status_code == 200
    assert not made
    assert client.get("/api/engine").json()["name"] == "flood"
    client.get("/api/engine")
    assert made == ["sightline-engine"]
