"""What a report shows of segmentation: diagrams, what networks draw over time, what skips are worth, free masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sightline.figures import architecture_panel, intervention_panel
from sightline.report.document import Block, Picture, Sheet, Table, Text
from sightline.report.sentences import NO_VALUE, count, difference, score
from sightline.runs import RunFolder, read_json

Entry = Mapping[str, Any]
SHOWN = 4  # strips a network: enough to see, not a wall
ARCHITECTURE, INTERVENTIONS = "architecture.json", "interventions.json"


def diagrams(runs: Mapping[str, RunFolder]) -> list[Block]:
    """Return the architecture diagram of each network, drawn from what its run described; one a network."""
    found: list[Block] = []
    for arm, run in runs.items():
        if not (run.path / ARCHITECTURE).is_file():
            continue
        description = read_json(run.path / ARCHITECTURE)
        size = f"{count(description['parameters'])} parameters"
        caption = f"{arm}: drawn from the network itself, with the sizes it has on {description['height']} px; {size}."
        found.append(Picture(f"architecture-{arm}", caption, [architecture_panel(description)], 1, wide=True))
    return found


def strips(runs: Mapping[str, RunFolder]) -> list[Block]:
    """Return what each network draws of the watched images, from the first to the last epoch kept."""
    found: list[Block] = []
    for arm, run in runs.items():
        index = run.path / "progress" / "progress.json"
        if not index.is_file():
            continue
        for entry in read_json(index)["images"][:SHOWN]:
            strip = run.path / "progress" / f"{entry['id']}-strip.png"
            if strip.is_file():
                epochs = ", ".join(str(stage["epoch"]) for stage in entry["stages"])
                alt = f"{arm}, {entry['name']}: image, truth, and the mask at epochs {epochs}"
                caption = f"{arm}: {entry['name']} after epochs {epochs}."
                found.append(Sheet(f"progress-{arm}-{entry['id']}", alt, caption, strip.read_bytes()))
    return found


def interventions(runs: Mapping[str, RunFolder]) -> list[Block]:
    """Return what happens to a trained network when a skip is taken away at test time, without retraining."""
    found: list[Block] = []
    for arm, run in runs.items():
        if not (run.path / INTERVENTIONS).is_file():
            continue
        measured = read_json(run.path / INTERVENTIONS)
        classes = list(measured["per_class"])
        rows = [
            [f"{kind} skip {skip}", score(change["mean_iou"], "mean_iou"), difference(change["change"], "mean_iou"),
             *(difference(change["per_class"][name], "mean_iou") for name in classes)]
            for skip, kinds in measured["skips"].items() for kind, change in kinds.items()
        ]  # fmt: skip
        part = {"val": "validation"}.get(measured["part"], measured["part"])
        text = (
            f"{arm}, trained once, then judged on {count(measured['n'])} tiles of the {part} part with one skip "
            "replaced: by zeros, by its mean over tiles and places, or by another tile’s (shuffle). Zeros are a sight "
            "the network never had; shuffle keeps what is usual and takes only the link to this tile. With all skips: "
            f"{measured['mean_iou']:.3f}."
        )
        caption = f"{arm}: mean IoU under each replacement of a skip, its change, and the change of IoU by class"
        found += [
            Text([text]),
            Picture(f"interventions-{arm}", caption, [intervention_panel(measured, arm)], columns=1),
            Table(caption, ("Replaced", "Mean IoU", "Change", *classes), rows,
                  (False, *[True] * (2 + len(classes))), folded=True),
        ]  # fmt: skip
    return found


def free_masks(arm: Entry) -> list[Block]:
    """Return how the arm `sam` was judged: engine, prompts, thresholds, and what it found."""
    clicks, engine, settings = arm["clicks"], arm["engine"], arm["settings"]
    rows = [
        ("Engine", f"{engine['name']} ({engine['description']}), {engine['model'] or 'no weights'}"),
        ("Everything mode", arm["method"]),
        ("Settings", ", ".join(f"{name} {value:g}" for name, value in settings.items())),
        ("Masks an image", f"{arm['oracle']['masks_per_image']:.1f}"),
        ("Labelled pixels in some mask", score(arm["oracle"]["covered"], "accuracy")
         if arm["oracle"]["covered"] is not None else NO_VALUE),
    ]  # fmt: skip
    blocks: list[Block] = [Table("How it was asked", ("What", "Value"), rows, (False, False))]
    if clicks["regions"]:
        header = ("Clicks", "Mean IoU of the region", "95 % interval")
        lines = zip(clicks["iou"], clicks["low"], clicks["high"], strict=True)
        cells = [[str(k), f"{iou:.3f}", f"{low:.3f} to {high:.3f}"] for k, (iou, low, high) in enumerate(lines, 1)]
        caption = (
            f"{count(clicks['regions'])} regions of at least {100 * settings['min_share']:g} % of a tile, each clicked "
            "deepest inside, then deepest inside the largest error, inside or outside"
        )
        blocks.append(Table(caption, header, cells, (False, True, True)))
    return blocks


def free_pictures(run: RunFolder) -> list[Block]:
    """Return the tiles that a judged engine kept: image, truth, its regions named by an oracle, and snapped masks."""
    found: list[Block] = []
    for number, (path, name) in enumerate(run.result()["pictures"].items()):
        alt = f"{name}: image, truth, the engine’s regions named by an oracle, a network’s mask and the same snapped"
        caption = f"{name}. A region that no mask holds is black."
        found.append(Sheet(f"prompt-{number}", alt, caption, (run.path / path).read_bytes()))
    return found


def first_runs(arms: Sequence[Entry], runs: Mapping[str, RunFolder]) -> dict[str, RunFolder]:
    """Return the finished run of each arm's first seed, in the arms' order."""
    found: dict[str, RunFolder] = {}
    for arm in arms:
        seeds = [int(seed) for own, _, seed in (name.rpartition("-") for name in runs) if own == arm["arm"]]
        done = [run for seed in sorted(seeds) if (run := runs[f"{arm['arm']}-{seed}"]).is_done]
        if done:
            found[arm["arm"]] = done[0]
    return found
