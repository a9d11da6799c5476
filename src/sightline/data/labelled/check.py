"""A look at a data set before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sightline.config import DataConfig
from sightline.data.images.cache import load_image_set
from sightline.data.images.folder import passed_rows
from sightline.data.images.survey import check_rows, settle
from sightline.data.labelled.listing import list_images
from sightline.data.split_file import PARTS


def check(config: DataConfig) -> list[dict[str, Any]]:
    """Open every image, and return rows of (what, value): counts, classes, sizes, and each unreadable file."""
    listing = list_images(config)
    paths = [sample.path for sample in listing.samples]
    reading = settle(listing.name, paths, config)
    images = load_image_set(listing, config.image_size or 64, max_bad_fraction=1.0, reading=reading)
    rows: list[dict[str, Any]] = [
        {"what": "images", "value": len(listing)},
        {"what": "unreadable", "value": len(images.listing.bad)},
    ]
    counts = Counter(images.listing.labels.tolist())
    rows += [{"what": f"class {name}", "value": counts[i]} for i, name in enumerate(listing.classes)]
    styles = Counter(sample.style for sample in images.listing.samples if sample.style)
    rows += [{"what": f"style {name}", "value": count} for name, count in sorted(styles.items())]
    rows += check_rows(paths, reading, images.__getitem__, images.listing.ids)
    parts = Counter(sample.part for sample in images.listing.samples if sample.part)
    rows += [{"what": f"part {name}", "value": parts[name]} for name in PARTS if parts[name]]
    if listing.unclear:
        rows.append({"what": "labels", "value": f"none: {listing.unclear}"})
    rows += [{"what": "note", "value": note} for note in listing.notes]
    rows += passed_rows(listing.passed)
    rows += [{"what": f"unreadable: {bad.id}", "value": bad.reason} for bad in images.listing.bad]
    return rows
