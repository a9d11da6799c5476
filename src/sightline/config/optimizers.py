"""The optimizers by name, as configuration, help and errors know them. An optimizer is a function and a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from sightline.errors import nearest


@dataclass(frozen=True)
class OptimizerEntry:
    """An optimizer.

    Attributes:
        build: dotted path of `(parameter groups, OptimConfig) -> torch.optim.Optimizer`; loaded when it is used, as
            this room imports no torch.
        keys: keys of `OptimConfig` that it uses and not every other does.
    """

    build: str
    keys: tuple[str, ...]


_ROOM = "sightline.engine.optimizers"
OPTIMIZERS: dict[str, OptimizerEntry] = {
    "sgd": OptimizerEntry(f"{_ROOM}:sgd", ("momentum", "nesterov")),
    "adam": OptimizerEntry(f"{_ROOM}:adam", ("betas",)),
    "adamw": OptimizerEntry(f"{_ROOM}:adamw", ("betas",)),
    "lars": OptimizerEntry(f"{_ROOM}:lars", ("momentum",)),
}


def optimizers_using(key: str) -> tuple[str, ...]:
    """Return the optimizers that use a key of `OptimConfig`."""
    return tuple(name for name, entry in OPTIMIZERS.items() if key in entry.keys)


def _known(name: str) -> str:
    if name not in OPTIMIZERS:
        raise ValueError(f"no such optimizer.{nearest(name, OPTIMIZERS)} Known: {', '.join(OPTIMIZERS)}")
    return name


OptimizerName = Annotated[str, AfterValidator(_known)]
OPTIMIZER_TEXT = f"Optimizer: {', '.join(OPTIMIZERS)}."
