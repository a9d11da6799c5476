"""Backbones of torchvision."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torchvision
from timm.models import adapt_input_conv
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models.feature_extraction import DualGraphModule, create_feature_extractor, get_graph_node_names

from sightline.errors import ConfigError
from sightline.models.libraries.base import RESNET_PARTS, RGB, Library, Pyramid

# Of the image by which strides are found: unequal sides, so that a pooled map of 1×1 is no feature of a large stride.
HEIGHT, WIDTH = 256, 128
# A stage is a module at most this deep: features.3, trunk_output.block2, stage2. Below it, a block's inner maps come.
DEPTH = 2
# The features of a ResNet by index, whatever its stem does to their strides.
RESNET_NODES = {1: "relu", 2: "layer1", 3: "layer2", 4: "layer3", 5: "layer4"}


def _names() -> list[str]:
    return torchvision.models.list_models(module=torchvision.models)


def _build(name: str, in_chans: int) -> nn.Module:
    # These two return a tuple in training unless their auxiliary classifiers are left out.
    options = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(name, weights=None, **options)
    for attribute in ("fc", "classifier", "head", "heads"):
        classifier = getattr(model, attribute, None)
        if classifier is not None:
            setattr(model, attribute, _without_last(classifier))
            if in_chans != RGB:
                _see_bands(model, in_chans)
            return model
    raise ConfigError(f"backbone = 'torchvision/{name}': its classifier was not found; take timm's model of that name")


def _see_bands(model: nn.Module, in_chans: int) -> None:
    """Give the first convolution that sees RGB other channels, its weights adapted by timm's rule."""
    name, first = next(
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and module.in_channels == RGB
    )
    other = nn.utils.skip_init(
        nn.Conv2d,
        in_chans,
        first.out_channels,
        first.kernel_size,
        stride=first.stride,
        padding=first.padding,
        bias=first.bias is not None,
    )
    other.load_state_dict(first.state_dict() | {"weight": adapt_input_conv(in_chans, first.weight.detach())})
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, other)


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


def _pyramid(inner: nn.Module, name: str, in_chans: int) -> Pyramid:
    """Take what the last stage of each stride gives, by torchvision's own feature extraction."""
    resnet = isinstance(inner, ResNet)
    nodes, extractor = (
        (RESNET_NODES, _extractor(inner, RESNET_NODES.values())) if resnet else _stages(inner, name, in_chans)
    )
    extractor = _narrowed(inner, extractor, nodes)
    _keep_unused(inner, extractor)
    return Pyramid(extractor, tuple(nodes), _values, RESNET_PARTS if resnet else {})


def _values(module: nn.Module, images: Tensor) -> Sequence[Tensor]:
    return list(module(images).values())


def _extractor(inner: nn.Module, nodes: Iterable[str]) -> DualGraphModule:
    """Trace the network, and return what gives the features of these nodes by their names."""
    extractor = create_feature_extractor(inner, {node: node for node in nodes}, suppress_diff_warning=True)
    assert isinstance(extractor, DualGraphModule), "of a module, it has a graph for training and one for evaluation"
    return extractor


def _narrowed(inner: nn.Module, extractor: DualGraphModule, nodes: Mapping[int, str]) -> DualGraphModule:
    """Return what gives some of an extractor's features, by index; tracing anew would take seconds."""
    indices = {node: str(index) for index, node in nodes.items()}
    for graph in (extractor.train_graph, extractor.eval_graph):
        (output,) = (node for node in graph.nodes if node.op == "output")
        output.args = ({indices[node]: value for node, value in output.args[0].items() if node in indices},)
        graph.eliminate_dead_code()
    return _Features(inner, extractor.train_graph, extractor.eval_graph, type(inner).__name__)


class _Features(DualGraphModule):
    """A feature extractor whose copies are in its own mode, and have the modules that no feature needs."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        twin = super().__deepcopy__(memo)
        _keep_unused(self, twin, memo)
        twin.train(self.training)
        for name, module in self.named_modules():
            twin.get_submodule(name).training = module.training
        return twin


@torch.no_grad()
def _stages(inner: nn.Module, name: str, in_chans: int) -> tuple[dict[int, str], DualGraphModule]:
    """Return index → node of the last stage of each stride, from running one small black image, and what was run."""
    shapes: dict[str, torch.Size] = {}
    extractor: DualGraphModule | None = None
    try:
        train, evaluation = ({_stage(node) for node in nodes} for nodes in get_graph_node_names(inner))
        extractor = _extractor(inner, sorted(train & evaluation))
        outputs = extractor.eval()(torch.zeros(1, in_chans, HEIGHT, WIDTH))
        inner.train()
        shapes = {node: value.shape for node, value in outputs.items() if isinstance(value, Tensor)}
    except (AssertionError, RuntimeError, ValueError, TypeError):
        pass  # an architecture that cannot be traced, or of a fixed input size: it has no stages to take
    last: dict[int, str] = {}
    for node, shape in shapes.items():
        stride = HEIGHT // shape[2] if len(shape) == 4 else 0
        if stride >= 2 and shape[2:] == (HEIGHT // stride, WIDTH // stride) and not stride & (stride - 1):
            last[int(math.log2(stride))] = node
    if extractor is None or len(last) < 2:
        raise ConfigError(
            f"encoder = {name!r}: has no features of several strides that a U-Net could skip to; take a ResNet, or "
            "torchvision's ConvNeXt, EfficientNet, MobileNet, RegNet, DenseNet …, or a timm network"
        )
    return dict(sorted(last.items())), extractor


def _stage(node: str) -> str:
    return ".".join(node.split(".")[:DEPTH])


def _keep_unused(inner: nn.Module, extractor: nn.Module, memo: dict[int, Any] | None = None) -> None:
    """Put back the modules that no feature needs: weights then load, and are saved, as the backbone's own.

    With `memo`, of a copy that is being made of `inner`, it is their copies that are put back.
    """
    used = set(extractor.state_dict())
    for path, module in inner.named_modules():
        tensors = [name for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))]
        if not tensors or all(f"{path}.{name}" in used for name in tensors):
            continue
        parent = extractor
        *above, leaf = path.split(".")
        for step in above:
            if not hasattr(parent, step):
                parent.add_module(step, nn.Module())
            parent = parent.get_submodule(step)
        parent.add_module(leaf, module if memo is None else copy.deepcopy(module, memo))


TORCHVISION = Library(_names, lambda name: name, _build, _pyramid)
