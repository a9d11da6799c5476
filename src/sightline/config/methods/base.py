"""The base of every pretraining method's configuration."""

from __future__ import annotations

from sightline.config.base import Frozen


class MethodConfig(Frozen):
    """The base of every pretraining method's configuration; a subclass narrows `name` to its own."""

    name: str
