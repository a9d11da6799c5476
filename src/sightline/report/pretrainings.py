"""Several pretrainings of one study: what each came to, and which seeds begin with which."""

from __future__ import annotations

from sightline.report.document import Block, Table
from sightline.runs.numbers import NO_VALUE, duration, percent
from sightline.runs.study_result import Pretraining, StudyResult

KNN = "knn/accuracy"


def pretraining_remark(result: StudyResult) -> str:
    """Return whether the intervals know of other pretrainings; "" of a study that pretrained nothing."""
    arms = [arm.parts.pretrained for arm in result.arms if arm.parts.pretrained]
    several = result.pretrain.each if result.pretrain is not None else None
    if not several or not arms:
        used = any(arm.parts.weights == "reference" and arm.score is not None for arm in result.arms)
        trained = result.reference.trained_here and used
        once = [*(["pretraining"] if result.pretrain else []), *(["the reference's training"] if trained else [])]
        if not once:
            return ""
        other = "them" if once[1:] else "it"
        text = f"{' and '.join(once)} ran once: what another seed of {other} would give is in no interval."
        return text[0].upper() + text[1:]
    shared = [pretrained for pretrained in arms if len(set(pretrained.values())) < len(pretrained)]
    text = (
        f"Pretraining ran {len(several)} times with a seed of its own: each training seed of an arm begins with "
        "another, so that differences between pretrainings are in the intervals."
    )
    if not shared:
        return text
    most = max(shared, key=len)
    return (
        f"Pretraining ran {len(several)} times, and arms have up to {len(most)} seeds: they take the pretrainings by "
        "turns, and seeds that share one are more alike than seeds are, so that intervals may be too narrow."
    )


def pretrainings_table(result: StudyResult) -> list[Block]:
    """Return what each of several pretrainings came to; nothing of one alone."""
    summary = result.pretrain
    if summary is None or not summary.each:
        return []
    rows = [
        [of.run, str(of.seed), duration(of.seconds), _knn(of), str(len(of.warnings)), _seeds(result, of.run)]
        for of in summary.each
    ]
    header = ("Run", "Seed", "Time", "k-NN accuracy", "Warnings", "Begun with it")
    caption = "Pretrainings, which differ in nothing but their seed; the curves are the first one’s."
    return [Table(caption, header, rows, (False, True, True, True, True, False))]


def _knn(of: Pretraining) -> str:
    return percent(of.health[KNN]) if KNN in of.health else NO_VALUE


def _seeds(result: StudyResult, run: str) -> str:
    begun = {
        arm.parts.runs[seed]: None
        for arm in result.arms
        for seed, name in (arm.parts.pretrained or {}).items()
        if name == run
    }
    return ", ".join(begun) or NO_VALUE
