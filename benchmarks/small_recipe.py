"""How much `dino-small` learns in a given time: a linear probe and k-NN on photographs that it has not seen.

    uv run python benchmarks/small_recipe.py TINY64 --out runs/small-recipe

TINY64 holds class folders. The last 50 images of each class (file names sorted) are kept back. DINO sees the others,
without labels. Then, on frozen features: 100 of the others a class are the bank, the kept-back 50 the queries.
Random weights and raw pixels are judged in the same way beside it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import sightline as sl
from sightline.config import DataConfig, RunConfig
from sightline.data import load_images
from sightline.engine import make_fabric
from sightline.metrics.features import knn_accuracy, linear_probe
from sightline.models import build_backbone, load_backbone
from sightline.models.cpu import place
from sightline.models.features import extract_features
from sightline.runs.results import PretrainResult
from sightline.views import Resize
from sightline.views.device import Preprocessing

KEPT_BACK, BANK = 50, 100


def write_lists(source: Path, out: Path) -> dict[str, Path]:
    """Write list files: pretrain (all but the last 50 a class), and CSVs of bank and queries."""
    out.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[tuple[str, str]]] = {"pretrain": [], "bank": [], "queries": []}
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        files = sorted(folder.iterdir())
        seen, kept = files[:-KEPT_BACK], files[-KEPT_BACK:]
        for part, chosen in (("pretrain", seen), ("bank", seen[:BANK]), ("queries", kept)):
            parts[part] += [(str(path.absolute()), folder.name) for path in chosen]
    paths = {"pretrain": out / "pretrain.txt"}
    paths["pretrain"].write_text("\n".join(name for name, _ in parts["pretrain"]) + "\n", encoding="utf-8")
    for part in ("bank", "queries"):
        paths[part] = out / f"{part}.csv"
        rows = [f"{i},{name},{label}" for i, (name, label) in enumerate(parts[part])]
        paths[part].write_text("\n".join(["id,filename,label", *rows]) + "\n", encoding="utf-8")
    return paths


def judge(backbone, bank, queries, size: int) -> dict[str, float]:
    fabric = make_fabric(RunConfig())
    backbone = place(backbone, fabric.device)
    views = Resize(size)
    to_tensor = Preprocessing().on(fabric.device)

    def features(images):
        make = lambda ids: to_tensor(views(images.gather(ids)))  # noqa: E731
        return extract_features(backbone, make, np.arange(len(images)), fabric)

    return scores(features(bank), bank.listing.labels, features(queries), queries.listing.labels)


def scores(bank: np.ndarray, bank_labels: np.ndarray, queries: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return {
        "linear_probe": linear_probe(bank, bank_labels, queries, labels),
        "knn": knn_accuracy(bank, bank_labels, queries, labels, k=20),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", nargs="*", default=[], help="keys that differ from the recipe, key=value")
    arguments = parser.parse_args()
    paths = write_lists(arguments.source, arguments.out / "lists")
    from sightline.config import from_assignments

    run = sl.pretrain(paths["pretrain"], arguments.out / "run", resume=True, **from_assignments(arguments.set))
    bank, queries = (
        load_images(DataConfig(source=str(paths[part]), layout="csv", image_size=64)) for part in ("bank", "queries")
    )
    loaded = load_backbone(run.path)
    size = loaded.description["preprocessing"]["input_size"]
    pixels = [np.stack(images.gather(np.arange(len(images)))).reshape(len(images), -1) for images in (bank, queries)]
    info, trained = run.folder.info(), run.folder.result_as(PretrainResult)
    result = {
        "pretrained": judge(loaded.backbone, bank, queries, size),
        "random weights": judge(build_backbone(loaded.backbone.name, loaded.backbone.stem), bank, queries, size),
        "raw pixels": {
            "knn": knn_accuracy(
                pixels[0].astype(np.float32),
                bank.listing.labels,
                pixels[1].astype(np.float32),
                queries.listing.labels,
                k=20,
            )
        },
        "images_seen": trained.images_seen,
        "epochs": trained.epochs,
        "fit_seconds": info.fit_seconds,
        "images_per_second": trained.images_seen / info.fit_seconds,
        "queries": len(queries),
        "versions": dict(info.versions),
        "hardware": None if info.hardware is None else info.hardware.to_dict(),
    }
    (arguments.out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
