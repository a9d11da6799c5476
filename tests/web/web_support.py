"""A small engine with known answers, and pictures made on the spot."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import uvicorn
from PIL import Image

from sightline.prompts import ImageState, Progress, PromptEngine, Prompts, Region
from sightline.web.app import make_app
from sightline.web.guard import served_hosts
from sightline.web.server import listen
from sightline.web.settings import Settings
from sightline.web.site import Site

TOKEN = "a-token-of-the-tests"
HOST = "127.0.0.1"
BASE = f"http://{HOST}"


@dataclass(frozen=True)
class FloodState(ImageState):
    """The picture itself."""

    pixels: np.ndarray


@dataclass
class FloodEngine(PromptEngine):
    """Takes as the object what has the color at a point and hangs together with it; or what a box holds."""

    name: str = "flood"
    accepts: frozenset[str] = frozenset({"points", "box", "text", "mask_input", "everything"})
    wait: threading.Event = field(default_factory=threading.Event)
    encoded: int = 0
    asked: list[Prompts] = field(default_factory=list)
    slow: float = 0.0
    steps: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wait.set()

    @classmethod
    def load(cls, model_id: str, device: str) -> FloodEngine:
        return cls()

    def _look(self, image: np.ndarray) -> FloodState:
        self.encoded += 1
        return FloodState(*image.shape[:2], False, 0.0, image)

    def _answer(self, state: ImageState, prompts: Prompts, multimask: bool):
        assert isinstance(state, FloodState)
        assert self.wait.wait(20)
        self.asked.append(prompts)
        masks = np.stack(
            [self._mask(state.pixels, prompts, tolerance) for tolerance in ((12, 40, 90) if multimask else (40,))]
        )
        scores = np.linspace(0.9, 0.6, len(masks), dtype=np.float32)
        return masks, scores, masks[:, ::4, ::4].astype(np.float32), None

    def _everything(self, state: ImageState, settings: object, progress: Progress) -> list[Region]:
        assert isinstance(state, FloodState)
        for step in range(100 if self.slow else 0):
            self.steps.append(step)
            time.sleep(self.slow)
            progress(step, 100)
        inside = cv2.inRange(state.pixels, (200, 0, 0), (255, 90, 90)) > 0
        count, parts = cv2.connectedComponents(inside.astype(np.uint8))
        return [Region.of(parts == i, 1.0) for i in range(1, count)]

    @staticmethod
    def _mask(pixels: np.ndarray, question: Prompts, tolerance: int) -> np.ndarray:
        height, width = pixels.shape[:2]
        mask = np.zeros((height, width), bool)
        if question.text:
            mask |= (pixels[..., 0] > 200) & (pixels[..., 2] < 90)
        if question.box and not question.points:
            x0, y0, x1, y1 = (round(v + 0.5) for v in question.box)
            mask[y0:y1, x0:x1] = True
        for label in (1, 0):
            for x, y, inside in question.points:
                if inside == label:
                    mask = (
                        (mask | _flood(pixels, x, y, tolerance))
                        if inside
                        else (mask & ~_flood(pixels, x, y, tolerance))
                    )
        return mask


def _flood(pixels: np.ndarray, x: float, y: float, tolerance: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    filled = np.zeros((height + 2, width + 2), np.uint8)
    seed = (int(x + 0.5), int(y + 0.5))
    step = (tolerance,) * 3
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (255 << 8)
    cv2.floodFill(pixels.copy(), filled, seed, (0, 0, 0), step, step, flags)
    return filled[1:-1, 1:-1] > 0


def discs(width: int = 320, height: int = 240) -> np.ndarray:
    """Two red discs on green, uint8 RGB: at (80, 120) and (240, 120), of radius 40."""
    pixels = np.full((height, width, 3), (40, 120, 70), np.uint8)
    for x in (80, 240):
        cv2.circle(pixels, (x, 120), 40, (220, 40, 40), -1)
    return pixels


def write_discs(folder: Path, count: int = 2) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(count):
        path = folder / f"discs{index}.png"
        Image.fromarray(discs()).save(path)
        paths.append(path)
    return paths


def app_of(site: Site, engine: FloodEngine | None = None, **options: Any):
    settings = options.pop("settings", Settings())
    engine = engine or FloodEngine()
    return make_app(site, lambda: engine, token=TOKEN, served=served_hosts(HOST), settings=settings, **options)


@contextmanager
def running(site: Site, engine: FloodEngine | None = None, **options: Any) -> Iterator[str]:
    """Serve in a thread; yields the address with its token."""
    listening = listen(HOST, 0)
    config = uvicorn.Config(app_of(site, engine, **options), log_config=None, access_log=False, ws="none",
                            timeout_graceful_shutdown=1)  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < until, "the server does not start"
        time.sleep(0.01)
    try:
        yield f"http://{HOST}:{listening.getsockname()[1]}/?token={TOKEN}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
