"""Configuration of LeJEPA (Balestriero and LeCun 2025)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sightline.config.methods.base import MethodConfig
from sightline.config.types import Fraction, Positive


class LejepaConfig(MethodConfig):
    """Projector and loss of LeJEPA."""

    name: Literal["lejepa"] = "lejepa"
    # The method's one trade-off, as the paper recommends it.
    sigreg: Fraction = Field(
        default=0.05, description="Weight of SIGReg; the prediction loss has the rest. The paper's lambda."
    )
    # Drawn anew each step, so that over a run many more directions than these are tested.
    slices: Positive = Field(default=1024, description="Random directions a step along which SIGReg tests normality.")
    hidden: Positive = Field(default=2048, description="Width of the projector's two hidden layers.")
    # Of as few dimensions, 1024 slices leave no direction untested.
    projection: Positive = Field(default=64, description="Width of the projections, which SIGReg makes Gaussian.")
    batch_norm: bool = Field(default=True, description="Whether the projector's hidden layers have batch norm.")
