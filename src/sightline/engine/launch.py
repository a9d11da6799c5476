"""The processes of one training on this machine: the first starts the others, with its own command."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading

PARTING_SECONDS = 5.0  # for the others to end by themselves after the first

_joined = threading.Event()
_started: list[subprocess.Popen[bytes]] = []


def start_processes(count: int) -> None:
    """Start `count` − 1 processes more, unless this one was started beside others, or has started them before."""
    if count == 1 or "LOCAL_RANK" in os.environ:
        return
    os.environ |= {"LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    for rank in range(1, count):
        _started.append(subprocess.Popen(_same_command(), env=os.environ | {"LOCAL_RANK": str(rank)}))
    atexit.register(_end)
    threading.Thread(target=_mind_the_start, name="start", daemon=True).start()


def all_joined() -> None:
    """Say that the processes have found each other: from now on a `Watch` is over them."""
    _joined.set()


def _mind_the_start() -> None:
    """End the job where a process ends before it joins: the first would wait for it for hours."""
    while not _joined.wait(0.2):
        for rank, process in started_processes().items():
            if code := process.poll():
                # What it had to say it has said.
                print(f"sightline: process {rank} ended with code {code} before it joined the others", file=sys.stderr)
                kill_started()
                os._exit(1)


def started_processes() -> dict[int, subprocess.Popen[bytes]]:
    """Return by rank the processes that this one started."""
    return dict(enumerate(_started, start=1))


def kill_started() -> None:
    """End the processes that this one started, whatever they are at."""
    for process in _started:
        process.kill()


def _end() -> None:
    for process in _started:
        process.terminate()
    for process in _started:
        try:
            process.wait(PARTING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _same_command() -> list[str]:
    spec = sys.modules["__main__"].__spec__
    if spec is None:
        return [sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]]
    return [sys.executable, "-m", spec.name, *sys.argv[1:]]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
