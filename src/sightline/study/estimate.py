"""How long a study will take, from a few timed batches of each of its networks on this machine."""

from __future__ import annotations

import time
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
from sightline.models.promptable import Prompts, build_engine
from sightline.models.promptable.everything import Settings, everything
from sightline.models.segmentation import SkipPolicy, build_segmenter
from sightline.runs import RunFolder
from sightline.study.plan import Config, Node
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
        path = folder / "runs" / node.name
        done = (path / "run.json").is_file() and RunFolder.open(path).is_done
        count = _count(node.config)
        seconds = 0.0 if done else stopwatch.seconds(node.config, count)
        total += seconds
        rows.append(
            {"run": node.name, "needs": ", ".join(node.needs), "images": count}
            | {"epochs": getattr(node.config, "epochs", ""), "state": "done" if done else "to do"}
            | {"about": clock_text(seconds)}
        )
    return [*rows, {"run": "all", "about": clock_text(total)}]


def _count(config: Config) -> int:
    if isinstance(config, SegmentConfig):
        return len(list_pairs(config.data).pairs)
    if isinstance(config, PromptJudgeConfig):
        tiles = len(split_pairs(list_pairs(config.data), config.data)["test"])
        return min(tiles, config.tiles or tiles)
    return len(list_images(config.data).samples)


class Stopwatch:
    """Times one forward pass of each network once."""

    def __init__(self) -> None:
        self._speeds: dict[tuple[Any, ...], float] = {}

    def seconds(self, config: Config, count: int) -> float:
        """Return about how long a run takes on `count` images."""
        if isinstance(config, PretrainConfig):
            return self._pretrain(config, count)
        if isinstance(config, ClassifyConfig):
            return self._classify(config, count)
        if isinstance(config, SegmentConfig):
            return self._segment(config, count)
        return self._prompt(config, count)

    def _pretrain(self, config: PretrainConfig, count: int) -> float:
        views = config.views
        # The teacher sees two global views forward, the student all views forward and backward.
        globals_ = 2 * self._backbone(config, views.global_size) * (2 + BACKWARD)
        locals_ = views.local_crops * self._backbone(config, views.local_size) * (1 + BACKWARD)
        return config.epochs * count * (globals_ + locals_)

    def _classify(self, config: ClassifyConfig, count: int) -> float:
        parts, forward = config.data.split, self._backbone(config, config.input_size)
        train, rest = count * (1 - parts.val - parts.test), count * (parts.val + parts.test)
        if config.freeze and config.feature_cache:
            views = config.cached_views if config.augment != "none" else 1
            return forward * (train * views + rest)
        each = 1 if config.freeze else 1 + BACKWARD
        return config.epochs * forward * (train * each + count * parts.val)

    def _segment(self, config: SegmentConfig, count: int) -> float:
        policy = SkipPolicy.of(config)
        classes = len(list_pairs(config.data).palette.classes)
        key = (config.model, config.backbone, config.stem, policy, config.crop)
        forward = self._timed(
            key, config, config.crop, lambda: build_segmenter(
                config.model, config.backbone, classes, stem=config.stem, policy=policy
            )
        )  # fmt: skip
        # Validation sees whole tiles; they are taken to be of the crop's size where nothing else is said.
        return config.epochs * forward * count * (1 + BACKWARD)

    def _prompt(self, config: PromptJudgeConfig, count: int) -> float:
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
        everything(engine, state, Settings(grid=config.grid))
        once = time.perf_counter() - begin
        click = engine.predict(state, Prompts(points=((state.width / 2, state.height / 2, 1),))).seconds
        return count * (once + click * config.clicks * len(list(regions_of(labels, config.min_share))))

    def _backbone(self, config: PretrainConfig | ClassifyConfig, size: int) -> float:
        key = (config.backbone, config.stem, size)
        return self._timed(key, config, size, lambda: build_backbone(config.backbone, config.stem))

    def _timed(self, key: tuple[Any, ...], config: RunConfig, size: int, build: Any) -> float:
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
