"""A look at a data set before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sightline.config import DataConfig
from sightline.data.images.cache import load_images
from sightline.data.images.survey import check_rows
from sightline.data.labelled.listing import list_images


def check(config: DataConfig) -> list[dict[str, Any]]:
    """Open every image, and return rows of (what, value): counts, classes, sizes, and each unreadable file."""
    listing = list_images(config)
    images = load_images(config.model_copy(update={"max_bad_fraction": 1.0}))
    rows: list[dict[str, Any]] = [
        {"what": "images", "value": len(listing)},
        {"what": "unreadable", "value": len(images.listing.bad)},
    ]
    counts = Counter(images.listing.labels.tolist())
    rows += [{"what": f"class {name}", "value": counts[i]} for i, name in enumerate(listing.classes)]
    styles = Counter(sample.style for sample in images.listing.samples if sample.style)
    rows += [{"what": f"style {name}", "value": count} for name, count in sorted(styles.items())]
    rows += check_rows(
        [sample.path for sample in listing.samples], images.reading, images.__getitem__, images.listing.ids
    )
    rows += [{"what": f"unreadable: {bad.id}", "value": bad.reason} for bad in images.listing.bad]
    return rows
