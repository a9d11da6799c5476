"""A run of a study in a process of its own: what it says goes into its folder, and it ends with whoever began it.

    python -m sightline.study.apart PARENT DESCRIPTOR < ORDER

The order comes from the parent by a pipe, as bytes that only it wrote; the outcome goes back by another, as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sightline.files import wait_until_free
from sightline.runs import StudyFolder, artifacts
from sightline.study.node import Node
from sightline.study.outcome import Lost, Outcome, run_node

PR_SET_PDEATHSIG = 1  # linux/prctl.h
WATCH = 1.0  # seconds
PARTING = 60.0  # seconds for a checkpoint
# By these, lightning would take a run for a part of a job of several processes.
OF_A_JOB = ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "RANK", "LOCAL_RANK", "WORLD_SIZE")
SHARED = "give --out a folder that all machines share, and data by paths that all of them see"
_processes: dict[str, subprocess.Popen[bytes]] = {}
_told: set[int] = set()


@dataclass(frozen=True)
class Order:
    """A run to be done on some machine.

    Attributes:
        node: the run.
        folder: of the study, as all machines see it.
        where: the working directory that relative paths of the study begin at.
    """

    node: Node
    folder: Path
    where: str

    @property
    def key(self) -> str:
        """What the process is known by on its machine."""
        return str(StudyFolder(self.folder).run_path(self.node.name))


def run_apart(order: Order) -> Outcome:
    """Do a run in a process of its own on this machine, and wait for it.

    Raises:
        Lost: the process ended without an outcome.
    """
    if not (order.folder / artifacts.STUDY).is_file():
        return Outcome("failed", f"{socket.gethostname()} does not see {order.folder}: {SHARED}")
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "sightline.study.apart", str(os.getpid()), str(writing)],
        stdin=subprocess.PIPE, pass_fds=(writing,), start_new_session=True,
        env={name: value for name, value in os.environ.items() if name not in OF_A_JOB},
    )  # fmt: skip
    os.close(writing)
    _processes[order.key] = process
    try:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(pickle.dumps(order))
        # Read to its end before waiting: while one thread waits, nobody else learns that the process has ended.
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        process.wait()
    except BaseException:
        # Whoever began it was told to end: the run writes its checkpoint first.
        stop_processes(order.key)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PARTING)
        raise
    finally:
        del _processes[order.key]
    if answer:
        return Outcome(**json.loads(answer))
    code = process.returncode
    how = f"by signal {-code}" if code < 0 else f"with code {code}"
    raise Lost(f"its process on {socket.gethostname()} ended {how}, {Path(order.key) / artifacts.SAID} tells more")


def stop_processes(folder: str) -> int:
    """Let the runs of a study on this machine write their checkpoints and end; return how many there are still."""
    mine = [process for key, process in list(_processes.items()) if Path(key).is_relative_to(folder)]
    of = [process for process in mine if process.poll() is None]
    for process in of:
        # A second signal would cut short what the first began.
        if process.pid not in _told:
            _told.add(process.pid)
            process.send_signal(signal.SIGINT)
    return len(of)


def run_logged(node: Node, folder: Path) -> Outcome:
    """Run one node in this process, with what it says in its folder."""
    with _saying_into(StudyFolder(folder).run_path(node.name) / artifacts.SAID):
        return run_node(node, folder)


@contextlib.contextmanager
def _saying_into(path: Path) -> Iterator[None]:
    """Let all that this process and its children write to the terminal go to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {number: os.dup(number) for number in (1, 2)}
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("ab") as file:
        for number in kept:
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, before in kept.items():
            os.dup2(before, number)
            os.close(before)


def end_with(parent: int) -> None:
    """Let this process be killed when its parent is gone, however that ended; checkpoints keep what it did.

    The kernel does so on Linux; a thread that looks at getppid does everywhere, within `WATCH` seconds.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="watch of the parent").start()


def main() -> int:
    """Do the run that stdin brings."""
    parent, writing = (int(word) for word in sys.argv[1:])
    end_with(parent)
    order = pickle.load(sys.stdin.buffer)
    with _saying_into(Path(order.key) / artifacts.SAID):
        print(f"{order.node.name}: process {os.getpid()} on {socket.gethostname()}", flush=True)
        try:
            outcome = _done(order)
        except KeyboardInterrupt as error:
            print(f"{order.node.name}: {error}", flush=True)
            return 130
    os.write(writing, json.dumps(asdict(outcome)).encode())
    return 0


def _done(order: Order) -> Outcome:
    try:
        os.chdir(order.where)
    except OSError:
        reason = f"{socket.gethostname()} has no folder {order.where}, where the study was begun: {SHARED}"
        return Outcome("failed", reason)
    path = StudyFolder(order.folder).run_path(order.node.name)
    # Another process may still be at it: one whose machine is taken for gone, or of a study that was killed.
    wait_until_free(path / artifacts.LOCK, str(path), print)
    return run_node(order.node, order.folder)


if __name__ == "__main__":
    sys.exit(main())
