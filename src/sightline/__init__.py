"""Sightline: does self-supervised pretraining on your own images pay? Answered with evidence.

    import sightline as sl
    dino = sl.pretrain("unlabelled/", out="runs/dino", recipe="dino-small", epochs=20)
    clf = sl.classify("pets/", out="runs/c", init=dino, train="all")
    study = sl.study("study.yaml", out="runs/study")

Attributes load what they need when first used: `import sightline` alone loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline import views
    from sightline.api import classify, embed, pretrain, prompt, segment, study

__all__ = ["classify", "embed", "pretrain", "prompt", "segment", "study", "views"]

_FUNCTIONS = ("classify", "embed", "pretrain", "prompt", "segment", "study")


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(import_module("sightline.api"), name)
    if name == "views":
        return import_module("sightline.views")
    raise AttributeError(f"module 'sightline' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
