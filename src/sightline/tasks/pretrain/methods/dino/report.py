"""What DINO tells the report of itself: its settings, its health by epoch, its schedules by step."""

from __future__ import annotations

import math

from sightline.config import DinoConfig
from sightline.runs.numbers import count, plain
from sightline.runs.results import HealthPlot, MethodReport
from sightline.tasks.pretrain.methods.dino.health import PLATEAU

UNIFORM_LOSS = 1.0  # of ln K


def method_report(dino: DinoConfig) -> MethodReport:
    """Return DINO's rows in the terms of its paper, and how to read what it logs."""
    momentum = (
        f"half-life {plain(dino.momentum_half_life)} epochs"
        if dino.momentum_half_life is not None
        else plain(dino.momentum)
    )
    return MethodReport(
        name="dino",
        title="DINO",
        rows=(
            ("Output", f"{count(dino.prototypes)} prototypes, bottleneck {dino.bottleneck}, "
                       f"head batch norm {plain(dino.head_batch_norm)}"),
            ("Teacher", f"momentum {momentum} → {plain(dino.momentum_end)}, temperature "
                        f"{plain(dino.teacher_temperature_start)} → {plain(dino.teacher_temperature)}"),
            ("Last layer", f"frozen until epoch {plain(dino.freeze_last_layer_epochs)}"),
        ),
        health=_health(math.log(dino.prototypes)),
        schedules=(
            HealthPlot(name="momentum", title="Teacher momentum", words="by step"),
            HealthPlot(name="teacher_temperature", title="Teacher temperature", words="by step"),
        ),
        fine="No collapse and no plateau at ln K was found.",
    )  # fmt: skip


def _health(ln_k: float) -> tuple[HealthPlot, ...]:
    return (
        HealthPlot(
            name="health/loss_over_ln_k",
            title="Loss / ln K",
            words="1 is a uniform guess over the prototypes",
            reference=UNIFORM_LOSS,
            reference_label="a uniform guess",
            unlearnt_from=PLATEAU,
        ),
        HealthPlot(
            name="health/teacher_entropy",
            title="Teacher entropy / ln K",
            words="1 says nothing, 0 is certain",
        ),
        HealthPlot(
            name="health/kl_to_uniform",
            title="KL to uniform (nats)",
            words="ln K when all samples share one prototype",
            reference=ln_k,
            reference_label="ln K",
            # A healthy curve stays far below, and the line would flatten it.
            reference_from=ln_k / 2,
        ),
        HealthPlot(
            name="health/prototypes_used",
            title="Prototypes used",
            words="share that won at least one sample",
            percent=True,
            from_zero=True,
        ),
    )
