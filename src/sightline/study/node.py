"""One run of a study, and what of its configuration is known only when runs before it are done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from sightline.config import ClassifyConfig, RunConfig, SegmentConfig, at_rate
from sightline.errors import RunError
from sightline.runs.kinds import KINDS, Kind
from sightline.runs.record import Record
from sightline.runs.study_result import Budget

if TYPE_CHECKING:
    from sightline.runs import StudyFolder

# Epochs of an arm that is trained as long as others, as a multiple of those of its base. Beyond it nothing is learned
# that the epoch best on validation would keep, and a night's pretraining would ask for a week of epochs.
MOST_TIMES = 100


class Rule(Protocol):
    """What a run takes from finished ones; a frozen dataclass, for it goes to other processes."""

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs that must be done before."""
        ...

    def settle(self, config: RunConfig, folder: StudyFolder) -> RunConfig:
        """Return the configuration with what they say.

        Raises:
            RunError: one of them is not done.
        """
        ...


@dataclass(frozen=True)
class Node:
    """One run of a study.

    Attributes:
        name: its folder under runs/.
        kind: of it, a name of `KINDS`.
        config: fully resolved, of the class of its kind; but for what `rules` settle.
        needs: names of the nodes whose weights or masks it takes.
        arm: the arm it belongs to, or "" for pretraining and reference.
        rules: what it takes from finished runs; their runs are among its needs.
    """

    name: str
    kind: str
    config: RunConfig
    needs: tuple[str, ...] = ()
    arm: str = ""
    rules: tuple[Rule, ...] = ()

    @property
    def what(self) -> Kind:
        """What is known of its kind."""
        return KINDS[self.kind]

    def ruled(self, *rules: Rule) -> Node:
        """Return it with further rules, and with the need of their runs."""
        needs = dict.fromkeys([*self.needs, *(name for rule in rules for name in rule.runs)])
        return replace(self, needs=tuple(needs), rules=(*self.rules, *rules))

    def settled(self, folder: StudyFolder) -> Node:
        """Return it with its configuration complete.

        Raises:
            RunError: a run that a rule asks is not done.
        """
        config = self.config
        for rule in self.rules:
            config = rule.settle(config, folder)
        return replace(self, config=config, rules=())

    def can_settle(self, folder: StudyFolder) -> bool:
        """Whether all runs that its rules ask are done."""
        return all(is_done(folder, name) for rule in self.rules for name in rule.runs)


def is_done(folder: StudyFolder, name: str) -> bool:
    """Whether a study has a run of that name, and it is finished."""
    return (run := folder.find_run(name)).exists and run.is_done


# -- rules
@dataclass(frozen=True)
class RateOf:
    """The learning rate that another run trained with, chosen or given."""

    run: str

    @property
    def runs(self) -> tuple[str, ...]:
        """The one run."""
        return (self.run,)

    def settle(self, config: RunConfig, folder: StudyFolder) -> RunConfig:
        """Return the configuration with that learning rate."""
        rate = folder.run(self.run).result_as(_Rate).lr
        if rate is None:
            raise RunError(
                f"{folder.run_path(self.run)}: does not say which learning rate it took; another version wrote it. "
                "Remove the folder, and the same command runs it again"
            )
        assert isinstance(config, ClassifyConfig | SegmentConfig), "arms that are trained have a learning rate"
        return at_rate(config, rate)


@dataclass(frozen=True, kw_only=True)
class _Rate(Record):
    lr: float | None = None


@dataclass(frozen=True)
class EpochsFor:
    """As many epochs as fit into the seconds of other runs, by the measured seconds of an epoch of a run like it.

    Attributes:
        base: the run like it.
        others: runs whose seconds it is given, together.
    """

    base: str
    others: tuple[str, ...]

    @property
    def runs(self) -> tuple[str, ...]:
        """All of them."""
        return (self.base, *self.others)

    def budget(self, folder: StudyFolder) -> Budget:
        """Return what these runs come to, at least as many epochs as the base has and at most `MOST_TIMES` as many.

        Raises:
            RunError: one of them is not done.
        """
        for name in self.runs:
            folder.run(name).result()
        seconds = sum(folder.run(name).info().fit_seconds for name in self.others)
        base = folder.run(self.base)
        epochs = int(base.config()["epochs"])
        of_epoch = max(base.info().fit_seconds, 1e-3) / epochs
        fitting = round(seconds / of_epoch)
        given = max(epochs, min(fitting, MOST_TIMES * epochs))
        return Budget(
            base=self.base, runs=self.others, seconds=seconds, epoch_seconds=of_epoch, epochs=given,
            times=given / epochs, capped=fitting > given,
        )  # fmt: skip

    def settle(self, config: RunConfig, folder: StudyFolder) -> RunConfig:
        """Return the configuration with that many epochs."""
        return config.model_copy(update={"epochs": self.budget(folder).epochs})
