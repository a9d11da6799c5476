"""A promptable engine against labelled masks: labels by oracle, simulated clicks, masks snapped to regions."""

from __future__ import annotations

import io
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.config import IGNORE_INDEX, PromptConfig
from sightline.data import SegmentImages, check_classes, load_masks
from sightline.data.masks.pictures import paint, save_png, strip
from sightline.devices import resolve_device
from sightline.engine import Context, Progress, make_progress, record
from sightline.errors import RunError
from sightline.files import text_digest
from sightline.metrics import segmentation
from sightline.prompts import ENGINES, EverythingSettings, PromptEngine, build_engine
from sightline.randomness import generator
from sightline.runs import RunFolder
from sightline.runs.artifacts import COUNTS, PICTURES
from sightline.runs.results import ClassIou, Clicks, EngineName, Interval, Oracle, PromptResult, SuperpixelVote
from sightline.tasks.prompt.semantic import Clicked, click_regions, counted, covered, voted

RESAMPLES = 2000
SHOWN = 3  # tiles whose masks are kept as pictures: enough to see what the engine takes for a region


def evaluate_engine(
    config: PromptConfig, out: Path, *, resume: bool = False, progress: Progress | None = None
) -> RunFolder:
    """Judge an engine on the test part of images with masks.

    Its headline is an upper bound: masks of everything, each named by an oracle after the class that most of its pixels
    truly have. No prompt, threshold or class was fitted to the data.

    Args:
        config: which engine, which tiles, how many clicks, and whose masks are snapped.
        out: the run folder, new, or with `resume` one of the same configuration and data.
        resume: return a finished run as it is; an unfinished one begins anew.
        progress: where to report; the terminal by default.

    Returns:
        The finished run: mean IoU by oracle labels with interval, IoU after each click, the change by snapping.

    Raises:
        DataError: no masks, masks that do not fit their images, or fewer than two classes.
        NotAvailable: the engine's weights cannot be had now.
        RunError: the run to snap was made on other tiles.
    """
    report = progress or make_progress()
    images = load_masks(config.data, progress=report.say)
    check_classes(images, "all", report.say)
    engine = build_engine(config.engine, config.model, device=resolve_device(config.device))
    return record(config, out, Inputs(images, engine), _evaluate, resume=resume, progress=report)


@dataclass(frozen=True)
class Inputs:
    """Images with masks, and the engine that is evaluated on them."""

    images: SegmentImages
    engine: PromptEngine

    @property
    def fingerprint(self) -> str:
        """A digest of images and masks, and the engine's name and weights."""
        return text_digest(self.images.fingerprint, self.engine.name, self.engine.model_id)


@dataclass
class Tally:
    """Counts of an evaluation, one entry a tile.

    Attributes:
        oracle: int64 (K, K + 1) of each tile.
        before: of the masks to be snapped.
        after: of the snapped ones.
        clicked: every region's clicks.
        covered: labelled pixels in some region, of all labelled ones.
        regions: of each tile.
    """

    oracle: list[np.ndarray] = field(default_factory=list)
    before: list[np.ndarray] = field(default_factory=list)
    after: list[np.ndarray] = field(default_factory=list)
    clicked: list[Clicked] = field(default_factory=list)
    covered: list[tuple[int, int]] = field(default_factory=list)
    regions: list[int] = field(default_factory=list)


def _evaluate(context: Context[PromptConfig, Inputs]) -> None:
    if not context.fabric.is_global_zero:
        return
    config, run, report = context.config, context.run, context.report
    images, engine = context.inputs.images, context.inputs.engine
    chosen = sorted(images.parts["test"].tolist(), key=lambda i: images.ids[i])[: config.tiles or None]
    masks = _masks_of(config.superpixel_vote, [images.ids[i] for i in chosen]) if config.superpixel_vote else None
    settings, classes = EverythingSettings(points_per_side=config.points_per_side), len(images.palette.classes)
    tally, begin = Tally(), time.perf_counter()
    report.start(f"prompt, {engine.name}", len(chosen), 0, str(run.path), unit="tile", images=1)
    for number, i in enumerate(chosen):
        truth, state = images.mask(i), engine.set_image(images.picture(i))
        regions = engine.everything(state, settings)
        labelled = truth != IGNORE_INDEX
        tally.oracle.append(counted(truth, voted(regions, truth), classes))
        tally.covered.append((int((labelled & covered(regions, truth.shape)).sum()), int(labelled.sum())))
        tally.regions.append(len(regions))
        tally.clicked += click_regions(
            engine, state, truth, number, most=config.clicks, min_fraction=config.min_fraction
        )
        pictures = {"truth": truth, "regions, named by an oracle": voted(regions, truth)}
        if masks is not None:
            drawn = masks[images.ids[i]]
            snapped = voted(regions, drawn, otherwise=drawn)
            tally.before.append(counted(truth, drawn, classes))
            tally.after.append(counted(truth, snapped, classes))
            pictures |= {"network": drawn, "network, snapped": snapped}
        if number < SHOWN:
            painted = [(title, paint(mask, images.palette.colors)) for title, mask in pictures.items()]
            save_png(run.path / PICTURES / f"{number}.png", strip([("image", images.picture(i)), *painted]))
        report.advance(number + 1, f"{len(regions)} regions")
    report.stop()
    seconds = time.perf_counter() - begin
    counts = np.stack(tally.oracle)
    run.write_arrays(COUNTS, counts=counts, ids=np.array([images.ids[i] for i in chosen]))
    low, high = segmentation.interval(counts)
    described = segmentation.describe(counts.sum(axis=0), images.palette.classes)
    value, description = segmentation.mean_iou(counts.sum(axis=0)).mean, ENGINES[engine.name].description
    result = PromptResult(
        mean_iou=Interval(value=value, low=low, high=high, n=len(counts)),
        classes=tuple(images.palette.classes),
        per_class={name: ClassIou(**of) for name, of in described["per_class"].items()},
        absent=tuple(described["absent"]),
        pixel_accuracy=described["pixel_accuracy"],
        confusion=tuple(map(tuple, described["confusion"])),
        engine=EngineName(name=engine.name, description=description, model=engine.model_id or None),
        method=engine.everything_method,
        settings=asdict(settings) | {"min_share": config.min_fraction},
        oracle=_oracle(tally),
        clicks=_clicks(tally.clicked),
        snap=_superpixel_vote(tally) if masks is not None else None,
        images_seen=len(chosen),
        pictures={f"{PICTURES}/{number}.png": images.ids[i] for number, i in enumerate(chosen[:SHOWN])},
        bad_images=len(images.bad),
        split={name: len(part) for name, part in images.parts.items()},
    )
    run.finish(result, {"fit_seconds": seconds})


def _masks_of(run: str, ids: list[str]) -> dict[str, np.ndarray]:
    """Return the masks that a segment run drew of its test tiles, uint8 (H, W)."""
    table = RunFolder.open(Path(run)).predictions().to_pydict()
    drawn = dict(zip(table["id"], table["mask"], strict=True))
    if missing := [name for name in ids if name not in drawn]:
        raise RunError(
            f"{run}: has no mask of {missing[0]} and {len(missing) - 1} more; snap a run on the same data and split"
        )
    return {name: np.asarray(Image.open(io.BytesIO(drawn[name]))) for name in ids}


def _oracle(tally: Tally) -> Oracle:
    inside, labelled = np.array(tally.covered).sum(axis=0)
    return Oracle(covered=float(inside / labelled) if labelled else None, masks_per_image=float(np.mean(tally.regions)))


def _clicks(clicked: list[Clicked]) -> Clicks:
    """Return mean IoU over regions after each click, with 95 % intervals over images, and the time of an answer."""
    if not clicked:
        return Clicks(regions=0)
    ious = np.array([region.ious for region in clicked])
    tiles = np.array([region.image for region in clicked])
    sums = np.stack([ious[tiles == tile].sum(axis=0) for tile in np.unique(tiles)])
    sizes = np.array([(tiles == tile).sum() for tile in np.unique(tiles)])
    drawn = generator(0, "clicks-interval").integers(len(sizes), size=(RESAMPLES, len(sizes)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)[:, None], [0.025, 0.975], axis=0)
    seconds = [second for region in clicked for second in region.seconds]
    return Clicks(
        regions=len(clicked),
        iou=tuple(ious.mean(axis=0).tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        median_seconds=float(np.median(seconds)),
    )


def _superpixel_vote(tally: Tally) -> SuperpixelVote:
    before, after = np.stack(tally.before), np.stack(tally.after)
    change = segmentation.paired_difference(after, before)
    return SuperpixelVote(
        before=segmentation.mean_iou(before.sum(axis=0)).mean,
        after=segmentation.mean_iou(after.sum(axis=0)).mean,
        difference=change.mean,
        low=max(-1.0, change.low),
        high=min(1.0, change.high),
        p=change.p,
    )
