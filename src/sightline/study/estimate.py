"""How long a study will take, from a few timed batches of each of its networks on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sightline.config import ClassifyConfig, PretrainConfig, PromptJudgeConfig, RunConfig, SegmentConfig
from sightline.data import decode, list_images, list_pairs, split_pairs
from sightline.data.masks.load import read_mask
from sightline.engine import make_fabric
from sightline.engine.progress import clock_text
from sightline.errors import NotAvailable
from sightline.models import build_backbone
from sightline.models.cpu import place
from sightline.models.segmentation import SkipPolicy, build_segmenter
from sightline.prompts import EverythingSettings, Prompts, build_engine
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.kinds import import_dotted
from sightline.study.plan import Node
from sightline.tasks.prompt.semantic import regions_of

BATCH = 16
PIXELS = BATCH * 64 * 64  # in a timed batch: large images come in smaller ones
BACKWARD = 2.0  # of a forward pass, in multiplications


def estimate(nodes: list[Node], folder: Path) -> list[dict[str, Any]]:
    """Return a row a run: what it is, whether it is done, and about how long it takes, without running any."""
    stopwatch = Stopwatch()
    rows: list[dict[str, Any]] = []
    total = 0.0
    for node in nodes:
        run = RunFolder(StudyFolder(folder).run_path(node.name))
        done = run.exists and run.is_done
        count = import_dotted(node.what.images)(node.config)
        seconds = 0.0 if done else import_dotted(node.what.estimate)(node.config, count, stopwatch)
        total += seconds
        rows.append(
            {"run": node.name, "needs": ", ".join(node.needs), "images": count}
            | {"epochs": getattr(node.config, "epochs", ""), "state": "done" if done else "to do"}
            | {"about": clock_text(seconds)}
        )
    return [*rows, {"run": "all", "about": clock_text(total)}]


# -- how many images a run reads, by its kind
def count_images(config: PretrainConfig | ClassifyConfig) -> int:
    """Return the readable images of a source."""
    return len(list_images(config.data).samples)


def count_pairs(config: SegmentConfig) -> int:
    """Return the images with masks."""
    return len(list_pairs(config.data).pairs)


def count_tiles(config: PromptJudgeConfig) -> int:
    """Return the tiles of the test part that an engine is judged on."""
    tiles = len(split_pairs(list_pairs(config.data), config.data)["test"])
    return min(tiles, config.tiles or tiles)


# -- how long a run takes, by its kind
def pretrain_seconds(config: PretrainConfig, count: int, stopwatch: Stopwatch) -> float:
    """Return the time of all epochs over `count` images."""
    views = config.views
    # The teacher sees two global views forward, the student all views forward and backward.
    globals_ = 2 * stopwatch.backbone(config, views.global_size) * (2 + BACKWARD)
    locals_ = views.local_crops * stopwatch.backbone(config, views.local_size) * (1 + BACKWARD)
    return config.epochs * count * (globals_ + locals_)


def classify_seconds(config: ClassifyConfig, count: int, stopwatch: Stopwatch) -> float:
    """Return the time of all epochs over `count` images; of a frozen backbone, of computing its features once."""
    parts, forward = config.data.split, stopwatch.backbone(config, config.input_size)
    train, rest = count * (1 - parts.val - parts.test), count * (parts.val + parts.test)
    if config.freeze and config.feature_cache:
        views = config.cached_views if config.augment != "none" else 1
        return forward * (train * views + rest)
    each = 1 if config.freeze else 1 + BACKWARD
    return config.epochs * forward * (train * each + count * parts.val)


def segment_seconds(config: SegmentConfig, count: int, stopwatch: Stopwatch) -> float:
    """Return the time of all epochs over `count` tiles."""
    policy = SkipPolicy.of(config.skips)
    classes = len(list_pairs(config.data).palette.classes)

    def build() -> nn.Module:
        return build_segmenter(config.model, config.backbone, classes, stem=config.stem, policy=policy)

    forward = stopwatch.forward(
        (config.model, config.backbone, config.stem, policy, config.crop), config, config.crop, build
    )
    # Validation sees whole tiles; they are taken to be of the crop's size where nothing else is said.
    return config.epochs * forward * count * (1 + BACKWARD)


def prompt_seconds(config: PromptJudgeConfig, count: int, stopwatch: Stopwatch) -> float:
    """Time everything mode and one click on the first tile; clicks go to each of its regions."""
    try:
        engine = build_engine(config.engine, config.model)
    except NotAvailable:
        return 0.0  # it will not run
    found = list_pairs(config.data)
    pair = found.pairs[0]
    labels, _ = found.palette.encode(read_mask(pair.mask, found.palette))
    begin = time.perf_counter()
    state = engine.set_image(decode(pair.image))
    engine.everything(state, EverythingSettings(points_per_side=config.points_per_side))
    once = time.perf_counter() - begin
    click = engine.predict(state, Prompts(points=((state.width / 2, state.height / 2, 1),))).seconds
    return count * (once + click * config.clicks * len(list(regions_of(labels, config.min_share))))


class Stopwatch:
    """Times one forward pass of each network once."""

    def __init__(self) -> None:
        self._speeds: dict[tuple[Any, ...], float] = {}

    def backbone(self, config: PretrainConfig | ClassifyConfig, size: int) -> float:
        """Return seconds an image of a forward pass of the backbone on images of `size` pixels."""
        key = (config.backbone, config.stem, size)
        return self.forward(key, config, size, lambda: build_backbone(config.backbone, config.stem))

    def forward(self, key: tuple[Any, ...], config: RunConfig, size: int, build: Callable[[], nn.Module]) -> float:
        """Return seconds an image of a forward pass of what `build` returns; the same key is built and timed once."""
        if key not in self._speeds:
            self._speeds[key] = _forward_seconds(config, size, build())
        return self._speeds[key]


@torch.no_grad()
def _forward_seconds(config: RunConfig, size: int, network: nn.Module) -> float:
    """Return seconds an image of one forward pass; the median of three batches after one that warms up."""
    fabric = make_fabric(config)
    network = place(network.eval(), fabric.device)
    batch = max(1, min(BATCH, PIXELS // size**2))
    images = torch.zeros(batch, 3, size, size, device=fabric.device).to(memory_format=torch.channels_last)
    seconds = []
    for _ in range(4):
        begin = time.perf_counter()
        with fabric.autocast():
            network(images).sum().item()
        seconds.append(time.perf_counter() - begin)
    return sorted(seconds[1:])[1] / batch
