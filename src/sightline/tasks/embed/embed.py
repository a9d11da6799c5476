"""`embed`: penultimate features of a run on a data set, as a table, with k-NN and, when asked, a t-SNE map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from sightline.config import EmbedConfig, RunConfig
from sightline.data import ImageSet, Sample, list_images, load_images, split
from sightline.data.images.cache import SIDE, decoded
from sightline.data.images.reading import Reading
from sightline.data.images.survey import settle
from sightline.engine import Progress, make_fabric, make_progress
from sightline.errors import ConfigError
from sightline.files import Outputs, write_json, write_text
from sightline.metrics.features import knn_accuracy, silhouette
from sightline.models import Loaded, load_backbone
from sightline.models.features import FeatureMaker
from sightline.runs import RunFolder
from sightline.runs.artifacts import EMBEDDING
from sightline.runs.outputs import EmbeddingQuality, PartDone
from sightline.runs.parts import Part, merge_parts, unread_line
from sightline.runs.verbs import able_kind
from sightline.tasks.embed.select import FILE as SELECTION
from sightline.tasks.embed.select import check_selection, select, write_selection
from sightline.tasks.embed.tsne import Map, feature_column, map_quality, tsne, write_table
from sightline.tasks.parts import do_part, members
from sightline.views.device import Preprocessing


def embed(config: EmbedConfig, out: Path, *, merge: bool = False, progress: Progress | None = None) -> EmbeddingQuality:
    """Write features of `config.run` on `config.data` to `out`.

    Writes embedding.parquet (id, label, features float32 (dim,), with `tsne` also x and y), quality.json, config.yaml,
    and with `select` select.csv: which images to label next.

    Args:
        config: what to embed.
        out: the folder.
        merge: take the features from the parts that `embed_part` left in `out`, in place of the network.
        progress: told how far it is; by default a bar or lines.

    Returns:
        Accuracy of the nearest neighbours and silhouette where there are labels, trustworthiness of the map.

    Raises:
        ConfigError: more images are to be chosen than there are, or by what the run does not have.
        RunError, WeightsError: `config.run` holds no weights that fit, or is a kind of run without features of images.
        DataError: the data cannot be opened, or `out` holds files of these names that Sightline did not write.
    """
    table, scores, settings = (out / name for name in (EMBEDDING, "quality.json", "config.yaml"))
    files = [table, scores, settings, *([out / SELECTION] if config.select else [])]
    outputs = Outputs([(Path(config.run), file) for file in files])
    report = progress or make_progress()
    run = RunFolder.open(Path(config.run))
    able_kind(run, "embed")
    loaded = load_backbone(config.run)
    report.say(f"{config.run}: {loaded.report}")
    make = _merged if merge else _computed
    listing, chosen, features = make(config, out, loaded, report, lambda number: check_selection(config, run, number))
    labels = listing.labels[chosen]
    ids = [listing.ids[i] for i in chosen]
    names = [listing.classes[i] if i >= 0 else "" for i in labels]
    values: dict[str, float] = {}
    if (labels >= 0).all():
        values["knn"] = knn_accuracy(features, labels)
        values["silhouette"] = silhouette(features, labels)
    picture: Map | None = None
    if config.tsne:
        report.say("embed: computing the t-SNE map")
        picture = tsne(features, perplexity=config.perplexity, seed=config.seed)
        values |= map_quality(features, picture, labels if (labels >= 0).all() else None)
    quality = EmbeddingQuality(**values, n=len(chosen))
    selected = select(config, features) if config.select else np.zeros(0, np.int64)
    with outputs.writing():
        write_table(table, ids, names, features=features, points=picture)
        write_json(scores, quality.to_dict())
        if config.select:
            write_selection(out / SELECTION, selected, ids, names)
        # Where the pictures are, for whoever looks at the map.
        write_text(settings, yaml.safe_dump(config.to_dict(), sort_keys=False, allow_unicode=True))
    return quality


def embed_part(config: EmbedConfig, out: Path, part: Part, *, progress: Progress | None = None) -> PartDone:
    """Write the features of the images of a part, block by block, to OUT/parts; `embed` with `merge` joins the parts.

    Images are decoded as they are needed and not kept. What is done stays done, whatever ends this process; the same
    call goes on.

    Raises:
        ConfigError: a split, a map or a selection is asked for, which are of all images.
        RunError, WeightsError: as of `embed`; or another process does this part.
        DataError: the data cannot be opened, too many images cannot be read, or the part in `out` is of other inputs.
    """
    _check_whole(config)
    if config.tsne or config.select:
        raise ConfigError("part: a map and a selection are of all images; give tsne and select with merge")
    report = progress or make_progress()
    run = RunFolder.open(Path(config.run))
    able_kind(run, "embed")
    loaded = load_backbone(config.run)
    report.say(f"{config.run}: {loaded.report}")
    listing, reading, size = _opened(config, loaded, report)
    samples = members(listing, part)
    fabric = make_fabric(RunConfig(device=config.device, seed=config.seed))
    preprocessing = Preprocessing.from_dict(loaded.description["preprocessing"])
    assert preprocessing.input_size is not None, "what can be embedded was saved with the size of its images"
    make = FeatureMaker(loaded.backbone, preprocessing, fabric, preprocessing.input_size)

    def features_of(pixels: list[np.ndarray]) -> np.ndarray:
        return make(lambda ids: [pixels[i] for i in ids], np.arange(len(pixels)), len(pixels))

    def rows(batch: Sequence[Sample], pixels: list[np.ndarray]) -> dict[str, pa.Array]:
        names = [listing.classes[sample.label] if sample.label >= 0 else "" for sample in batch]
        return {"label": pa.array(names, pa.string()), "features": feature_column(features_of(pixels))}

    return do_part(
        out,
        part,
        samples,
        _inputs(loaded, listing, samples, reading, size),
        decode=lambda sample: decoded(sample, size, reading),
        rows=rows,
        batch_size=config.batch_size,
        max_bad_fraction=config.data.max_bad_fraction,
        way_out=", or raise data.max_bad_fraction",
        progress=report,
        what="embed",
    )


def _check_whole(config: EmbedConfig) -> None:
    if config.split != "all":
        raise ConfigError(
            f"split = {config.split!r}: parts are of all images; leave split out, and choose among the rows"
        )


def _opened(config: EmbedConfig, loaded: Loaded, report: Progress) -> tuple[ImageSet, Reading, int]:
    """Return the images, how they are read, and the shorter side that they are decoded to."""
    stored = config.data.stored_for(loaded.description["preprocessing"]["input_size"])
    listing = list_images(stored)
    for line in listing.said():
        report.say(line)
    paths = [sample.path for sample in listing.samples]
    earlier = Reading.from_dict(loaded.description.get("reading"))
    return listing, settle(listing.name, paths, stored, earlier, report.say), stored.image_size or SIDE


def _inputs(
    loaded: Loaded, listing: ImageSet, samples: Sequence[Sample], reading: Reading, size: int
) -> dict[str, Any]:
    """Return what the rows of a part are made of."""
    data = replace(listing, samples=tuple(samples)).fingerprint
    return {"weights": loaded.description["sha256"], "data": data, "reading": reading.to_dict(), "image_size": size}


def _computed(
    config: EmbedConfig, out: Path, loaded: Loaded, report: Progress, check: Callable[[int], None]
) -> tuple[ImageSet, np.ndarray, np.ndarray]:
    """Return the images that can be read, which are chosen, and the features of these, by the network."""
    preprocessing = loaded.description["preprocessing"]
    fabric = make_fabric(RunConfig(device=config.device, seed=config.seed))
    images = load_images(
        config.data.stored_for(preprocessing["input_size"]),
        progress=report.say,
        earlier=Reading.from_dict(loaded.description.get("reading")),
    )
    listing, chosen = images.listing, np.arange(len(images))
    if config.split != "all":
        chosen = getattr(split(listing, config.data.split, config.data.split_file), config.split)
    check(len(chosen))
    report.start("embed", len(chosen), 0, str(out), unit="image", images=1)
    make = FeatureMaker(loaded.backbone, Preprocessing.from_dict(preprocessing), fabric, preprocessing["input_size"])
    features = make(images.gather, chosen, config.batch_size, lambda done: report.advance(done, ""))
    report.stop()
    return listing, chosen, features


def _merged(
    config: EmbedConfig, out: Path, loaded: Loaded, report: Progress, check: Callable[[int], None]
) -> tuple[ImageSet, np.ndarray, np.ndarray]:
    """Return the same from the parts in `out`."""
    _check_whole(config)
    listing, reading, size = _opened(config, loaded, report)
    made = merge_parts(
        out,
        listing.ids,
        lambda places: _inputs(loaded, listing, [listing.samples[i] for i in places], reading, size),
        ["features"],
    )
    if line := unread_line(listing.name, made.bad):
        report.say(line)
    check(len(made.indices))
    kept = replace(listing, samples=tuple(listing.samples[i] for i in made.indices))
    return kept, np.arange(len(kept)), made.columns["features"]
