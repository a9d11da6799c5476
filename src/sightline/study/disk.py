"""How much room a study will take: decoded images in the cache, and what its runs keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sightline.config import ClassifyConfig, PretrainConfig, RunConfig, SegmentConfig
from sightline.data import image_size, list_pairs
from sightline.models import build_backbone
from sightline.models.segmentation import build_segmenter
from sightline.study.plan import Node

ASPECT = 4 / 3  # longer side to shorter one of a usual photograph
BYTES = 4  # of a parameter
CLASSES = 7  # of a segmenter; the last layer is a thousandth of it
MOMENTS = 2  # that an optimizer keeps of each parameter, at most


@dataclass(frozen=True)
class Room:
    """Bytes that a run takes, about.

    Attributes:
        weights: that it keeps.
        checkpoint: that goes when it has finished, unless `keep_checkpoint` says otherwise.
    """

    weights: int = 0
    checkpoint: int = 0


def room_of(config: RunConfig) -> Room:
    """Return about how much room a run takes."""
    if isinstance(config, SegmentConfig):
        weights = BYTES * _segmenter(config.model, config.backbone, config.stem)
        return Room(weights, (1 + MOMENTS) * weights)
    if isinstance(config, ClassifyConfig):
        weights = BYTES * _backbone(config.backbone, config.stem)
        return Room(weights, (1 + MOMENTS) * weights)
    if isinstance(config, PretrainConfig):
        weights = BYTES * _backbone(config.backbone, config.stem)
        # Student and teacher, each with a head, of which the last layer is most.
        head = BYTES * getattr(config.method, "prototypes", 0) * getattr(config.method, "bottleneck", 0)
        return Room(weights, (2 + MOMENTS) * (weights + head))
    return Room()


def study_bytes(nodes: Sequence[Node], images: Mapping[str, int]) -> int:
    """Return about how many bytes a study takes at its fullest: pixels, weights, and one checkpoint.

    Arguments are those of `cache_bytes`.
    """
    rooms = [room_of(node.config) for node in nodes]
    kept = [room.checkpoint for room, node in zip(rooms, nodes, strict=True) if node.config.keep_checkpoint]
    largest = max((room.checkpoint for room in rooms), default=0)
    return cache_bytes(nodes, images) + sum(room.weights for room in rooms) + max(sum(kept), largest)


def cache_bytes(nodes: Sequence[Node], images: Mapping[str, int]) -> int:
    """Return about how many bytes the decoded images take; those that several runs share are counted once.

    Args:
        nodes: the study's runs.
        images: that the data of each has, by its name.
    """
    sizes: dict[str, float] = {}
    for node in nodes:
        data = node.config.to_dict()["data"]
        side, channels = data["image_size"], len(data["bands"] or "RGB")
        if isinstance(node.config, ClassifyConfig | PretrainConfig):
            pixels = ASPECT * side**2
        else:
            channels += 1  # the mask
            pixels = side**2 if side else _tile_pixels(node)
        sizes[f"{data['source']} {side} {data['share']} {data['bands']}"] = images[node.name] * pixels * channels
    return round(sum(sizes.values()))


def _tile_pixels(node: Node) -> int:
    width, height = image_size(list_pairs(node.config.data).pairs[0].image)  # pyright: ignore[reportAttributeAccessIssue]
    return width * height


@cache
def _backbone(name: str, stem: str) -> int:
    return sum(value.numel() for value in build_backbone(name, stem).parameters())  # pyright: ignore[reportArgumentType]


@cache
def _segmenter(model: str, backbone: str, stem: str) -> int:
    network = build_segmenter(model, backbone, CLASSES, stem=stem)  # pyright: ignore[reportArgumentType]
    return sum(value.numel() for value in network.parameters())
