"""The base of every pretraining method's configuration."""

from __future__ import annotations

from sightline.config.base import Frozen
from sightline.config.views import ViewsConfig


class MethodConfig(Frozen):
    """The base of every pretraining method's configuration; a subclass narrows `name` to its own."""

    name: str

    def check_views(self, views: ViewsConfig) -> None:
        """Raise ValueError where the method cannot learn from these views, saying which it needs."""
