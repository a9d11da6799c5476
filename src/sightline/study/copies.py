"""Copies of a study's test images among the images that it learnt from, found once and kept in its result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sightline.config import ClassifyConfig, PretrainConfig, SegmentConfig
from sightline.errors import RunError
from sightline.files import text_digest
from sightline.runs import RunFolder, StudyFolder, read_json
from sightline.runs.artifacts import SPLIT
from sightline.runs.clean_run import CleanRun
from sightline.runs.copies import CleanScore, CopiesInTest
from sightline.runs.kinds import KINDS
from sightline.study.plan import PRETRAIN, REFERENCE

if TYPE_CHECKING:
    from sightline.data.copies import Fingerprints
    from sightline.study.evidence import Evidence


def find_test_copies(runs: Mapping[str, RunFolder], folder: StudyFolder) -> dict[str, CopiesInTest]:
    """Return the copies of test images, by the data that they are of: labelled, masks.

    Args:
        runs: finished ones by name; the first of each kind that is trained says which data, and how they are divided.
        folder: of the study; what its result says of the same data is taken from there.
    """
    pretrain = next((run for _, run in sorted(runs.items()) if run.info().kind == PRETRAIN), None)
    earlier = _earlier(folder)
    found: dict[str, CopiesInTest] = {}
    for kind in ("classify", "segment"):
        of = [run for name, run in sorted(runs.items()) if name != REFERENCE and run.info().kind == kind]
        if not of:
            continue
        data = KINDS[kind].data
        key = text_digest(*(run.info().fingerprint for run in (of[0], pretrain) if run is not None))
        known = earlier.get(data)
        found[data] = known if known is not None and known.key == key else _look(kind, of[0], pretrain, key)
    return found


def clean_scores(
    copies: CopiesInTest, runs: Mapping[str, Sequence[RunFolder]], evidence: Mapping[str, Callable[..., Evidence]]
) -> CopiesInTest:
    """Return the copies with the scores of arms without them.

    Args:
        copies: of the test images of these arms.
        runs: finished runs by arm.
        evidence: by arm, what makes evidence of runs.
    """
    if not copies.ids or len(copies.ids) == copies.n:
        return copies.with_scores({})
    scores = {}
    for arm, of in runs.items():
        summary = evidence[arm]([CleanRun(run, copies.ids) for run in of]).summary()
        scores[arm] = CleanScore(mean=summary.mean, low=summary.low, high=summary.high, n=summary.n)
    return copies.with_scores(scores)


def _earlier(folder: StudyFolder) -> Mapping[str, CopiesInTest]:
    try:
        return folder.result.copies if folder.has_result else {}
    except RunError:
        return {}  # damaged: this study is about to write it again


def _look(kind: str, run: RunFolder, pretrain: RunFolder | None, key: str) -> CopiesInTest:
    # Imported here, where images are needed: planning does without.
    from sightline.data.copies import FLIPS, TURNS, Fingerprints, find_copies

    print(f"study: looking for copies of the test images of {run.path.name}", file=sys.stderr)
    prints, ids = (_photographs if kind == "classify" else _tiles)(run)
    parts = read_json(run.path / SPLIT)
    at = {identity: i for i, identity in enumerate(ids)}
    test = np.array([at[identity] for identity in parts["test"]])
    train = np.array([at[identity] for name in ("train", "val") for identity in parts[name]])
    more = _unlabelled(pretrain) if pretrain is not None else None
    joined = Fingerprints.joined([prints, *([more] if more is not None else [])])
    copies = find_copies(joined, FLIPS if kind == "classify" else TURNS)
    named = lambda second: tuple(ids[i] for i in copies.with_partner(test, second))  # noqa: E731
    return CopiesInTest(
        n=len(test),
        train=named(train),
        unlabelled=None if more is None else named(np.arange(len(ids), len(joined))),
        key=key,
    )


def _photographs(run: RunFolder) -> tuple[Fingerprints, list[str]]:
    from sightline.data import load_images
    from sightline.data.copies import fingerprints
    from sightline.models import reading_of

    config = ClassifyConfig.build(run.config(), where=str(run.path))
    images = load_images(config.data, earlier=reading_of(config))
    return fingerprints(images.__getitem__, len(images)), images.listing.ids


def _tiles(run: RunFolder) -> tuple[Fingerprints, list[str]]:
    from sightline.data import load_masks
    from sightline.data.copies import fingerprints
    from sightline.models import reading_of

    config = SegmentConfig.build(run.config(), where=str(run.path))
    images = load_masks(config.data, earlier=reading_of(config))
    return fingerprints(images.image, len(images.ids)), images.ids


def _unlabelled(run: RunFolder) -> Fingerprints:
    from sightline.data import load_images
    from sightline.data.copies import fingerprints
    from sightline.models import reading_of

    config = PretrainConfig.build(run.config(), where=str(run.path))
    images = load_images(config.data, labels=False, earlier=reading_of(config))
    return fingerprints(images.__getitem__, len(images))
