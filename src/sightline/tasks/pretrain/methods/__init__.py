"""Methods of self-supervised pretraining: what one is made of, and how the one of a run is found.

A method is one file here (or one folder), one file of the same name in `sightline.config.methods` and one line in that
package's table, `METHODS`.
"""

from __future__ import annotations

from pkgutil import resolve_name

from sightline.config import METHODS, MethodConfig
from sightline.tasks.pretrain.methods.base import Crops, EpochMeans, MeansMethod, PretrainMethod, ProjectedViews

__all__ = ["Crops", "EpochMeans", "MeansMethod", "PretrainMethod", "ProjectedViews", "method_class"]


def method_class(config: MethodConfig) -> type[PretrainMethod]:
    """Return the implementation of a configured method."""
    return resolve_name(METHODS[config.name].implementation)
