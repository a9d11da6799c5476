"""Convolutions on maps of a few pixels: on a CPU several times as fast, and right.

The last stages of a ResNet see maps of 1×1 to 4×4 pixels when crops have 16 to 64. There oneDNN's convolutions run at
a tenth to a half of the speed of its matrix products (docs/log.md), and its bf16 weight gradients were seen to hold
uninitialised memory now and then (torch 2.15; norms of 1e17). Both go away when the same sums are written as one
product. Forward and backward are written out: autograd would go through slices of the padded map one by one, each with
a map of zeros around it, and took a fifth of a DINO step with that.

- On maps of up to 2×2, every output sees every input: one product with the kernel's windows laid side by side does 16
  products of channels where the nine taps of im2col would do 36.
- On larger ones of stride 2, im2col: the nine taps of each output side by side.
- On larger ones of stride 1, oneDNN skips the taps that see only padding, a third of them at 4×4, and is the faster one
  but with AMX: there im2col, elsewhere its convolution, with the weights' gradient by im2col.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LARGEST = 4  # pixels a side; from 6 on oneDNN's convolution is the faster one
DENSE = 2  # pixels a side up to which every output sees every input


class SmallMapConv2d(nn.Conv2d):
    """A 3×3 (padding 1) or 1×1 convolution that takes the ways above on CPU maps of up to 4×4 pixels.

    Parameters and their names are those of the convolution it stands for.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of (B, C, H, W)."""
        side = max(input.shape[2:])
        if side > LARGEST or input.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(input)
        weight, bias = self.weight, self.bias
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            input, weight, bias = input.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
        if self.kernel_size == (1, 1):
            vertical, horizontal = self.stride
            # Contiguous, else the product is done row by row of the map, with a copy of the weights for each.
            pixels = input[:, :, ::vertical, ::horizontal].permute(0, 2, 3, 1).contiguous()
            return _channels_first(functional.linear(pixels, weight.flatten(1), bias))
        maps = _way(side, self.stride).apply(input.permute(0, 2, 3, 1), weight.permute(0, 2, 3, 1), self.stride)
        return _channels_first(maps if bias is None else maps + bias)  # pyright: ignore[reportOptionalOperand]


def _channels_first(maps: Tensor) -> Tensor:
    """Return (B, H, W, C) as (B, C, H, W), channels still side by side in memory.

    A map of one pixel gets the strides that torch takes for contiguous: those of its gradient, and a batch norm whose
    input and gradient differ in them is ten times as slow.
    """
    return maps.permute(0, 3, 1, 2) if maps.shape[1:3] != (1, 1) else maps.flatten(1)[:, :, None, None]


def _way(side: int, stride: tuple[int, ...]) -> type[torch.autograd.Function]:
    """Return how to convolve maps of `side` pixels."""
    if side <= DENSE:
        return _Dense
    return _Columns if max(stride) > 1 or _amx() else _Convolution


@cache
def _amx() -> bool:
    return torch.cpu._is_amx_tile_supported()  # pyright: ignore[reportPrivateUsage]


class _Dense(torch.autograd.Function):
    """3×3 convolution of maps (B, H, W, C), H and W at most 2, by weights (O, 3, 3, C), padding 1."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: tuple[int, int]) -> Tensor:
        batch, height, width, _ = maps.shape
        ctx.windows = [(slice(1 - y, 1 - y + height), slice(1 - x, 1 - x + width))
                       for y in range(0, height, stride[0]) for x in range(0, width, stride[1])]  # fmt: skip
        ctx.shapes = (maps.shape, weight.shape)
        flat = maps.reshape(batch, -1)
        matrix = torch.cat([weight[:, rows, columns].flatten(1) for rows, columns in ctx.windows])
        ctx.save_for_backward(flat, matrix)
        high, wide = (height - 1) // stride[0] + 1, (width - 1) // stride[1] + 1
        return functional.linear(flat, matrix).view(batch, high, wide, -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        flat, matrix = ctx.saved_tensors
        maps_shape, weight_shape = ctx.shapes
        gradient = gradients[0].reshape(len(flat), -1)
        to_maps = to_weight = None
        if ctx.needs_input_grad[0]:
            to_maps = (gradient @ matrix).view(maps_shape)
        if ctx.needs_input_grad[1]:
            blocks = _transposed_product(gradient, flat).chunk(len(ctx.windows))
            to_weight = torch.zeros(weight_shape, dtype=flat.dtype)
            for (rows, columns), block in zip(ctx.windows, blocks, strict=True):
                window = to_weight[:, rows, columns]
                window += block.view(window.shape)
        return to_maps, to_weight, None


class _Columns(torch.autograd.Function):
    """3×3 convolution of maps (B, H, W, C) by weights (O, 3, 3, C), padding 1."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: tuple[int, int]) -> Tensor:
        columns = _columns(maps, stride)
        ctx.save_for_backward(columns, weight)
        ctx.shape, ctx.stride = maps.shape, stride
        return functional.linear(columns, weight.flatten(1))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        columns, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        to_maps = to_weight = None
        if ctx.needs_input_grad[0]:
            to_maps = _gathered(gradient, weight) if ctx.stride == (1, 1) else _scattered(gradient, weight, ctx)
        if ctx.needs_input_grad[1]:
            to_weight = _weight_gradient(gradient, columns, weight)
        return to_maps, to_weight, None


class _Convolution(torch.autograd.Function):
    """As `_Columns` at stride 1, by oneDNN's convolution except for the weights' gradient."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(maps, weight)
        convolved = torch.conv2d(maps.permute(0, 3, 1, 2), weight.permute(0, 3, 1, 2), None, stride, (1, 1))
        return convolved.permute(0, 2, 3, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        maps, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        to_maps = to_weight = None
        if ctx.needs_input_grad[0]:
            of_maps, _, _ = torch.ops.aten.convolution_backward(
                gradient.permute(0, 3, 1, 2), maps.permute(0, 3, 1, 2), weight.permute(0, 3, 1, 2), None,
                (1, 1), (1, 1), (1, 1), False, (0, 0), 1, (True, False, False),
            )  # fmt: skip
            to_maps = of_maps.permute(0, 2, 3, 1)
        if ctx.needs_input_grad[1]:
            to_weight = _weight_gradient(gradient, _columns(maps, (1, 1)), weight)
        return to_maps, to_weight, None


def _weight_gradient(gradient: Tensor, columns: Tensor, weight: Tensor) -> Tensor:
    return _transposed_product(gradient.flatten(0, 2), columns.flatten(0, 2)).view(weight.shape)


def _columns(maps: Tensor, stride: tuple[int, int]) -> Tensor:
    """Return (B, H', W', 9·C): the nine taps of each output side by side, channels last."""
    padded = functional.pad(maps, (0, 0, 1, 1, 1, 1))
    batch, height, width, channels = padded.shape
    over, down, across, _ = padded.stride()
    high, wide = (height - 3) // stride[0] + 1, (width - 3) // stride[1] + 1
    taps = padded.as_strided(  # three neighbours of one row lie side by side in memory already
        (batch, high, wide, 3, 3 * channels), (over, down * stride[0], across * stride[1], down, 1)
    )
    return taps.reshape(batch, high, wide, -1)


def _gathered(gradient: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of the maps at stride 1: the convolution of the outputs' with the kernel turned round."""
    turned = weight.flip(1, 2).permute(1, 2, 0, 3).flatten(0, 2)
    return _columns(gradient, (1, 1)) @ turned


def _scattered(gradient: Tensor, weight: Tensor, ctx: Any) -> Tensor:
    """Return the gradient of the maps at any stride: each tap's share added where it was read."""
    batch, height, width, channels = ctx.shape
    vertical, horizontal = ctx.stride
    _, high, wide, _ = gradient.shape
    taps = (gradient @ weight.flatten(1)).view(batch, high, wide, 3, 3, channels)
    padded = torch.zeros((batch, height + 2, width + 2, channels), dtype=gradient.dtype)
    for i in range(3):
        for j in range(3):
            rows = slice(i, i + vertical * (high - 1) + 1, vertical)
            padded[:, rows, j : j + horizontal * (wide - 1) + 1 : horizontal] += taps[:, :, :, i, j]
    return padded[:, 1:-1, 1:-1]


def _transposed_product(gradient: Tensor, inputs: Tensor) -> Tensor:
    """Return gradientᵀ · inputs of (N, O) and (N, I); oneDNN's bf16 wants the left side laid out row by row."""
    left = gradient.t()
    return (left.contiguous() if gradient.dtype == torch.bfloat16 else left) @ inputs


def fits(module: nn.Module) -> bool:
    """Return whether a module is a convolution that `SmallMapConv2d` can stand for."""
    if type(module) is not nn.Conv2d or module.groups != 1 or module.dilation != (1, 1):
        return False
    if module.padding_mode != "zeros":
        return False
    return (module.kernel_size, module.padding) in (((3, 3), (1, 1)), ((1, 1), (0, 0)))
