"""A module as another class: same tensors, same names, another way to compute."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)


def recast(module: nn.Module, cls: type[M]) -> M:
    """Return a `cls` that shares tensors, submodules and settings with `module`.

    Args:
        module: of a class that `cls` derives from; it stays as it is.
        cls: adds methods and no attributes.
    """
    new = cls.__new__(cls)
    # Its registers are copied, so that a tensor or module put into one of the two is not put into the other.
    new.__dict__.update(
        {name: value.copy() if isinstance(value, dict) else value for name, value in vars(module).items()}
    )
    return new
