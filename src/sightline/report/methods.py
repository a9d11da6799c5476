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
        f"({count(result.steps)} steps of {batch} images). Each image was seen in global crops of {views.global_size} "
        f"px ({_shares(views.global_scale)} of its area){local}, mirrored with probability {plain(views.flip)}, "
        f"changed in color with {plain(views.jitter)}, gray with {plain(views.gray)}, blurred, the second solarized "
        f"with {plain(views.solarize)}. The optimizer was {_optimizer(config.optim, plain(config.optim.lr))}."
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
            "crop": f"under random crops of {_shares(config.crop_scale)} of the area, mirrored at random",
            "flip": "mirrored at random",
            "none": "without augmentation",
        }[config.augment]
        rate = rate_text(config.optim.lr, _tried(configs.values()))
        text.append(
            f"Networks ({network_text(trained, config)}, with a linear head) were trained for {count(config.epochs)} "
            f"epochs in batches of {config.batch_size} images {augmented}, by {_optimizer(config.optim, rate)}; the "
            "weights of the epoch that was best on validation were judged."
        )
    if any(of.fits_head for of in configs.values()):
        views = max(of.head_views for of in configs.values())
        seen = f"of the plain images and of {views} augmented views of each" if views else "of the plain images"
        text.append(
            f"On frozen backbones a logistic regression was fitted by L-BFGS to standardized features {seen}, with the "
            "penalty that was best on validation."
        )
    return " ".join(text)


def _segmentation(view: StudyView, runs: Sequence[RunFolder]) -> str:
    configs = [SegmentConfig.build(run.config(), where=str(run.path)) for run in runs]
    config, augment = configs[0], configs[0].augment
    turned = " and turned by right angles" if augment.rot90 else ""
    rate = rate_text(config.optim.lr, _tried(configs))
    weights = " with classes weighted by their rarity" if config.class_weights == "balanced" else ""
    average = f" Weights were averaged over steps with momentum {plain(config.ema)}." if config.ema else ""
    return (
        f"Networks that draw masks (encoder {network_text(runs[0], config)}) were trained on tiles of "
        f"{config.data.source}{_split(view, 'masks')}, in crops of {config.crop} px at scales "
        f"{_range(augment.scale)}{', mirrored' if augment.flips else ''}{turned} at random and changed in color with "
        f"probability {plain(augment.jitter)}, for {count(config.epochs)} epochs in batches of {config.batch_size}, by "
        f"the loss {config.loss}{weights} and {_optimizer(config.optim, rate)}.{average} The weights of the epoch that "
        "was best on validation by mean IoU were judged on the whole tiles of the test part."
    )


def _statistics(result: StudyResult) -> str:
    done = [arm for arm in result.arms if arm.score is not None]
    seeds = sorted({len(arm.done.seeds) for arm in done})
    precisions = sorted({arm.done.precision for arm in done if arm.done.precision})
    computed = f" All was computed in {', '.join(precisions)}." if precisions else ""
    return (
        f"Each arm had {' to '.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} seeds and was scored once on the "
        f"test part. Scores are means over seeds; their {INTERVAL}s and those of differences on the same samples take "
        "seeds and samples as crossed random effects (Student’s t, Satterthwaite’s degrees of freedom). The p-values "
        f"of {count(len(result.comparisons))} comparisons are two-sided, corrected by Holm, and decide below "
        f"{SIGNIFICANCE:g}.{computed}"
    )


# -- parts of sentences
def _tried(configs: Iterable[ClassifyConfig | SegmentConfig]) -> tuple[float, ...]:
    """Return the learning rates that the first seed of the first arm tried; () where none were."""
    return next((config.tune for config in configs if config.tune), ())


def _optimizer(optim: OptimConfig, rate: str) -> str:
    """Return "adam with a learning rate of 0.0001, weight decay 0.0001, …"."""
    scaled = f" for {optim.lr_batch} images a step, scaled to the batch" if optim.lr_batch else ""
    decay = plain(optim.weight_decay)
    if optim.weight_decay_end is not None:
        decay += f" rising to {plain(optim.weight_decay_end)} by a cosine"
    warm = f", {plain(optim.warmup_epochs)} epochs of warm-up" if optim.warmup_epochs else ""
    course = {
        "cosine": f"then a cosine to {plain(optim.final_lr)}",
        "poly": f"then a polynomial of power {plain(optim.poly_power)} to zero",
        "constant": "then a constant rate",
        "plateau": f"lowered by the factor {plain(optim.plateau_factor)} where the validation loss has not fallen for "
        f"{optim.plateau_patience} epochs",
    }[optim.schedule]
    clipped = f", gradients clipped to a norm of {plain(optim.clip)}" if optim.clip else ""
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
