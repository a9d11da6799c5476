"""A look at a data set before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sightline.config import DataConfig
from sightline.data.cache import open_images
from sightline.data.sources import open_data


def check(config: DataConfig) -> list[dict[str, Any]]:
    """Open every image, and return rows of (what, value): counts, classes, sizes, and each unreadable file."""
    image_set = open_data(config)
    images = open_images(image_set, config.image_size or 64, max_bad_share=1.0)
    rows: list[dict[str, Any]] = [
        {"what": "images", "value": len(image_set)},
        {"what": "unreadable", "value": len(images.image_set.bad)},
    ]
    counts = Counter(images.image_set.labels.tolist())
    rows += [{"what": f"class {name}", "value": counts[i]} for i, name in enumerate(image_set.classes)]
    styles = Counter(sample.style for sample in images.image_set.samples if sample.style)
    rows += [{"what": f"style {name}", "value": count} for name, count in sorted(styles.items())]
    rows += [{"what": f"unreadable: {bad.id}", "value": bad.reason} for bad in images.image_set.bad]
    return rows
