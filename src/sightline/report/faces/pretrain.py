"""Pretraining on the page: what every method has from the configuration, the rest from what the method tells."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.config import PretrainConfig
from sightline.report.document import Answer, Block, Section, Text, Warnings
from sightline.report.face import Rows, StudyView
from sightline.report.pictures import pretraining_health
from sightline.report.pretrainings import KNN, pretrainings_table
from sightline.runs import RunFolder
from sightline.runs.numbers import count, percent, plain
from sightline.runs.results import MethodReport, PretrainResult


class PretrainFace:
    """The face of pretrain runs."""

    verb = "pretrain"
    heading = None

    def rows(self, run: RunFolder) -> Rows:
        """Return the recipe: what every method has, around what this one has."""
        config = PretrainConfig.build(run.config(), where=str(run.path))
        method = method_of(run)
        views, optim = config.views, config.optim
        crops = (
            f"2 × {views.global_size} px (scale {plain(views.global_scale)}), "
            f"{views.local_crops} × {views.local_size} px (scale {plain(views.local_scale)})"
        )
        batch = config.batch_size * config.accumulate
        scaled = f", × {batch} / {optim.lr_batch}" if optim.lr_batch else ""
        start = "random weights" if config.init == "none" else f"from {config.init}"
        decay = plain(optim.weight_decay)
        if optim.weight_decay_end is not None:
            decay += f" → {plain(optim.weight_decay_end)}"
        return [
            ("Method", method.title + (f", recipe {config.recipe}" if config.recipe else "")),
            ("Backbone", f"{config.backbone}, stem {config.stem}, {start}"),
            ("Crops", crops),
            ("Optimiser", f"{optim.name}, learning rate {plain(optim.lr)}{scaled}, "
                          f"cosine to {plain(optim.final_lr)}, warm-up {plain(optim.warmup_epochs)} epochs"),
            ("Weight decay", decay),
            ("Epochs, batch", f"{config.epochs} epochs of batches of {batch}"),
            *method.rows,
            ("Clipping", f"norm {plain(optim.clip)}{' per tensor' if optim.clip_per_tensor else ''}"),
            ("Seed", plain(config.seed)),
        ]  # fmt: skip

    def answers(self, run: RunFolder) -> list[Answer]:
        """Return how long it ran, what it warned of, and k-NN accuracy where it was monitored."""
        result = run.result_as(PretrainResult)
        number = len(result.warnings)
        sentences = [f"{number} warning(s), named below." if number else result.method.fine]
        if KNN in result.health:
            sentences.append(f"k-NN accuracy at the end: {percent(result.health[KNN])}.")
        short = f"{result.epochs} epochs, {count(result.images_seen)} images seen."
        return [Answer("Pretraining", short, sentences)]

    def sections(self, run: RunFolder) -> Sequence[Section]:
        """Return the health of the run."""
        blocks: list[Block] = []
        if run.is_done and (warnings := run.result_as(PretrainResult).warnings):
            blocks.append(Warnings("Warnings", warnings))
        shown = pretraining_health(run, method_of(run)) or [Text(["Nothing was logged yet."])]
        return [Section("pretraining", "Health of pretraining", [*blocks, *shown])]

    def study_sections(self, view: StudyView) -> Sequence[Section]:
        """Return the health of the study's own pretraining, of several the first one's, or that an arm waits for it."""
        run = next(iter(view.pretrainings), None)
        if run is None:
            waiting = any(arm.parts.weights == "own" for arm in view.result.arms)
            blocks: list[Block] = [Text(["This study pretrained nothing."])] if waiting else []
        else:
            blocks = [_state(view, run), *pretrainings_table(view.result), *pretraining_health(run, method_of(run))]
        return [Section("pretraining", "Health of pretraining", blocks)] if blocks else []


def method_of(run: RunFolder) -> MethodReport:
    """Return what the method tells of itself, of a run that may not have finished."""
    method = run.info().method
    if method is not None:
        return method
    return run.result_as(PretrainResult).method


def _state(view: StudyView, first: RunFolder) -> Block:
    unfinished = [(run.path.name, run.info()) for run in view.pretrainings if not run.is_done]
    if unfinished:
        reasons = [f"{name}: {info.status}: {info.reason or 'interrupted'}." for name, info in unfinished]
        return Warnings("Pretraining did not finish", reasons)
    result = first.result_as(PretrainResult)
    warnings = view.result.pretrain.warnings if view.result.pretrain is not None else result.warnings
    return Warnings("Warnings", warnings) if warnings else Text([result.method.fine])


FACE = PretrainFace()
