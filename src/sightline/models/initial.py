"""Where a run begins: random weights, published ones, a run's own, or a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from sightline.config import BackboneConfig
from sightline.models.backbones import Backbone, Stem, build_backbone, for_bands
from sightline.models.libraries import RGB
from sightline.models.reference import is_published, load_published
from sightline.models.weights import Loaded, load_backbone
from sightline.views.device import Preprocessing


@dataclass(frozen=True)
class InitialBackbone:
    """A backbone, how it takes images, and what was loaded into it.

    Attributes:
        backbone: on the CPU.
        preprocessing: as its weights were trained with; ImageNet's where nothing says another.
        source: of the weights; "none" where they are random.
        matched: which tensors were loaded, in words; "" where none.
        checksum: SHA-256 of what was loaded, by tensor; "" where nothing.
    """

    backbone: Backbone
    preprocessing: Preprocessing
    source: str
    matched: str
    checksum: str

    @classmethod
    def of(
        cls, config: BackboneConfig, in_chans: int = RGB, say: Callable[[str], object] | None = None
    ) -> InitialBackbone:
        """Build the backbone that a run of `config` begins with, and say what was loaded into it.

        Errors as of `initial_backbone`.
        """
        start = initial_backbone(
            config.init,
            config.backbone,
            config.stem,
            config.seed,
            reference=config.reference,
            network=config.network,
            in_chans=in_chans,
        )
        if config.random_weights:
            like = start.backbone
            built = build_backbone(like.name, like.stem, seed=config.seed, in_chans=in_chans)
            return InitialBackbone(built, start.preprocessing, "none", "", "")
        if say is not None and start.matched:
            say(f"{start.source}: {start.matched}")
        return start


def initial_backbone(
    init: str,
    backbone: str,
    stem: Stem,
    seed: int,
    *,
    reference: str,
    network: Literal["teacher", "student"] = "teacher",
    in_chans: int = RGB,
) -> InitialBackbone:
    """Build the backbone that a run begins with.

    Args:
        init: none, reference, a run's folder, a checkpoint file, or a published name.
        backbone: name of the architecture; what brings its own architecture takes no notice.
        stem: likewise.
        seed: of random weights.
        reference: what init "reference" means: a published name, a file or a run.
        network: of a checkpoint file that holds both.
        in_chans: channels of the images; weights of RGB are adapted to them, see `for_bands`.

    Raises:
        NotAvailable: published weights that are neither here nor can be fetched.
        ConfigError: no such published weights, or no such backbone.
        WeightsError: nothing there, unreadable, damaged, or not fitting.
    """
    if init == "none":
        built = build_backbone(backbone, stem, seed=seed, in_chans=in_chans)
        return InitialBackbone(built, Preprocessing().for_channels(in_chans), "none", "", "")
    if init == "reference":
        source, loaded = reference, load_reference(reference, backbone, stem, network)
    elif not Path(init).exists() and is_published(init):
        source, loaded = init, load_published(init)
    else:
        source, loaded = init, load_backbone(init, backbone, stem, network)
    preprocessing = Preprocessing.from_dict(loaded.description.get("preprocessing", {})).for_channels(in_chans)
    built, matched = for_bands(loaded.backbone, in_chans), str(loaded.report)
    if built is not loaded.backbone:
        matched += f"; the first convolution is adapted from RGB to {in_chans} bands by timm's rule"
    return InitialBackbone(built, preprocessing, source, matched, _checksum(built))


def load_reference(
    name: str,
    backbone: str | None = None,
    stem: Stem | None = None,
    network: Literal["teacher", "student"] = "teacher",
) -> Loaded:
    """Load reference weights: a name of `REFERENCES`, a timm tag ("timm/TAG"), "hf-hub:ID", a file or a run folder.

    Args:
        name: of the weights.
        backbone: architecture of a checkpoint file, which does not say it; the others bring their own.
        stem: likewise.
        network: of a checkpoint file that holds both.

    Raises:
        NotAvailable: the weights are neither here nor can be fetched; the reason is the first line of the cause.
        ConfigError: no such weights.
        WeightsError: they were read and do not fit.
    """
    return load_backbone(name, backbone, stem, network) if Path(name).exists() else load_published(name)


def _checksum(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
