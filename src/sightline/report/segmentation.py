"""What a report shows of segmentation: diagrams, what networks draw over time, what skips are worth."""

from __future__ import annotations

from collections.abc import Mapping

from sightline.figures import architecture_panel, intervention_panel
from sightline.report.document import Block, Picture, Sheet, Table, Text
from sightline.runs import RunFolder
from sightline.runs.architecture import ArchitectureDescription
from sightline.runs.artifacts import ARCHITECTURE, INTERVENTIONS, MASK_HISTORY, PROGRESS
from sightline.runs.mask_history import MaskHistory
from sightline.runs.metrics import METRICS
from sightline.runs.numbers import count, percent
from sightline.runs.results import ClassIou, Interventions

MEAN_IOU = METRICS["mean_iou"]
SHOWN = 4  # strips a network: enough to see, not a wall


def diagrams(runs: Mapping[str, RunFolder]) -> list[Block]:
    """Return the architecture diagram of each network, drawn from what its run described; one a network."""
    blocks: list[Block] = []
    for arm, run in runs.items():
        description = run.record(ARCHITECTURE, ArchitectureDescription)
        if description is None:
            continue
        size = f"{count(description.parameters)} parameters"
        caption = f"{arm}: drawn from the network itself, with the sizes it has on {description.height} px; {size}."
        blocks.append(Picture(f"architecture-{arm}", caption, [architecture_panel(description)], 1, wide=True))
    return blocks


def strips(runs: Mapping[str, RunFolder]) -> list[Block]:
    """Return what each network draws of the watched images, from the first to the last epoch kept."""
    blocks: list[Block] = []
    for arm, run in runs.items():
        history = run.record(MASK_HISTORY, MaskHistory)
        for number, watched in enumerate(history.images[:SHOWN] if history is not None else ()):
            strip = run.path / PROGRESS / f"{number}-strip.png"
            if strip.is_file():
                epochs = ", ".join(str(stage.epoch) for stage in watched.stages)
                alt = f"{arm}, {watched.name}: image, truth, and the mask at epochs {epochs}"
                caption = f"{arm}: {watched.name} after epochs {epochs}."
                blocks.append(Sheet(f"progress-{arm}-{number}", alt, caption, strip.read_bytes()))
    return blocks


def interventions(runs: Mapping[str, RunFolder]) -> list[Block]:
    """Return what happens to a trained network when a skip is taken away at test time, without retraining."""
    blocks: list[Block] = []
    for arm, run in runs.items():
        measured = run.record(INTERVENTIONS, Interventions)
        if measured is None:
            continue
        classes = list(measured.per_class)
        rows = [
            [f"{kind} skip {skip}", MEAN_IOU.score(effect.mean_iou), MEAN_IOU.difference(effect.change),
             *(MEAN_IOU.difference(effect.per_class[name]) for name in classes)]
            for skip, kinds in measured.skips.items() for kind, effect in kinds.items()
        ]  # fmt: skip
        part = {"val": "validation"}.get(measured.part, measured.part)
        text = (
            f"{arm}, trained once, then judged on {count(measured.n)} tiles of the {part} part with one skip "
            "replaced: by zeros, by its mean over tiles and places, or by another tile’s (shuffle). Zeros are a sight "
            "the network never had; shuffle keeps what is usual and takes only the link to this tile. With all skips: "
            f"{measured.mean_iou:.3f}."
        )
        caption = f"{arm}: mean IoU under each replacement of a skip, its change, and the change of IoU by class"
        blocks += [
            Text([text]),
            Picture(f"interventions-{arm}", caption, [intervention_panel(measured, arm)], columns=1),
            Table(caption, ("Replaced", "Mean IoU", "Change", *classes), rows,
                  (False, *[True] * (2 + len(classes))), folded=True),
        ]  # fmt: skip
    return blocks


def class_table(per_class: Mapping[str, ClassIou]) -> Table:
    """Return overlap and share of each class."""
    rows = [
        [name, MEAN_IOU.score(of.iou), MEAN_IOU.score(of.dice), percent(of.share)] for name, of in per_class.items()
    ]
    return Table("IoU by class", ("Class", "IoU", "Dice", "Share of the pixels"), rows, (False, True, True, True))
