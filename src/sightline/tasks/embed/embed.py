"""`embed`: penultimate features of a run on a data set, as a table, with k-NN and, when asked, a t-SNE map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from sightline.config import EmbedConfig, RunConfig
from sightline.data import load_images, split
from sightline.data.images.reading import Reading
from sightline.engine import Progress, make_fabric, make_progress
from sightline.files import Outputs, write_json, write_text
from sightline.metrics.features import knn_accuracy, silhouette
from sightline.models import load_backbone
from sightline.models.features import backbone_features
from sightline.runs import RunFolder
from sightline.runs.artifacts import EMBEDDING
from sightline.runs.outputs import EmbeddingQuality
from sightline.runs.verbs import able_kind
from sightline.tasks.embed.select import FILE as SELECTION
from sightline.tasks.embed.select import check_selection, select, write_selection
from sightline.tasks.embed.tsne import Map, map_quality, tsne, write_table
from sightline.views.device import Preprocessing


def embed(config: EmbedConfig, out: Path, *, progress: Progress | None = None) -> EmbeddingQuality:
    """Write features of `config.run` on `config.data` to `out`.

    Writes embedding.parquet (id, label, features float32 (dim,), with `tsne` also x and y), quality.json, config.yaml,
    and with `select` select.csv: which images to label next.

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
    preprocessing = loaded.description["preprocessing"]
    fabric = make_fabric(RunConfig(device=config.device, seed=config.seed))
    images = load_images(
        config.data.stored_for(preprocessing["input_size"]),
        progress=report.say,
        earlier=Reading.from_dict(loaded.description.get("reading")),
    )
    listing = images.listing
    chosen = np.arange(len(images))
    if config.split != "all":
        chosen = getattr(split(listing, config.data.split, config.data.split_file), config.split)
    check_selection(config, run, len(chosen))
    report.start("embed", len(chosen), 0, str(out), unit="image", images=1)
    features = backbone_features(
        loaded.backbone,
        Preprocessing.from_dict(preprocessing),
        images,
        chosen,
        fabric,
        size=preprocessing["input_size"],
        batch_size=config.batch_size,
        progress=lambda done: report.advance(done, ""),
    )
    report.stop()
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
