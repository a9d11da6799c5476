"""Labels for new images from a trained classifier, and its accuracy on others that have labels."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from sightline.config import FEATURE_BATCH, DataConfig, RunConfig
from sightline.config.types import Device
from sightline.data import ImageSet, Sample, UnreadableImage, decode, list_unlabelled, load_images, shrink, tell
from sightline.data.copies.seen import trained_on, unseen
from sightline.data.images.reading import Reading
from sightline.data.images.survey import remarks_on
from sightline.engine import make_fabric, make_progress
from sightline.errors import ConfigError, DataError
from sightline.files import Outputs
from sightline.files.atomic import atomic_path
from sightline.models import load_classifier
from sightline.models.cpu import place
from sightline.runs import RunFolder
from sightline.runs.classify_scores import ClassifyScores
from sightline.runs.outputs import LabelPredictions, PartDone
from sightline.runs.parts import Part, merge_parts, unread_line
from sightline.runs.results import ClassifyEvaluation
from sightline.tasks.classify.scores import accuracy_of, classify_scores
from sightline.tasks.parts import do_part, members
from sightline.views import Resize
from sightline.views.device import Preprocessing

# Of a part's images, as data.max_bad_fraction has it by default.
MAX_BAD: float = DataConfig.model_fields["max_bad_fraction"].default


class LabelMaker:
    """A finished classifier, from pixels to class probabilities.

    Raises:
        RunError: the run is no finished classifier.
    """

    def __init__(self, run: RunFolder, device: Device = "auto") -> None:
        loaded = load_classifier(run)
        self.classes: list[str] = loaded.description["classes"]
        self.digest: str = loaded.description["sha256"]
        self.image_size: int = loaded.description["image_size"]
        self.reading = Reading.from_dict(loaded.description.get("reading"))
        self._fabric = make_fabric(RunConfig(device=device))
        self._classifier = place(loaded.classifier, self._fabric.device)
        preprocessing = Preprocessing.from_dict(loaded.description["preprocessing"])
        assert preprocessing.input_size is not None, "a classifier is saved with the size of its images"
        self._resize = Resize(preprocessing.input_size)
        self._to_tensor = preprocessing.on(self._fabric.device)

    @torch.no_grad()
    def probabilities(self, pixels: list[np.ndarray]) -> np.ndarray:
        """Return float32 (N, classes) for N images, uint8 HWC of any size."""
        with self._fabric.autocast():
            logits = self._classifier(self._to_tensor(self._resize(pixels)))
        return logits.float().softmax(dim=1).cpu().numpy()


def in_batches(count: int, make: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """Return the rows of make(begin, end) over range(count), some at a time: memory stays bounded."""
    return np.concatenate([make(begin, min(begin + FEATURE_BATCH, count)) for begin in range(0, count, FEATURE_BATCH)])


def predict(
    run_path: Path,
    images: Path,
    out: Path | None = None,
    *,
    root: Path | None = None,
    probabilities: bool = False,
    top_k: int | None = None,
    device: Device = "auto",
    part: str | None = None,
    merge: bool = False,
) -> LabelPredictions | PartDone:
    """Name the class of each image, and write a CSV `id,filename,label` where one is asked for.

    Further columns come behind these three: `top1,top1_probability,top2,…` with `top_k`, then `probability:CLASS` of
    each class with `probabilities`.

    Args:
        run_path: a finished classify run.
        images: a table with a column filename and perhaps id, a list of paths, a folder searched through (id is then
            the relative path), or an image.
        out: the CSV to write; it is replaced only once the new one is whole. None writes nothing.
        root: where the table's file names begin; its own folder, or images/ beside it, by default.
        probabilities: whether the CSV has the probability of each class, in 0–1.
        top_k: how many of the most probable labels the CSV has, with their probabilities; None has none.
        device: auto, cpu, cuda or mps.
        part: "1/4" names the images of the first of four parts, block by block, into parts/ beside the CSV that `out`
            names; what is done stays done, whatever ends this process, and the same call goes on. Images that cannot be
            read are left out and listed there.
        merge: write the CSV from all the parts, in place of the network's answers.

    Raises:
        DataError: an image is missing or unreadable (the error names the first few), there is none, or `out` is an
            input or a file that Sightline did not write. Nothing is written then. Of parts: one is of other inputs,
            missing or unfinished, or too many images cannot be read.
        ConfigError: columns are asked for and no CSV is, more labels than there are classes, or a part without `out`.
    """
    chosen = None if part is None else Part.parse(part)
    if chosen is not None and (out is None or merge):
        raise ConfigError(
            f"part = {part!r}: is written beside the CSV that out names, and merged later; give out alone"
        )
    if merge and out is None:
        raise ConfigError("merge: the parts are beside the CSV that out names; give out")
    labeler = LabelMaker(RunFolder.open(run_path), device)
    _check_columns(out, probabilities, top_k, len(labeler.classes))
    listing = list_unlabelled(images, root)
    listed = listing.samples
    for line in (*listing.said(), *remarks_on([sample.path for sample in listed], labeler.reading)):
        tell(line)
    if chosen is not None and out is not None:
        return _do_part(labeler, listing, chosen, out)
    inputs = [*([images] if images.is_file() else []), *(sample.path for sample in listed)]
    outputs = Outputs([] if out is None else [(images, out)], inputs)
    if merge and out is not None:
        listed, values = _merged(labeler, listing, out)
    else:
        decoded = lambda begin, end: _decode_all(listed[begin:end], labeler.image_size, labeler.reading)  # noqa: E731
        values = in_batches(len(listed), lambda begin, end: labeler.probabilities(decoded(begin, end)))
    predictions = LabelPredictions(
        ids=tuple(sample.id for sample in listed),
        filenames=tuple(sample.filename or sample.id for sample in listed),
        labels=tuple(labeler.classes[i] for i in values.argmax(axis=1)),
        probabilities=values,
        classes=tuple(labeler.classes),
        path=out,
    )
    if out is not None:
        with outputs.writing():
            _write_csv(out, predictions, probabilities, top_k or 0)
    return predictions


def _do_part(labeler: LabelMaker, listing: ImageSet, part: Part, out: Path) -> PartDone:
    """Write the probabilities of a part's images that are not there yet."""

    def rows(batch: Sequence[Sample], pixels: list[np.ndarray]) -> dict[str, pa.Array]:
        values = labeler.probabilities(pixels)
        names = pa.array([labeler.classes[i] for i in values.argmax(axis=1)], pa.string())
        files = pa.array([sample.filename or sample.id for sample in batch], pa.string())
        flat = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), len(labeler.classes))
        return {"filename": files, "label": names, "probabilities": flat}

    samples = members(listing, part)
    return do_part(
        out.parent,
        part,
        samples,
        _inputs(labeler, listing, samples),
        decode=lambda sample: _decode_one(sample, labeler.image_size, labeler.reading),
        rows=rows,
        batch_size=FEATURE_BATCH,
        max_bad_fraction=MAX_BAD,
        progress=make_progress(),
        what="predict",
    )


def _inputs(labeler: LabelMaker, listing: ImageSet, samples: Sequence[Sample]) -> dict[str, Any]:
    """Return what the rows of a part are made of."""
    return {"weights": labeler.digest, "data": replace(listing, samples=tuple(samples)).fingerprint}


def _merged(labeler: LabelMaker, listing: ImageSet, out: Path) -> tuple[tuple[Sample, ...], np.ndarray]:
    """Return the samples that could be read, and their probabilities, from all parts."""
    inputs = lambda places: _inputs(labeler, listing, [listing.samples[i] for i in places])  # noqa: E731
    made = merge_parts(out.parent, listing.ids, inputs, ["probabilities"])
    if line := unread_line(listing.name, made.bad):
        tell(line)
    return tuple(listing.samples[i] for i in made.indices), made.columns["probabilities"]


def _decode_one(sample: Sample, size: int, reading: Reading) -> np.ndarray | str:
    try:
        return shrink(decode(sample.path, reading=reading), size)
    except UnreadableImage as error:
        return str(error)


def _check_columns(out: Path | None, probabilities: bool, top_k: int | None, classes: int) -> None:
    """Refuse columns that cannot be written."""
    if out is None and (probabilities or top_k is not None):
        name = "probabilities" if probabilities else "top_k"
        raise ConfigError(
            f"{name}: adds columns to the CSV, and none is written; give out, or read probabilities and top() of what "
            "is returned"
        )
    if top_k is not None and not 1 <= top_k <= classes:
        raise ConfigError(f"top_k = {top_k}: the run knows {classes} classes; give 1 to {classes}")


def _write_csv(path: Path, predictions: LabelPredictions, probabilities: bool, top_k: int) -> None:
    header = ["id", "filename", "label"]
    header += [name for rank in range(1, top_k + 1) for name in (f"top{rank}", f"top{rank}_probability")]
    header += [f"probability:{name}" for name in predictions.classes] if probabilities else []
    ranked = predictions.top(top_k)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for i, row in enumerate(zip(predictions.ids, predictions.filenames, predictions.labels, strict=True)):
            further = [cell for label, value in ranked[i] for cell in (label, f"{value:.6g}")]
            further += [f"{value:.6g}" for value in predictions.probabilities[i]] if probabilities else []
            writer.writerow([*row, *further])


def evaluate(run_path: Path, data: DataConfig, *, device: Device = "auto") -> ClassifyEvaluation:
    """Judge a classifier on all images of a labelled data set.

    Returns:
        The accuracy with its 95 % Wilson interval, how many of the images the run was trained on, and what is
        confused: on all images, and on those that it was not trained on.

    Raises:
        DataError: the data has other classes than the run.
    """
    run = RunFolder.open(run_path)
    labeler = LabelMaker(run, device)
    stored = data.model_copy(update={"image_size": data.image_size or labeler.image_size})
    images = load_images(stored, progress=tell, earlier=labeler.reading)
    listing = images.listing
    unknown = sorted(set(listing.classes) - set(labeler.classes))
    if unknown or not listing.classes:
        raise DataError(
            f"{data.source}: classes {', '.join(unknown) or f'(none: {listing.unclear})'} are not among the run's: "
            f"{', '.join(labeler.classes)}"
        )
    probabilities = in_batches(
        len(images), lambda begin, end: labeler.probabilities(images.gather(np.arange(begin, end)))
    )
    truth = np.array([labeler.classes.index(name) for name in listing.classes])[listing.labels]
    correct = probabilities.argmax(axis=1) == truth
    known = trained_on(run, images.__getitem__, np.arange(len(images)))

    def scores_of(chosen: np.ndarray) -> ClassifyScores:
        ids, styles = zip(*((listing.ids[i], listing.samples[i].style) for i in chosen), strict=True)
        return classify_scores(probabilities[chosen], truth[chosen], labeler.classes, ids, styles)

    new = unseen(known)
    return ClassifyEvaluation(
        accuracy=accuracy_of(correct),
        seen=None if known is None else int(known.sum()),
        unseen=None if new is None else accuracy_of(correct[new]),
        scores=scores_of(np.arange(len(images))),
        unseen_scores=None if new is None else scores_of(new),
    )


def _decode_all(listed: Sequence[Sample], size: int, reading: Reading) -> list[np.ndarray]:
    pixels, bad = [], []
    for sample in listed:
        made = _decode_one(sample, size, reading)
        (bad if isinstance(made, str) else pixels).append(made)
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise DataError(
            "; ".join(bad[:5]) + more + ". Remove them from the list, or repair the files; nothing was written"
        )
    return pixels
