"""The life of a run, written once for every kind: its inputs, its precision, its folder, its work, its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from lightning_fabric import Fabric

from sightline.config import RunConfig
from sightline.engine.device import make_fabric
from sightline.engine.example import ExampleStep
from sightline.engine.extras import Extra, make_extras, missing_extras
from sightline.engine.loggers import check_loggers, mirrored
from sightline.engine.loop import fit
from sightline.engine.memory_errors import memory_advice
from sightline.engine.peak import PeakMemory
from sightline.engine.precision import settle_precision
from sightline.engine.progress import Progress, clock_text, make_progress
from sightline.engine.task import Task
from sightline.engine.watch import Watch, is_lost_process
from sightline.errors import SightlineError
from sightline.files import check_free, explained, keep_traceback, locked
from sightline.processes import process_count
from sightline.runs import RunFolder, artifacts
from sightline.runs.info import GOES_ON


class Inputs(Protocol):
    """What a run is a function of, beside its configuration: its data, and the weights it begins with."""

    @property
    def fingerprint(self) -> str:
        """A digest of all inputs: a run is resumed only if it is unchanged."""
        ...


C = TypeVar("C", bound=RunConfig)
D = TypeVar("D", bound=Inputs)
T = TypeVar("T", bound=Task)
Say = Callable[[str], object]


@dataclass(frozen=True)
class Context(Generic[C, D]):
    """All that the work of a run stands on.

    Attributes:
        config: of the run, with its precision settled.
        inputs: data and initial weights.
        run: its folder, open.
        fabric: device, precision and processes, launched.
        report: where to report.
    """

    config: C
    inputs: D
    run: RunFolder
    fabric: Fabric
    report: Progress


def train(
    config: C,
    out: Path,
    *,
    inputs: Callable[[C, Say], D],
    example: Callable[[C, D], ExampleStep],
    build_task: Callable[[Context[C, D]], T],
    finish: Callable[[Context[C, D], T, float], None],
    extras: Callable[[Context[C, D]], Sequence[Extra]] | None = None,
    notes: Mapping[str, Any] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> RunFolder:
    """Train a task in a run folder, from its inputs to its result.

    Args:
        config: what to do, fully resolved.
        out: the run folder, new, or with `resume` one of the same configuration and inputs.
        inputs: (config, say) → data and initial weights; a mistake in them is raised here, before anything is measured
            or written.
        example: (config, inputs) → the step by whose speed the precision is settled.
        build_task: context → the task, with the weights of `init`, or random ones; where the run has a checkpoint, the
            loop replaces them with its own.
        finish: (context, task, seconds of training) → nothing; writes weights and result, on the first process only.
        extras: context → what is made once the result is written, on the first process only.
        notes: further entries of run.json, written when the run begins.
        resume: go on from the checkpoint; of a finished run only the extras that it lacks are made.
        progress: where to report; the terminal by default.

    Returns:
        The finished run.

    Raises:
        RunError: `out` holds another run, or one with other settings or inputs.
        NotAvailable: the package of a logger is not installed.
        NonFinite: the loss became NaN or infinite.
        OutOfMemory: memory ran out.
        Interrupted: SIGINT or SIGTERM came; a checkpoint was written.
    """
    config = _counted(config)
    # Before anything is opened, which may take long; `record` takes the lock.
    check_free(out / artifacts.LOCK, str(out))
    check_loggers(config.logger)
    report = progress or make_progress()
    opened = inputs(config, report.say)
    with memory_advice(config):
        config, precision = settle_precision(config, out, example(config, opened), report.say)

    def work(context: Context[C, D]) -> None:
        # The weights of a run: its checkpoint's (`fit`), else those of init, else random ones (`build_task`).
        task = build_task(context)
        seconds = fit(task, context.run, config, fabric=context.fabric, progress=report)
        report.say(f"{context.run.path.name}: trained in {clock_text(seconds)}; now its weights and its result")
        if context.fabric.is_global_zero:
            finish(context, task, seconds)

    entries = {"precision": precision.to_dict(), **(notes or {})}
    return record(config, out, opened, work, extras=extras, notes=entries, resume=resume, progress=report)


def record(
    config: C,
    out: Path,
    inputs: D,
    work: Callable[[Context[C, D]], None],
    *,
    extras: Callable[[Context[C, D]], Sequence[Extra]] | None = None,
    notes: Mapping[str, Any] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> RunFolder:
    """Do `work` in a run folder, record how it ended, then make the extras; a finished run is not repeated.

    On an error the status becomes failed, with the reason; on an interruption it becomes interrupted. `train` is this
    around a training loop; a run that trains nothing comes here by itself.

    Args:
        config: of the run.
        out: the run folder, new, or with `resume` one of the same configuration and inputs.
        inputs: what the run is a function of, beside its configuration.
        work: called on every process, in an open run folder; it marks the run done by `RunFolder.finish`.
        extras: context → what is made once the result is written; none of it can fail the run.
        notes: further entries of run.json, written when the run begins.
        resume: go on with the run that is there; of a finished one only the extras that it lacks are made.
        progress: where to report; the terminal by default.

    Raises:
        RunError: `out` holds another run, or one with other settings or inputs.
        NotAvailable: the package of a logger is not installed.
    """
    config = _counted(config)
    check_loggers(config.logger)
    fabric = make_fabric(config)
    # A finished run is only read, but for extras that it lacks, and may stand where nobody writes.
    done = RunFolder(out).exists and RunFolder(out).is_done
    with ExitStack() as stack:
        if fabric.is_global_zero and not done:
            stack.enter_context(locked(out / artifacts.LOCK, str(out)))
        if fabric.is_global_zero:
            RunFolder.create(out, config, kind=config.kind, fingerprint=inputs.fingerprint, resume=resume, notes=notes)
        stack.enter_context(_resumable(out))
        fabric.barrier()
        run = RunFolder.open(out)
        run.memory = PeakMemory(fabric.device).read
        watch = stack.enter_context(_watch(fabric, run)) if fabric.world_size > 1 else None
        context = Context(config, inputs, run, fabric, progress or make_progress())
        # Asked once, before the first process may mark the run done.
        done = run.is_done
        fabric.barrier()
        if fabric.is_global_zero and not done and config.logger:
            stack.enter_context(mirrored(run, config, context.report.say))
        if not done:
            _work(context, work, watch)
        if extras is not None and fabric.is_global_zero:
            missing = missing_extras(run, extras(context))
            with locked(out / artifacts.LOCK, str(out)) if done and missing else nullcontext():
                make_extras(run, missing, context.report.say)
        fabric.barrier()
        if not done and fabric.is_global_zero and not config.keep_checkpoint:
            run.drop_checkpoint()
    return run


@contextmanager
def _resumable(out: Path) -> Iterator[None]:
    """Say how an interrupted run goes on, where what was interrupted does not say it."""
    try:
        yield
    except KeyboardInterrupt as error:
        if str(error):
            raise
        raise KeyboardInterrupt(f"{GOES_ON} with {out}") from None


def _counted(config: C) -> C:
    """Return `config` with as many devices as torchrun started processes."""
    count = process_count(config.devices)
    return config if count == config.devices else config.model_copy(update={"devices": count})


def _watch(fabric: Fabric, run: RunFolder) -> Watch:
    """Return the watch of the processes on each other while they work in `run`."""

    def fail(reason: str) -> None:
        with suppress(OSError):
            run.fail(reason)

    return Watch(fabric, f"{GOES_ON} from {run.checkpoint}", fail)


def _work(context: Context[C, D], work: Callable[[Context[C, D]], None], watch: Watch | None) -> None:
    """Do the work; an error is written into the run's folder, and memory that ran out is advised on."""
    try:
        with memory_advice(context.config):
            work(context)
    except KeyboardInterrupt:
        if context.fabric.is_global_zero:
            with suppress(OSError):
                context.run.interrupt()
        raise
    except Exception as error:
        if watch is not None and is_lost_process(error):
            lost = watch.lost()
            _keep(context.run, lost)
            raise lost from error
        if context.fabric.is_global_zero:
            _keep(context.run, error)
        raise


def _keep(run: RunFolder, error: Exception) -> None:
    """Write into the run's folder how it ended; where the disk is full or gone, the error itself tells it."""
    with suppress(OSError):
        run.fail(f"{type(error).__name__}: {error}")
        if not isinstance(error, SightlineError) and explained(error) is None:
            keep_traceback(error, run.path)
