"""The pretraining methods: name → configuration, and where the implementation is. Imports no torch.

A further method is a file here, a file under `tasks/pretrain/methods/`, and a line in `METHODS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from sightline.config.base import validated_block
from sightline.config.methods.base import MethodConfig
from sightline.config.methods.dino import DinoConfig
from sightline.config.methods.lejepa import LejepaConfig
from sightline.config.methods.simclr import SimclrConfig
from sightline.errors import nearest


@dataclass(frozen=True)
class Method:
    """One pretraining method.

    Attributes:
        config: the class of its configuration.
        implementation: the class that implements it, as "module:name", imported when a run begins.
    """

    config: type[MethodConfig]
    implementation: str


METHODS: dict[str, Method] = {
    "dino": Method(DinoConfig, "sightline.tasks.pretrain.methods.dino:Dino"),
    "lejepa": Method(LejepaConfig, "sightline.tasks.pretrain.methods.lejepa:Lejepa"),
    "simclr": Method(SimclrConfig, "sightline.tasks.pretrain.methods.simclr:Simclr"),
}
DEFAULT = "dino"


def method_class(value: object) -> type[MethodConfig] | None:
    """Return the configuration class that a `method` block asks for by its name; None for an unknown name."""
    name = value.get("name", DEFAULT) if isinstance(value, dict) else value
    entry = METHODS.get(name) if isinstance(name, str) else None
    return entry and entry.config


def _read(value: object) -> MethodConfig:
    if isinstance(value, MethodConfig):
        return value
    cls = method_class(value)
    if cls is None:
        name = value.get("name") if isinstance(value, dict) else value
        raise ValueError(f"no such method.{nearest(str(name), METHODS)} Known: {', '.join(sorted(METHODS))}")
    return validated_block(cls, value if isinstance(value, dict) else {"name": value})


# A block of any method of the table, told apart by its `name`. The table is asked when a configuration is read, so a
# method that is added to it needs no change here.
AnyMethod = Annotated[MethodConfig, PlainValidator(_read), PlainSerializer(lambda method: method.to_dict())]
