"""An engine by its name. Imports what an engine needs only when that engine is asked for."""

from __future__ import annotations

from sightline.devices import resolve_device
from sightline.errors import ConfigError, nearest
from sightline.models.promptable.base import ENGINES, PromptEngine


def build_engine(name: str = "grabcut", model_id: str | None = None, device: str = "auto") -> PromptEngine:
    """Return a ready engine.

    Args:
        name: a key of ENGINES. grabcut by default, for it runs anywhere at once.
        model_id: a hub id or a local folder with the weights; the registry's by default.
        device: auto, cpu, cuda or mps.

    Raises:
        ConfigError: no such engine or device, or a model for an engine that has none.
        NotAvailable: weights that are neither here nor can be fetched.
        WeightsError: a folder that holds another model.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine = {name!r}: expected one of {', '.join(ENGINES)}.{nearest(name, ENGINES)}")
    if name == "grabcut":
        from sightline.models.promptable.grabcut import GrabCut

        if model_id:
            raise ConfigError(f"model = {model_id!r}: grabcut has no weights; choose --engine sam2, or give no model")
        return GrabCut()
    return _with_weights(name, model_id, device)


def _with_weights(name: str, model_id: str | None, device: str) -> PromptEngine:
    from sightline.models.promptable.load import load
    from sightline.models.promptable.sam import Sam
    from sightline.models.promptable.text import GroundedSam, Sam3

    model_id, device = model_id or ENGINES[name].model_id, resolve_device(device)
    if name == "grounded-sam":
        detector, _, segmenter = model_id.partition("+")
        masks = _with_weights("sam2", segmenter or None, device)
        assert isinstance(masks, Sam)
        joined = f"{detector}+{masks.model_id}"
        return GroundedSam(load("grounding-dino", detector, device, name), joined, device, masks)
    parts = load(name, model_id, device, name)
    return (Sam3 if name == "sam3" else Sam)(name, parts, model_id, device)
