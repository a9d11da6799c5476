"""Sightline: does self-supervised pretraining on your own images pay? Answered with evidence.

    import sightline as sl
    dino = sl.pretrain("unlabelled/", out="runs/dino", recipe="dino-small", epochs=20)
    clf = sl.classify("pets/", out="runs/c", init=dino, train="all")
    print(clf.value, clf.interval)
    study = sl.study("study.yaml", out="runs/study")

The names below are all there is to use from Python; everything else may change without notice. Attributes load what
they need when first used: `import sightline` alone loads no torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline import views
    from sightline.api import (
        __version__,
        check,
        classify,
        embed,
        evaluate,
        export,
        load,
        predict,
        pretrain,
        prompt,
        report,
        segment,
        serve,
        study,
    )
    from sightline.errors import (
        ConfigError,
        DataError,
        NonFinite,
        NotAvailable,
        RunError,
        SightlineError,
        TrainingFailed,
        UserError,
        WeightsError,
    )

__all__ = [
    "ConfigError",
    "DataError",
    "NonFinite",
    "NotAvailable",
    "RunError",
    "SightlineError",
    "TrainingFailed",
    "UserError",
    "WeightsError",
    "__version__",
    "check",
    "classify",
    "embed",
    "evaluate",
    "export",
    "load",
    "predict",
    "pretrain",
    "prompt",
    "report",
    "segment",
    "serve",
    "study",
    "views",
]


def __getattr__(name: str) -> Any:
    if name == "views":
        return import_module("sightline.views")
    if name in __all__:
        # Errors begin with a capital letter, as classes do.
        return getattr(import_module("sightline.errors" if name[0].isupper() else "sightline.api"), name)
    raise AttributeError(f"module 'sightline' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)


class _Surface(ModuleType):
    """This package: importing `sightline.study` or `sightline.report` does not hide the function of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("report", "study") and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Surface
