"""Encoders that segmentation-models-pytorch lacks, in the form that its architectures take: torchvision's families."""

from __future__ import annotations

from typing import Any

from segmentation_models_pytorch.encoders import encoders
from segmentation_models_pytorch.encoders._base import EncoderMixin
from torch import Tensor, nn

from sightline.models.segmentation.encoder import build_encoder


class PyramidEncoder(nn.Module, EncoderMixin):
    """An `Encoder` as that library has encoders: a list of features, index 0 the image, a missing one without channels.

    Args:
        name: of the backbone.
        depth: how many features the architecture takes, from the shallowest on.
        output_stride: as that library calls encoders with; `make_dilated` brings it about.
    """

    def __init__(self, name: str, depth: int = 5, output_stride: int = 32) -> None:
        super().__init__()
        # `model`, as in that library's encoders of timm: its names of tensors are then found alike.
        self.model = encoder = build_encoder(name)
        self._depth, self._in_channels, self._output_stride = depth, 3, output_stride
        self._out_channels = [3, *(encoder.channels.get(index, 0) for index in range(1, 6))]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return depth + 1 maps, the first one the images."""
        features = self.model(images)
        maps = [images]
        for index in range(1, self._depth + 1):
            missing = images.new_zeros(len(images), 0, *(side >> index for side in images.shape[2:]))
            maps.append(features.get(index, missing))
        return maps

    def make_dilated(self, output_stride: int) -> None:
        """Dilate the convolutions behind the feature of that stride in place of their strides (Chen et al. 2018)."""
        for index in self.model.channels:
            if 2**index > output_stride:
                for convolution in self._between(index - 1, index):
                    _dilate(convolution, 2**index // output_stride)

    def _between(self, shallow: int, deep: int) -> list[nn.Conv2d]:
        """Return the convolutions that run after one feature is there, up to the next."""
        graph: Any = self.model.inner.graph  # of torchvision's feature extractor
        (output,) = [node for node in graph.nodes if node.op == "output"]
        nodes, ends = list(graph.nodes), output.args[0]
        first, last = nodes.index(ends[str(shallow)]), nodes.index(ends[str(deep)])
        parts = [self.model.inner.get_submodule(n.target) for n in nodes[first + 1 : last + 1] if n.op == "call_module"]
        return [module for part in parts for module in part.modules() if isinstance(module, nn.Conv2d)]


def _dilate(convolution: nn.Conv2d, rate: int) -> None:
    height, width = convolution.kernel_size
    convolution.stride, convolution.dilation = (1, 1), (rate, rate)
    # Of a kernel of even size too, as ConvNeXt's 2×2, the map then keeps its size.
    convolution.padding = (rate * (height - 1) // 2, rate * (width - 1) // 2)


def register_encoder(name: str) -> None:
    """Add a backbone to that library's table of encoders, as its documentation describes, under its own name."""
    encoders.setdefault(name, {"encoder": PyramidEncoder, "pretrained_settings": {}, "params": {"name": name}})


def is_registered(key: str) -> bool:
    """Return whether an encoder's key is one that `register_encoder` added: that library itself does not know it."""
    return key in encoders and encoders[key]["encoder"] is PyramidEncoder
