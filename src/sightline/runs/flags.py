"""What an arm of a study can be flagged for: no verdict rests on a flagged arm, and its table and sentences say why.

Adding one is one entry of `FLAGS`: result.json, report and terminal ask the entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A reason not to trust what an arm scored.

    Attributes:
        name: in result.json, tables and short answers.
        words: in a sentence, behind the name of the arm.
        rule: dotted path of `(study.flags.Judged) -> bool`: whether an arm bears it.
        way_out: what to change, as a command to the reader.
    """

    name: str
    words: str
    rule: str
    way_out: str


_RULES = "sightline.study.flags"
FLAGS: dict[str, Flag] = {
    flag.name: flag
    for flag in (
        Flag(
            name="not converged",
            words="was still rising on validation when its schedule ended",
            rule=f"{_RULES}:not_converged",
            way_out="train for more epochs or at a higher learning rate",
        ),
        Flag(
            name="at chance",
            words="is not shown to do better than one answer for everything",
            rule=f"{_RULES}:at_chance",
            way_out="train for longer, or at another learning rate",
        ),
        Flag(
            name="not learnt",
            words="did not learn every class",
            rule=f"{_RULES}:not_learnt",
            way_out="weigh the classes, add images of the missing ones, or train for longer",
        ),
        Flag(
            name="pretraining not learnt",
            words="starts from a pretraining that ended at a uniform guess",
            rule=f"{_RULES}:pretraining_not_learnt",
            way_out="see the health of pretraining",
        ),
    )
}


# `(run) -> (flags, metric, summary) | None`, of a run that stands alone.
JUDGE_RUN = f"{_RULES}:judge_run"


def flag_words(names: Sequence[str]) -> str:
    """Return what flags say in a sentence; one that this version does not know stands by its name."""
    return " and ".join(FLAGS[name].words if name in FLAGS else f"is flagged as {name}" for name in names)
