"""The only training loop. It knows steps, evaluation, checkpoints, logging, progress and signals, and no task."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from sightline.config import RunConfig
from sightline.engine import checkpoint
from sightline.engine.device import seed_torch
from sightline.engine.progress import NoProgress, Progress
from sightline.engine.ranks import everyones, summed
from sightline.engine.signals import StopRequest
from sightline.engine.task import Task
from sightline.errors import NonFinite
from sightline.models.synchronized_norm import Synchronized, synchronize_batch_norms
from sightline.randomness import derived_seed
from sightline.runs import RunFolder
from sightline.runs.info import FIT_SECONDS, GOES_ON

Mark = Callable[[str], None]


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop, and did, with a checkpoint: the same command goes on from there."""


@dataclass
class Position:
    """Where a run stands: optimizer steps made, the mean of logged values since the last log line, seconds spent."""

    step: int = 0
    count: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    since: float = field(default_factory=time.monotonic)

    def spent(self) -> float:
        """Return the seconds of all calls together, as far as their checkpoints tell."""
        return self.seconds + time.monotonic() - self.since

    def add(self, values: dict[str, Tensor]) -> None:
        """Add one step's values; float64 on the device, so that no step waits for the host."""
        self.count += 1
        for name, value in values.items():
            value = value.detach().double()
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def share(self, fabric: Fabric) -> None:
        """Make the sums those of all processes, divided by how many there are; every process must call it."""
        if fabric.world_size > 1 and self.sums:
            names = sorted(self.sums)
            totals = summed(fabric, torch.stack([self.sums[name] for name in names])) / fabric.world_size
            self.sums = dict(zip(names, totals.unbind(), strict=True))

    def means(self, fabric: Fabric) -> dict[str, float]:
        """Return the means over all processes since the last call, and begin anew; every process must call it."""
        self.share(fabric)
        # By name: safetensors keeps no order, and a resumed run writes the same bytes.
        means = {name: float(total) / self.count for name, total in sorted(self.sums.items())}
        self.count, self.sums = 0, {}
        return means


def fit(
    task: Task,
    run: RunFolder,
    config: RunConfig,
    *,
    fabric: Fabric,
    progress: Progress | None = None,
    mark: Mark | None = None,
) -> float:
    """Train `task` into `run`, from its checkpoint where there is one.

    Args:
        task: what is trained.
        run: the open run folder.
        config: of the run.
        fabric: device, precision and processes.
        progress: where to report.
        mark: called with the name of each part of the loop as it ends: loop, data, forward, backward, optimizer, and
            evaluation after an epoch; what it raises ends the run.

    Returns:
        Seconds spent, those before an interruption included up to the checkpoint.

    Raises:
        NonFinite: the loss became NaN or infinite; the checkpoint of before is kept, where there is one.
        Interrupted: SIGINT or SIGTERM came; a checkpoint was written.
    """
    chief = fabric.is_global_zero
    report = (progress or NoProgress()) if chief else NoProgress()
    epochs, per_epoch = task.epochs, task.steps_per_epoch
    total = epochs * per_epoch

    # -- start: the checkpoint, else what the task was built with (init or scratch)
    position = _resume(task, run, fabric)
    norms: list[Synchronized] = []
    if fabric.world_size > 1:
        norms = synchronize_batch_norms(task.modules().values())
        task.trained = fabric.setup_module(task.trained, move_to_device=False)
    watch = _NonFiniteWatch(fabric, run)
    mark = mark or _mark_nothing
    # A configuration without batches of images has no speed in images.
    images = getattr(config, "batch_size", 0) * task.accumulate
    report.start(run.path.name, total, position.step, str(run.path), images=images)
    note = ""

    try:
        with StopRequest() as stop:
            checkpoints = _Checkpoints(task, run, fabric, stop, config.checkpoint_minutes)
            for epoch in range(position.step // per_epoch, epochs):
                batches = task.batches(epoch, (position.step - epoch * per_epoch) * task.accumulate)
                task.trained.train()
                while position.step < (epoch + 1) * per_epoch:
                    # -- one optimizer step
                    step = position.step
                    # Of the process too: masks of dropout repeated for other images would be no independent draws.
                    seed = derived_seed(config.seed, "torch", epoch=fabric.global_rank, sample=step)
                    seed_torch(seed, fabric.device)
                    for norm in norms:
                        norm.alone = not task.shares(step)
                    scheduled = dict(task.schedule(step))
                    values = _optimize(task, batches, step, fabric, mark)
                    position.step += 1
                    position.add(values)
                    watch.see(values, step)

                    # -- log
                    if position.step % config.log_every == 0 or position.step == total:
                        watch.check()
                        logged = position.means(fabric) | scheduled
                        note = f"epoch {epoch + 1} of {epochs}, loss {logged['loss']:.4g}"
                        if chief:
                            run.append_metrics(step=position.step, epoch=epoch, values=logged)

                    report.advance(position.step, note)

                    # -- checkpoint; on the last step of an epoch only after evaluation, whose state it holds
                    if position.step < (epoch + 1) * per_epoch:
                        checkpoints.save_if_due(position, watch)
                batches.close()

                # -- evaluate
                watch.check()
                evaluated = dict(task.evaluate(epoch))
                if evaluated and chief:
                    run.append_metrics(step=position.step, epoch=epoch, values=evaluated)
                    report.say(f"  epoch {epoch + 1}: " + "  ".join(f"{k} {v:.4g}" for k, v in evaluated.items()))
                for remark in task.remarks(epoch, evaluated):
                    report.say(f"  ! epoch {epoch + 1}: {remark}")
                mark("evaluation")
                checkpoints.save_if_due(position, watch)
            checkpoints.save(position)
    finally:
        report.stop()
    return position.spent()


def _mark_nothing(part: str) -> None:
    """Do nothing: the marks of a loop that is not timed."""


def _optimize(task: Task, batches: Iterator[Any], step: int, fabric: Fabric, mark: Mark) -> dict[str, Tensor]:
    """Run one optimizer step over `task.accumulate` batches; return the mean of what was logged."""
    task.optimizer.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    mark("loop")
    for index in range(task.accumulate):
        batch = next(batches)
        mark("data")
        last = index == task.accumulate - 1
        with _synchronized(fabric, task.trained, last):
            with fabric.autocast():
                loss, values = task.loss(batch)
            mark("forward")
            (loss / task.accumulate).backward()
        for name, value in {"loss": loss, **values}.items():
            part = value.detach() / task.accumulate
            sums[name] = sums[name] + part if name in sums else part
        mark("backward")
    task.after_backward(step)
    sums.update(_clip(task))
    task.optimizer.step()
    task.after_step(step)
    mark("optimizer")
    return sums


def _synchronized(fabric: Fabric, module: nn.Module, now: bool) -> AbstractContextManager[object]:
    """Let processes exchange gradients only after the last batch of a step."""
    if fabric.world_size == 1:
        return nullcontext()
    return fabric.no_backward_sync(module, enabled=not now)  # pyright: ignore[reportArgumentType]


def _clip(task: Task) -> dict[str, Tensor]:
    """Clip gradients and return their global norm before clipping."""
    if not task.clip:
        return {}
    gradients = [p.grad for p in task.trained.parameters() if p.grad is not None]
    if not task.clip_per_tensor:
        # Neither waits for the device.
        total = get_total_norm(gradients)
        clip_grads_with_norm_(task.trained.parameters(), task.clip, total)
        return {"gradient_norm": total}
    norms = torch._foreach_norm(gradients)  # pyright: ignore[reportPrivateImportUsage]
    total = torch.linalg.vector_norm(torch.stack(norms))
    torch._foreach_mul_(gradients, [(task.clip / (norm + 1e-6)).clamp(max=1.0) for norm in norms])  # pyright: ignore[reportPrivateImportUsage]
    return {"gradient_norm": total}


class _NonFiniteWatch:
    """Keeps, on the device, the first step whose loss or gradient was not finite.

    Reading it costs a sync, updating it does not.
    """

    def __init__(self, fabric: Fabric, run: RunFolder) -> None:
        self._run, self._fabric = run, fabric
        self._first = torch.full((), -1, dtype=torch.int64, device=fabric.device)

    def see(self, values: Mapping[str, Tensor], step: int) -> None:
        # A finite loss can have a gradient that is not; where it is clipped, its norm tells.
        total = values["loss"] + values["gradient_norm"] if "gradient_norm" in values else values["loss"]
        bad = ~torch.isfinite(total) & (self._first < 0)
        self._first = torch.where(bad, step, self._first)

    def check(self) -> None:
        first = int(self._first)
        if self._fabric.world_size > 1:
            # All processes stop where one has seen it, or the others would wait for it.
            steps = [step for step in everyones(self._fabric, self._first).tolist() if step >= 0]
            first = min(steps, default=-1)
        if first >= 0:
            kept = (
                ". The checkpoint of before is kept" if (self._run.checkpoint / checkpoint.MANIFEST).is_file() else ""
            )
            raise NonFinite(
                f"the loss or its gradient is not finite at step {first}; lower the learning rate (--set optim.lr=…), "
                f"lengthen the warm-up or clip harder{kept}"
            )


class _Checkpoints:
    """Writes checkpoints: when the last is `minutes` old, and before the run stops because it was asked to."""

    def __init__(self, task: Task, run: RunFolder, fabric: Fabric, stop: StopRequest, minutes: float) -> None:
        self._task, self._run, self._fabric, self._stop = task, run, fabric, stop
        self._seconds, self._saved = minutes * 60, time.monotonic()

    def save_if_due(self, position: Position, watch: _NonFiniteWatch) -> None:
        """Write one where it is due; never one of a loss that is not finite.

        Raises:
            Interrupted: the run was asked to stop.
        """
        old = time.monotonic() - self._saved >= self._seconds
        if not _any(self._fabric, old or self._stop.asked):
            return
        watch.check()
        self.save(position)
        if _any(self._fabric, self._stop.asked):
            raise Interrupted(f"{GOES_ON} from {self._run.checkpoint}")

    def save(self, position: Position) -> None:
        """Write the state of the task and of the loop."""
        task = self._task
        position.share(self._fabric)
        sums = {f"task/{name}": summed(self._fabric, value) for name, value in task.sums().items()}
        if self._fabric.is_global_zero:
            tensors = {f"task/{name}": value for name, value in task.tensors().items()} | sums
            for name, module in task.modules().items():
                tensors |= {f"modules/{name}/{key}": value for key, value in module.state_dict().items()}
            optimizer = checkpoint.optimizer_tensors(task.optimizer)
            tensors |= {f"optimizer/{key}": value for key, value in optimizer.items()}
            tensors |= {f"sums/{name}": value for name, value in position.sums.items()}
            state = {"step": position.step, "count": position.count, "task": task.state()}
            checkpoint.save(self._run.checkpoint, tensors, state, position.step)
            # Beside it, in run.json: a checkpoint has the same bytes however long it took.
            self._run.keep_seconds(position.spent())
        self._fabric.barrier()
        self._saved = time.monotonic()


def _resume(task: Task, run: RunFolder, fabric: Fabric) -> Position:
    saved = checkpoint.load(run.checkpoint)
    if saved is None:
        if fabric.is_global_zero:
            run.truncate_metrics(0)
        return Position()
    parts: dict[str, dict[str, Tensor]] = {"task": {}, "modules": {}, "optimizer": {}, "sums": {}}
    for key, value in saved.tensors.items():
        part, name = key.split("/", 1)
        parts[part][name] = value.to(fabric.device)
    for name, module in task.modules().items():
        prefix = f"{name}/"
        state = {key.removeprefix(prefix): v for key, v in parts["modules"].items() if key.startswith(prefix)}
        module.load_state_dict(state)
    for name, tensor in task.tensors().items():
        tensor.copy_(parts["task"][name])
    for name, tensor in task.sums().items():
        # Of another number of processes, perhaps: each goes on from an equal part.
        tensor.copy_(parts["task"][name]).div_(fabric.world_size)
    checkpoint.load_optimizer(task.optimizer, parts["optimizer"])
    task.load_state(saved.state["task"])
    if fabric.is_global_zero:
        run.truncate_metrics(saved.state["step"])
    return Position(saved.state["step"], saved.state["count"], parts["sums"], run.info().timings.get(FIT_SECONDS, 0.0))


def _any(fabric: Fabric, flag: bool) -> bool:
    """Return whether `flag` is set in any process: all must take the same branch."""
    if fabric.world_size == 1:
        return flag
    return float(summed(fabric, torch.tensor(float(flag), device=fabric.device))) > 0
