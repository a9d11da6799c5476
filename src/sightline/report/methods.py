"""What was done, in sentences: what the methods section of a paper needs, from the configurations and the result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sightline.confidence import INTERVAL, SIGNIFICANCE, percent_of
from sightline.config import ClassifyConfig, OptimConfig, PretrainConfig, SegmentConfig
from sightline.report.face import StudyView
from sightline.report.faces.classify import network_text, rate_text
from sightline.report.faces.pretrain import method_of
from sightline.runs import RunFolder
from sightline.runs.numbers import count, plain
from sightline.runs.results import PretrainResult
from sightline.runs.study_result import StudyResult


def methods_text(view: StudyView) -> list[str]:
    """Return a paragraph on pretraining, one on each kind of arm that was trained, and one on how arms were compared.

    Of arms that share their settings the first run speaks; what differs between arms stands in the tables.
    """
    pretrain = next((run for run in view.pretrainings if run.is_done), None)
    paragraphs = [_pretraining(view, pretrain)] if pretrain is not None else []
    for kind, write in (("classify", _classification), ("segment", _segmentation)):
        runs = [run for arm in view.arms(kind) for run in view.runs_of(arm) if run.is_done]
        if runs:
            paragraphs.append(write(view, runs))
    if view.result.comparisons:
        paragraphs.append(_statistics(view.result))
    return paragraphs


def _pretraining(view: StudyView, run: RunFolder) -> str:
    config, result = PretrainConfig.build(run.config(), where=str(run.path)), run.result_as(PretrainResult)
    views = config.views
    local = (
        f" and {views.local_crops} local crops of {views.local_size} px ({_shares(views.local_scale)})"
        if views.local_crops
        else ""
    )
    several = len(view.pretrainings)
    times = f" {count(several)} times, each with a seed of its own," if several > 1 else ""
    start = "random weights" if config.init == "none" else f"the weights of {config.init}"
    batch = count(config.batch_size * config.accumulate)
    return (
        f"A {config.backbone} (stem {config.stem}) was pretrained{times} without labels by {method_of(run).title}, "
        f"from {start}, on {count(result.images)} images of {config.data.source} for {count(config.epochs)} epochs "
        f"({count(result.steps)} steps of {batch} images). Views were global crops of {views.global_size} px "
        f"({_shares(views.global_scale)} of the area){local}, mirrored (probability {plain(views.flip)}), "
        f"recolored ({plain(views.jitter)}), gray ({plain(views.gray)}), blurred, the second solarized "
        f"({plain(views.solarize)}). The optimizer was {_optimizer(config.optim, plain(config.optim.lr))}."
    )


def _classification(view: StudyView, runs: Sequence[RunFolder]) -> str:
    configs = {run: ClassifyConfig.build(run.config(), where=str(run.path)) for run in runs}
    trained = next((run for run in runs if not configs[run].fits_head), None)
    config = configs[trained or runs[0]]
    text = [
        f"Classifiers saw images of {config.input_size} px of {config.data.source}{_split(view, 'labelled')}.",
    ]
    if trained is not None:
        augmented = {
            "crop": f"in random crops of {_shares(config.crop_scale)} of the area, mirrored",
            "flip": "mirrored",
            "none": "without augmentation",
        }[config.augment]
        rate = rate_text(config.optim.lr, _tried(configs.values()))
        text.append(
            f"Networks ({network_text(trained, config)}, with a linear head) were trained for {count(config.epochs)} "
            f"epochs in batches of {config.batch_size} images {augmented}, by {_optimizer(config.optim, rate)}; the "
            "epoch best on validation was judged."
        )
    if any(of.fits_head for of in configs.values()):
        views = max(of.head_views for of in configs.values())
        seen = f"of plain images and {views} augmented views of each" if views else "of plain images"
        text.append(
            f"Heads on frozen backbones are logistic regressions by L-BFGS on standardized features {seen}, penalty "
            "best on validation."
        )
    return " ".join(text)


def _segmentation(view: StudyView, runs: Sequence[RunFolder]) -> str:
    configs = [SegmentConfig.build(run.config(), where=str(run.path)) for run in runs]
    config, augment = configs[0], configs[0].augment
    turned = ", turned by right angles" if augment.rot90 else ""
    rate = rate_text(config.optim.lr, _tried(configs))
    weights = " with classes weighted by their rarity" if config.class_weights == "balanced" else ""
    average = f" Weights were averaged over steps with momentum {plain(config.ema)}." if config.ema else ""
    return (
        f"Segmentation networks (encoder {config.backbone}) saw tiles of {config.data.source}{_split(view, 'masks')} "
        f"in {config.crop} px crops at scales {_range(augment.scale)}{', mirrored' if augment.flips else ''}{turned}, "
        f"recolored ({plain(augment.jitter)}), for {count(config.epochs)} epochs in batches of {config.batch_size}, by "
        f"the loss {config.loss}{weights} and {_optimizer(config.optim, rate)}; the epoch best by mean IoU was judged "
        f"on whole tiles.{average}"
    )


def _statistics(result: StudyResult) -> str:
    done = [arm for arm in result.arms if arm.score is not None]
    seeds = sorted({len(arm.done.seeds) for arm in done})
    # What is not trained has none that was settled.
    precisions = sorted({arm.done.precision or "auto" for arm in done} - {"auto"})
    computed = f" Precision: {' and '.join(precisions)}." if precisions else ""
    return (
        f"Each arm had {' to '.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} seeds, scored once on test. "
        f"The {INTERVAL}s, of differences on the same samples too, take seeds and samples as crossed random effects "
        "(Student’s t, degrees of freedom by Satterthwaite). Two-sided p-values of "
        f"{count(len(result.comparisons))} comparisons, corrected by Holm, decide below {SIGNIFICANCE:g}.{computed}"
    )


# -- parts of sentences
def _tried(configs: Iterable[ClassifyConfig | SegmentConfig]) -> tuple[float, ...]:
    """Return the learning rates that the first seed of the first arm tried; () where none were."""
    return next((config.tune for config in configs if config.tune), ())


def _optimizer(optim: OptimConfig, rate: str) -> str:
    """Return "adam with a learning rate of 0.0001, weight decay 0.0001, …"."""
    scaled = f" per {optim.lr_batch} images" if optim.lr_batch else ""
    decay = plain(optim.weight_decay)
    if optim.weight_decay_end is not None:
        decay += f" rising to {plain(optim.weight_decay_end)} by a cosine"
    length = f"{plain(optim.warmup_epochs)} epoch{'' if optim.warmup_epochs == 1 else 's'}"
    warm = f", {length} of warm-up" if optim.warmup_epochs else ""
    course = {
        "cosine": f"then a cosine to {plain(optim.final_lr)}",
        "poly": f"then a polynomial of power {plain(optim.poly_power)} to zero",
        "constant": "constant",
        "plateau": f"lowered by the factor {plain(optim.plateau_factor)} where the validation loss has not fallen for "
        f"{optim.plateau_patience} epochs",
    }[optim.schedule]
    clipped = f", gradient norm clipped at {plain(optim.clip)}" if optim.clip else ""
    return f"{optim.name} with a learning rate of {rate}{scaled}{warm}, {course}, weight decay {decay}{clipped}"


def _split(view: StudyView, part: str) -> str:
    data = view.result.data.get(part)
    if data is None or not data.split:
        return ""
    sizes = ", ".join(f"{count(number)} for {name}" for name, number in data.split.items())
    classes = f"; {data.classes} classes" if data.classes else ""
    return f" ({sizes}{classes})"


def _shares(scale: Sequence[float]) -> str:
    return " to ".join(percent_of(share) for share in scale)


def _range(scale: Sequence[float]) -> str:
    return " to ".join(map(plain, scale))
