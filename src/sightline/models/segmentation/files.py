"""Segmentation networks in run folders."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sightline.errors import RunError, WeightsError
from sightline.models.libraries import RGB
from sightline.models.segmentation.build import build_segmenter
from sightline.models.segmentation.segmenter import Segmenter
from sightline.models.segmentation.skipping import policy_of
from sightline.models.segmentation.skips import SkipPolicy
from sightline.models.weights import read_description, read_weights, save_model
from sightline.runs import RunFolder


@dataclass(frozen=True)
class LoadedSegmenter:
    """A network with a run's weights.

    Attributes:
        segmenter: on the CPU, in evaluation mode.
        description: model.json: how it was built and what the run said of classes, palette and preprocessing.
    """

    segmenter: Segmenter
    description: dict[str, Any]


def save_segmenter(run: RunFolder, segmenter: Segmenter, description: dict[str, Any]) -> None:
    """Write weights.safetensors and model.json.

    Args:
        run: where to.
        segmenter: whose weights are written, by its own names.
        description: what a reader needs beside the network: class names, palette, preprocessing. How to build it
            (kind, model, backbone, stem, outputs, skips) is added, and stands above keys of the same name.
    """
    built = {
        "kind": "segmenter",
        "model": segmenter.name,
        "backbone": segmenter.encoder_name,
        "stem": segmenter.stem,
        "outputs": segmenter.classes,
        "in_chans": segmenter.in_chans,
        "skips": asdict(policy_of(segmenter)),
    }
    save_model(run, segmenter.state_dict(), {**description, **built})


def load_segmenter(source: str | Path) -> LoadedSegmenter:
    """Load the network of a segmentation run.

    Raises:
        RunError: no run, an unfinished one, or one of another kind.
        WeightsError: damaged weights, or ones of another network than model.json says.
    """
    run = RunFolder.open(Path(source))
    description = read_description(run)
    if description.get("kind") != "segmenter":
        raise RunError(
            f"{run.path}: holds a {description.get('kind')}, not a segmenter; give the folder of a segment run"
        )
    segmenter = build_segmenter(
        description["model"],
        description["backbone"],
        description["outputs"],
        stem=description["stem"],
        policy=SkipPolicy(**description["skips"]),
        in_chans=description.get("in_chans", RGB),
    )
    try:
        segmenter.load_state_dict(read_weights(run))
    except RuntimeError as error:
        raise WeightsError(
            f"{run.weights}: does not fit {description['model']} on {description['backbone']}, as model.json "
            f"describes it: {str(error).splitlines()[-1].strip()}"
        ) from error
    return LoadedSegmenter(segmenter.eval(), description)
