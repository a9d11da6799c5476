"""Weights a user takes away: safetensors with a description and a checksum beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from sightline.config import BackboneConfig
from sightline.data.images.reading import Reading
from sightline.errors import RunError, WeightsError
from sightline.files import atomic_path, file_sha256, text_digest, write_json
from sightline.models.backbones import Backbone, Stem, build_backbone
from sightline.models.foreign import MatchReport, check_finite, load_matching, read_foreign
from sightline.models.libraries import RGB
from sightline.runs import RunFolder, read_json
from sightline.runs.artifacts import MODEL

PREFIXES = {"backbone": "", "classifier": "backbone.", "segmenter": "encoder."}  # of a backbone's tensors, by kind


@dataclass(frozen=True)
class Loaded:
    """A backbone with loaded weights.

    Attributes:
        backbone: on the CPU.
        report: what of the checkpoint matched.
        description: model.json of a run; {} for a foreign file.
    """

    backbone: Backbone
    report: MatchReport
    description: dict[str, Any]


def save_model(run: RunFolder, state: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write weights.safetensors, then model.json, which holds their SHA-256 and how to build the model.

    Args:
        run: where to.
        state: tensors by name.
        description: kind (backbone or classifier), backbone, stem, dim, preprocessing and what else a reader needs.
    """
    with atomic_path(run.weights) as temporary:
        save_file(
            {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()},
            temporary,
        )
    content = {**description, "sha256": file_sha256(run.weights)}
    content.pop("digest", None)  # of a description that was read
    write_json(run.model_json, {**content, "digest": text_digest(json.dumps(content))})


def read_description(run: RunFolder) -> dict[str, Any]:
    """Return model.json of a finished run, its weights' checksum verified.

    Raises:
        RunError: the run has no weights yet.
        WeightsError: the weights are damaged.
    """
    if not run.model_json.is_file():
        raise RunError(f"{run.path}: has no weights, its status is {run.status}; let it finish with --resume")
    description = read_json(run.model_json)
    content = {key: value for key, value in description.items() if key != "digest"}
    digest = text_digest(json.dumps(content))
    if description.get("digest", digest) != digest:
        raise RunError(f"{run.model_json}: does not match its own checksum; it is damaged or was edited, copy it again")
    if "kind" not in description:
        raise RunError(f"{run.model_json}: damaged, it does not say what it describes; copy the run folder again")
    if not run.weights.is_file():
        raise WeightsError(f"{run.weights}: is missing, though model.json describes it; copy the whole run folder")
    if file_sha256(run.weights) != description.get("sha256"):
        raise WeightsError(
            f"{run.weights}: does not match the checksum in model.json; the file is damaged, copy it again"
        )
    return description


def read_weights(run: RunFolder) -> dict[str, Tensor]:
    """Return the tensors of a finished run, whose checksum `read_description` has verified.

    Raises:
        WeightsError: no safetensors, or some hold NaN or infinity.
    """
    tensors = read_foreign(run.weights)
    check_finite(tensors, str(run.weights))
    return tensors


def reading_of(config: BackboneConfig) -> Reading:
    """Return how the images were read that the initial weights have seen: a run's; of another origin the default."""
    path = Path(config.reference if config.init == "reference" else config.init) / MODEL
    return Reading.from_dict(read_json(path).get("reading")) if path.is_file() else Reading()


def load_backbone(
    source: str | Path,
    name: str | None = None,
    stem: Stem | None = None,
    network: Literal["teacher", "student"] = "teacher",
) -> Loaded:
    """Load a backbone from a run folder (pretrain, classify, or segment by a U-Net) or a foreign checkpoint file.

    Args:
        source: a run folder, or a .safetensors, .pth or .pt file.
        name: architecture of a foreign checkpoint; a run brings its own.
        stem: likewise.
        network: of a foreign checkpoint that holds both.

    Raises:
        WeightsError: nothing there, unreadable, damaged, or not fitting.
        RunError: a segmentation run whose architecture is another library's.
    """
    path = Path(source)
    if path.is_dir():
        run = RunFolder.open(path)
        description = read_description(run)
        backbone = build_backbone(
            description["backbone"], description["stem"], in_chans=description.get("in_chans", RGB)
        )
        tensors, prefix = read_weights(run), PREFIXES[description["kind"]]
        state = {key.removeprefix(prefix): v for key, v in tensors.items() if key.startswith(prefix)}
        if not all(key.startswith("inner.") for key in state):  # an architecture of another library, under its names
            raise RunError(
                f"{path}: its {description.get('model')} does not keep a backbone as it was; "
                "give the run of a U-Net, or the weights that this run started from"
            )
        backbone.load_state_dict(state)
        others = tuple(sorted(tensors.keys() - {prefix + key for key in state}))
        return Loaded(backbone, MatchReport(tuple(state), (), others, (), ""), description)
    if not path.is_file():
        raise WeightsError(
            f"init = {str(source)!r}: no such run folder or file; give none, reference, a run or a checkpoint"
        )
    if name is None:
        raise WeightsError(f"{path}: a foreign checkpoint does not say its architecture; give --backbone")
    backbone = build_backbone(name, stem or "published")
    return Loaded(backbone, load_matching(backbone, read_foreign(path), str(path), network), {})
