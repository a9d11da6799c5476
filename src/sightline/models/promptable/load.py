"""Promptable models in transformers' own format, from the hub or a folder."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import constants, snapshot_download
from torch import nn

from sightline.errors import NotAvailable, WeightsError
from sightline.models.reference import no_waiting
from sightline.prompts import DEFAULT_ENGINE, ENGINES, HUB_FILES, fetch_command


@dataclass(frozen=True)
class Family:
    """How transformers names the parts of an engine.

    Attributes:
        model: its model class.
        processor: its processor class.
        types: `model_type` in config.json.
    """

    model: str
    processor: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class Parts:
    """A model ready to answer.

    Attributes:
        model: in evaluation mode, on its device.
        processor: transformers' own, for images, text and masks.
        checksum: of configuration and weights.
    """

    model: Any
    processor: Any
    checksum: str


def load_parts(family: Family, model_id: str, device: str, engine: str) -> Parts:
    """Load a model and its processor.

    Args:
        family: of the model.
        model_id: a hub id or a local folder.
        device: cpu, cuda or mps.
        engine: that asks, for messages.

    Raises:
        NotAvailable: neither here nor to be fetched.
        WeightsError: a folder of another model, or one that lacks tensors.
    """
    folder = _folder(model_id, engine)
    _check_type(folder, family, engine)
    with _quiet():
        try:
            model, report = getattr(transformers, family.model).from_pretrained(
                folder, local_files_only=True, output_loading_info=True, use_safetensors=True, dtype=torch.float32
            )
            processor = getattr(transformers, family.processor).from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            reason = (str(error).strip() or type(error).__name__).split("\n")[0]
            raise WeightsError(f"{folder}: cannot be read as {family.model} ({reason})") from None
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise WeightsError(f"{folder}: lacks {len(missing)} tensors of {family.model}, for example {missing[0]}")
    assert isinstance(model, nn.Module)
    return Parts(model.eval().requires_grad_(False).to(device), processor, _checksum(folder))


def _folder(model_id: str, engine: str) -> Path:
    """Return the folder that holds the model's files, fetched if need be."""
    if Path(model_id).is_dir():
        return Path(model_id)
    if model_id.count("/") != 1 or model_id.startswith((".", "~", "/")):
        raise WeightsError(
            f"model = {model_id!r}: no such folder; give one, or a hub id like {ENGINES['sam2'].weights}"
        )
    try:
        with no_waiting():
            return Path(snapshot_download(model_id, allow_patterns=list(HUB_FILES)))
    except Exception as error:  # the hub client's many errors: no network, a gate, no such repository
        reason = (str(error).strip() or type(error).__name__).split("\n")[0]
        place = Path(constants.HF_HUB_CACHE) / f"models--{model_id.replace('/', '--')}"
        info = ENGINES[engine]
        command = info.fetching if model_id in info.weights.split("+") else fetch_command(model_id)
        raise NotAvailable(
            f"{engine} needs {model_id}, which is not in {place} and could not be fetched "
            f"({type(error).__name__}: {reason}). Where there is a network, this brings it:\n  {command}\nWithout one, "
            f"put its {', '.join(HUB_FILES)} into a folder and give that as --model, or use --engine {DEFAULT_ENGINE}, "
            "which needs no weights"
        ) from None


def _check_type(folder: Path, family: Family, engine: str) -> None:
    try:
        model_type = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{folder}: no readable config.json ({error}); give a folder in transformers' format"
        ) from None
    if model_type not in family.types:
        fitting = [name for name, info in ENGINES.items() if model_type in info.model_types]
        way_out = f"; use --engine {fitting[0]}" if fitting else ""
        raise WeightsError(f"{folder}: holds a model of type {model_type}, {engine} needs {family.types[0]}{way_out}")


def _checksum(folder: Path) -> str:
    """Return the SHA-256 over all that decides an embedding: configurations and weights."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' remarks and progress bars off the terminal; what matters is checked and raised."""
    logger = logging.getLogger("transformers")
    level, bar = logger.level, transformers.utils.logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
        if bar:
            transformers.utils.logging.enable_progress_bar()
