"""Backbones: any timm or torchvision classification model, without its classifier, with pooled features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import timm
import torch
import torchvision
from torch import Tensor, nn

from sightline.errors import ConfigError, nearest

Stem = Literal["published", "3x3"]
LIBRARIES = ("timm", "torchvision")


class Backbone(nn.Module):
    """A model from normalised images (B, 3, H, W) to pooled features (B, dim), its tensors named as in its library.

    Attributes:
        name: as it was asked for; with `stem` all that is needed to build it again.
        stem: published or 3x3.
        dim: length of the pooled features.
    """

    def __init__(self, inner: nn.Module, name: str, stem: Stem, dim: int) -> None:
        super().__init__()
        self.inner = inner
        self.name, self.dim = name, dim
        self.stem: Stem = stem

    def forward(self, images: Tensor) -> Tensor:
        """Return pooled features (B, dim).

        Raises:
            ConfigError: an architecture of fixed input size was given another one.
        """
        try:
            return self.inner(images).flatten(1)
        except AssertionError as error:  # how timm and torchvision refuse a size
            raise ConfigError(
                f"backbone = {self.name!r}: refuses images of {images.shape[2]}×{images.shape[3]} pixels ({error}); "
                "give it sizes that it takes, or take a ResNet, which takes any"
            ) from error

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        """Return what each direct child with parameters gives out, by its name, in the order they run."""
        found: dict[str, Tensor] = {}

        def keep(name: str) -> Callable[[nn.Module, object, object], None]:
            def hook(module: nn.Module, inputs: object, output: object) -> None:
                del module, inputs
                if isinstance(output, Tensor):
                    found[name] = output

            return hook

        children = [(n, child) for n, child in self.inner.named_children() if any(True for _ in child.parameters())]
        handles = [child.register_forward_hook(keep(name)) for name, child in children]
        try:
            found["features"] = self.forward(images)
        finally:
            for handle in handles:
                handle.remove()
        return found


def build_backbone(name: str, stem: Stem = "published", seed: int = 0) -> Backbone:
    """Build a backbone with random weights, a function of (name, stem, seed); torch's own generator stays as it was.

    Args:
        name: a timm or torchvision name; "timm/NAME" or "torchvision/NAME" takes that library's, a bare name timm's
            where it has one.
        stem: "3x3" replaces a ResNet's 7×7 stride-2 convolution and max-pool by one 3×3 stride-2 convolution, so
            that stages see twice the published resolution: for inputs of 64 px and less, where the published stem
            leaves 16×16 positions to the first stage and 2×2 to the last.
        seed: of the weights.

    Raises:
        ConfigError: no such model, or one without such a stem.
    """
    library, bare = _library(name)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inner = _timm(bare) if library == "timm" else _torchvision(bare)
        if stem == "3x3":
            use_small_stem(inner, name)
    return Backbone(inner, name, stem, _width(inner))


def _library(name: str) -> tuple[str, str]:
    known = {"timm": timm.list_models(), "torchvision": torchvision.models.list_models(module=torchvision.models)}
    library, slash, bare = name.partition("/")
    candidates = ((library, bare),) if slash and library in LIBRARIES else tuple((each, name) for each in LIBRARIES)
    for candidate, model in candidates:
        # timm names its published weights after a dot: resnet50.a1_in1k
        if (model.partition(".")[0] if candidate == "timm" else model) in known[candidate]:
            return candidate, model
    word = name.rpartition("/")[2].partition(".")[0]
    raise ConfigError(
        f"backbone = {name!r}: neither timm nor torchvision has it."
        f"{nearest(word, known['timm'] + known['torchvision'])} "
        "All names: timm.list_models(), torchvision.models.list_models()"
    )


def _timm(name: str) -> nn.Module:
    # Multi-crop brings several sizes: ViTs resample their positions, Swins drop their check; convolutions need neither.
    options: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False})
    for option in options:
        try:
            return timm.create_model(name, pretrained=False, num_classes=0, **option)
        except TypeError:
            continue  # an architecture without this option
    return timm.create_model(name, pretrained=False, num_classes=0)


def _torchvision(name: str) -> nn.Module:
    # These two return a tuple in training unless their auxiliary classifiers are left out.
    options = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(name, weights=None, **options)
    for attribute in ("fc", "classifier", "head", "heads"):
        classifier = getattr(model, attribute, None)
        if classifier is not None:
            setattr(model, attribute, _without_last(classifier))
            return model
    raise ConfigError(f"backbone = 'torchvision/{name}': its classifier was not found; take timm's model of that name")


def _without_last(classifier: nn.Module) -> nn.Module:
    """Replace the layer that gives class logits by the identity; norms and hidden layers before it stay."""
    if not isinstance(classifier, nn.Sequential):
        return nn.Identity()
    last = max(i for i, layer in enumerate(classifier) if isinstance(layer, nn.Linear | nn.Conv2d))
    for i in range(last, -1, -1):
        if i < last and not isinstance(classifier[i], nn.Dropout):
            break
        classifier[i] = nn.Identity()
    return classifier


@torch.no_grad()
def _width(inner: nn.Module) -> int:
    """Return the length of pooled features by running one black image: the one sure way for any architecture."""
    config = getattr(inner, "pretrained_cfg", None) or {}
    _, height, width = config.get("input_size", (3, 224, 224))
    inner.eval()
    features = inner(torch.zeros(1, 3, height, width)).flatten(1)
    inner.train()
    return features.shape[1]


def use_small_stem(inner: nn.Module, name: str) -> None:
    """Replace, in place, a ResNet's stem by the 3×3 one; random weights come from torch's generator as it stands.

    Raises:
        ConfigError: `inner` has no such stem; `name` is for the message.
    """
    convolution, pool = getattr(inner, "conv1", None), getattr(inner, "maxpool", None)
    if not isinstance(convolution, nn.Conv2d) or not isinstance(pool, nn.Module):
        raise ConfigError(
            f"stem = '3x3': {name} has no ResNet stem (conv1 and maxpool) to replace; "
            "take a ResNet or stem = 'published'"
        )
    replacement = nn.Conv2d(convolution.in_channels, convolution.out_channels, 3, stride=2, padding=1, bias=False)
    nn.init.kaiming_normal_(replacement.weight, mode="fan_out", nonlinearity="relu")
    inner.conv1, inner.maxpool = replacement, nn.Identity()
