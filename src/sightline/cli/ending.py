"""How every command ends: the answer in words, where it is, and what comes next.

Lines fit the terminal, 80 columns where there is none; a path or a command stands uncut on a line of its own.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

from rich.console import Console

from sightline.confidence import INTERVAL
from sightline.processes import is_first_process
from sightline.runs.metrics import metric_named
from sightline.runs.numbers import count, percent
from sightline.runs.outputs import EmbeddingQuality, PartDone
from sightline.runs.results import COMMON_HEALTH, ClassifyResult, Interval, PretrainResult, SegmentResult

# Of fewer test images of a class, one image more or less moves its accuracy by over 3 points.
FEW = 30
WORST = 3  # classes that are named
Word = str | os.PathLike[str]


def say(*paragraphs: str) -> None:
    """Print paragraphs, each broken between words; of several processes the first does."""
    if is_first_process():
        print("\n".join(paragraph(text) for text in paragraphs))


def paragraph(text: str, indent: str = "") -> str:
    """Return a text in lines that fit the terminal."""
    width = max(40, Console().width)
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    return fill(
        text, width, initial_indent=indent, subsequent_indent=indent or "  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def end(where: Mapping[str, Word], *commands: tuple[Word, ...]) -> None:
    """Print where results are, and the commands that come next, a line each; of several processes the first does.

    Args:
        where: what is there → its path.
        commands: words of a command after `sightline`; one in capital letters stands for what only the user knows.
    """
    if not is_first_process():
        return
    lines = [(what, os.fspath(path)) for what, path in where.items()]
    lines += [("" if number else "next", command(*words)) for number, words in enumerate(commands)]
    width = max(len(what) for what, _ in lines)
    room = Console().width
    for what, text in lines:
        label = f"{f'{what}:' if what else '':{width + 2}}"
        # What is wider than the terminal stands alone, so that it can be copied.
        print(f"{label}{text}" if len(label) + len(text) <= room or not what else f"{label.rstrip()}\n{text}")


def end_part(done: PartDone) -> None:
    """Print that a part is done."""
    unread = f", {count(done.bad)} of them unreadable" if done.bad else ""
    say(
        *_readable(
            [f"This part is done: {count(done.images)} images{unread}. Once all are, --merge in place of --part."]
        )
    )
    end({"written": done.path})


def command(*words: Word) -> str:
    """Return a command as it is typed, `sightline report 'my run'`."""
    return shlex.join(["sightline", *(os.fspath(word) for word in words)])


# -- answers
def pretrain_answer(result: PretrainResult) -> list[str]:
    """Return what pretraining came to: how much was seen, how healthy it was, and how to read each number."""
    seen = f"{count(result.images)} images, {count(result.images_seen)} seen in {result.epochs} epochs"
    lines = [f"{result.method.title}: {seen}."]
    if len(result.warnings) > 1:
        lines.append(f"{len(result.warnings)} warnings, the last of {result.warnings[-1]}.")
    else:
        lines += result.warnings or [result.method.fine]
    plots = {plot.name: plot for plot in (*result.method.health, *COMMON_HEALTH)}
    for name, value in result.health.items():
        if (plot := plots.get(name)) is not None:
            lines.append(f"  {plot.title}: {percent(value) if plot.percent else f'{value:.4g}'} ({plot.words})")
        else:
            lines.append(f"  {name}: {value:.4g}")
    return [line.replace("\u202f", " ") for line in lines]


def classify_answer(result: ClassifyResult) -> list[str]:
    """Return the accuracy with its interval, what no skill would reach, and whether that rests on enough images."""
    if result.accuracy is None:
        return ["Not judged on a test part."]
    sizes = {name: values.n for name, values in (result.per_class or {}).items()}
    chance = max(sizes.values()) / sum(sizes.values())
    lines = [
        f"Test accuracy {_score('accuracy', result.accuracy)}, {result.accuracy.n} images of {len(sizes)} classes. "
        f"Naming the most frequent class every time is right in {percent(chance)}."
    ]
    worst = sorted((result.per_class or {}).items(), key=lambda item: item[1].accuracy)[:WORST]
    lines += [f"Lowest: {', '.join(f'{name} {percent(values.accuracy)}' for name, values in worst)}."]
    if min(sizes.values()) < FEW:
        lines.append(_few("images", min(sizes.values())))
    return _readable(lines)


def segment_answer(result: SegmentResult) -> list[str]:
    """Return the mean IoU with its interval, and whether that rests on enough tiles."""
    score = result.mean_iou
    scenes = f" of {score.scenes} scenes" if score.scenes else ""
    lines = [
        f"Test mean IoU {_score('mean_iou', score)}, {score.n} tiles{scenes}; 1 is a perfect match of masks, 0 none. "
        f"Pixel accuracy {percent(result.pixel_accuracy)}, Boundary IoU {result.boundary_iou:.3f}."
    ]
    if result.absent:
        lines.append(f"In neither truth nor prediction, and so not counted: {', '.join(result.absent)}.")
    if score.n < FEW:
        lines.append(f"{score.n} test tiles are few: the interval says how little they tell.")
    return _readable(lines)


def embed_answer(quality: EmbeddingQuality) -> list[str]:
    """Return what the features say of the labels, and the map of the features."""
    lines = [f"Features of {count(quality.n)} images."]
    if quality.knn is not None:
        lines.append(f"k-NN accuracy {percent(quality.knn)}: how often an image's neighbours name its class.")
    if quality.silhouette is not None:
        lines.append(f"Silhouette {quality.silhouette:.3f}: 1 where classes lie apart, 0 where they overlap.")
    if quality.trustworthiness is not None:
        lines.append(f"Trustworthiness {quality.trustworthiness:.3f}: 1 where neighbours on the map are neighbours.")
    return _readable(lines)


def interval_answer(metric: str, score: Interval, samples: str) -> str:
    """Return a score on other data, with its interval, as a sentence."""
    (line,) = _readable([f"{metric_named(metric).title} {_score(metric, score)}, {score.n} {samples}."])
    return line


def _score(name: str, score: Interval) -> str:
    metric = metric_named(name)
    return f"{metric.score(score.value)} ({INTERVAL} {metric.interval(score.low, score.high)})"


def _few(samples: str, least: int) -> str:
    return f"{least} test {samples} a class are few: one more or less right changes that class by {percent(1 / least)}."


def _readable(lines: list[str]) -> list[str]:
    """Narrow spaces are shown as boxes by many terminals."""
    return [line.replace("\u202f", " ") for line in lines]


def labelled_next(run: Path) -> list[tuple[Word, ...]]:
    """Return what comes after a trained network: its report, other data, new images."""
    return [
        ("report", run),
        ("evaluate", run, "DATA"),
        ("predict", run, "IMAGES", "--out", "OUT"),
    ]
