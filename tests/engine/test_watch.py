"""What a process holds to be the loss of another one."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch.distributed as dist

from sightline.engine import watch
from sightline.engine.watch import ENDED, SILENT, Watch


@pytest.fixture
def job() -> Iterator[None]:
    """A store, as a job of processes has it."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def first_of_two(monkeypatch: pytest.MonkeyPatch, code: int | None) -> Watch:
    """The watch of the first of two processes, the other one ended with `code`."""
    monkeypatch.setattr(watch, "started_processes", lambda: {1: SimpleNamespace(poll=lambda: code)})
    return Watch(SimpleNamespace(global_rank=0, world_size=2), "go on", lambda reason: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "code", "lost"),
    [
        ("7", None, {}),
        ("7", 130, {1: "ended with code 130"}),
        ("7", -9, {1: "killed by signal 9"}),
        # It stopped as it was asked to, faster than the first, which still writes that it was stopped.
        (ENDED, 130, {}),
        ("failed: no room", 1, {1: "failed: no room"}),
    ],
)
def test_a_process_that_said_it_had_ended_is_not_lost(job, monkeypatch, said, code, lost):
    of_first = first_of_two(monkeypatch, code)
    of_first._values[1] = f"4711 host {said}"
    assert of_first._lost(SILENT) == lost


def test_the_first_process_never_holds_itself_to_be_gone(job, monkeypatch):
    """It would leave it to another one to tell, and the run would seem to go on for ever."""
    of_first = first_of_two(monkeypatch, None)
    of_first._round -= 10 * SILENT
    assert of_first._lost(SILENT) == {}
    of_first._values[1] = "4711 host 7"
    of_first._seen[1] -= 10 * SILENT
    assert list(of_first._lost(SILENT)) == [1]
