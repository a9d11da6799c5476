"""A watch of the processes of one training on each other: who is gone is named in seconds, and the job ends.

Collectives wait for ever for a process that hangs, and tell of one that died by an address. So each process writes a
sign of life into the job's key-value store twice a second, and reads those of the others. Two threads: one exchanges
signs, the other judges, for the store itself is gone, or hangs, with the process that holds it.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lightning_fabric import Fabric
from torch.distributed import distributed_c10d

from sightline.engine.launch import kill_started, started_processes
from sightline.errors import SightlineError, TrainingFailed

BEAT = 0.5  # seconds between two signs of life
SILENT = 20.0  # seconds without one: a process that is stopped, or a machine that is gone; no pause of ours is as long
DEAD = 3.0  # the same once a collective has failed: then some process is gone, and the silent one is it
GRACE = 3.0  # seconds for a process to tell in its own words of an error that all of them meet
ENDED = "ended"
_watches = 0  # begun by this process: each has keys of its own


class Watch:
    """Watches over the processes of a job from `with` to its end; an error of one ends the others.

    Args:
        fabric: of more than one process, launched.
        way_out: what a person does when a process was lost.
        fail: (reason) → nothing; called by the process that tells of it, before the job ends.
    """

    def __init__(self, fabric: Fabric, way_out: str, fail: Callable[[str], object]) -> None:
        global _watches
        _watches += 1
        self._rank, self._world = fabric.global_rank, fabric.world_size
        self._way_out, self._fail = way_out, fail
        self._store = distributed_c10d._get_default_store().clone()  # pyright: ignore[reportPrivateUsage]
        self._keys = [f"sightline/{_watches}/{rank}" for rank in range(self._world)]
        self._who = f"{os.getpid()} {socket.gethostname()}"
        self._values = [""] * self._world
        self._over = threading.Event()
        self._awake()

    def __enter__(self) -> Self:
        self._store.set(self._keys[self._rank], self._sign("0"))
        for work in (self._exchange, self._judge):
            threading.Thread(target=work, name=f"watch{work.__name__}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and is_lost_process(error):
            raise self.lost() from error
        self._over.set()
        words = ENDED
        if isinstance(error, Exception):
            words = f"failed: {error if isinstance(error, SightlineError) else f'{kind.__name__}: {error}'}"  # pyright: ignore[reportOptionalMemberAccess]
        try:
            self._store.set(self._keys[self._rank], self._sign(words))
        except RuntimeError:
            # The first process, which holds the store, has ended already, and hears no more.
            return

    def lost(self) -> TrainingFailed:
        """Return the error to raise where a collective has failed; on all but the first process, end instead."""
        until = time.monotonic() + SILENT
        while not (lost := self._lost(DEAD)) and time.monotonic() < until:
            time.sleep(BEAT)
        self._over.set()
        lost = lost or {-1: "a process ended, or its network did"}
        if self._rank > 0:
            self._end(lost)
        return TrainingFailed(self._message(lost))

    # -- the two threads
    def _exchange(self) -> None:
        count = 0
        # A failure of the store is told by its silence.
        while not self._over.wait(BEAT):
            count += 1
            try:
                self._store.set(self._keys[self._rank], self._sign(str(count)))
                values = [value.decode() for value in self._store.multi_get(self._keys)]
            except RuntimeError:
                return
            now = time.monotonic()
            for rank, value in enumerate(values):
                if value != self._values[rank]:
                    self._values[rank], self._seen[rank] = value, now
            self._round = now

    def _judge(self) -> None:
        before, since = time.monotonic(), None
        while not self._over.wait(BEAT):
            now = time.monotonic()
            if now - before > 4 * BEAT + 1:
                # This process was stopped, and perhaps all of them.
                self._awake()
            before = now
            lost = self._lost(SILENT)
            since = (since or now) if lost else None
            if since is not None and now - since >= GRACE:
                self._end(lost)

    def _awake(self) -> None:
        self._round = time.monotonic()
        self._seen = [self._round] * self._world

    def _sign(self, state: str) -> str:
        return f"{self._who} {state}"

    # -- judgement
    def _lost(self, silent: float) -> dict[int, str]:
        """Return what is known of processes that are gone, by rank."""
        now, lost, ended = time.monotonic(), {}, set()
        # The first process holds the store itself: what it does not hear is no sign that it is gone.
        if self._rank > 0 and now - self._round > silent:
            return {0: f"no sign of life for {now - self._round:.0f} s: killed, stopped, or its machine is gone"}
        for rank, value in enumerate(self._values):
            if rank == self._rank or not value:
                continue
            pid, host, state = value.split(" ", 2)
            if state.startswith("failed: "):
                lost[rank] = state
            elif state == ENDED:
                ended.add(rank)
            elif now - self._seen[rank] > silent:
                quiet = f"no sign of life for {now - self._seen[rank]:.0f} s"
                lost[rank] = f"{quiet}: process {pid} on {host} was killed, stopped, or its machine is gone"
        for rank, process in started_processes().items():
            # One that said it had ended is no loss, whatever its code: this one may still have files to write.
            if (code := process.poll()) and rank not in lost and rank not in ended:
                lost[rank] = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return lost

    def _message(self, lost: dict[int, str]) -> str:
        words = "; ".join(f"process {rank} of {self._world}: {what}" for rank, what in sorted(lost.items()))
        return f"{words.replace('process -1', 'one')}. The others cannot go on without it; {self._way_out}"

    def _end(self, lost: dict[int, str]) -> None:
        """End this process at once, its main thread may wait in a collective; the lowest that is left tells why."""
        if self._rank == min(set(range(self._world)) - set(lost)):
            message = self._message(lost)
            print(f"sightline: {message}", file=sys.stderr, flush=True)
            self._fail(message)
        kill_started()
        os._exit(1)


def is_lost_process(error: BaseException) -> bool:
    """Return whether an error is how gloo and NCCL tell of a process that is gone."""
    text = str(error)
    signs = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "Broken pipe")
    return isinstance(error, RuntimeError) and any(sign in text for sign in signs)
