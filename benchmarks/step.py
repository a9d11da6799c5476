"""The whole DINO step, data included: Sightline and lightly-train by turns on the same cores, medians.

    python benchmarks/step.py [--rounds 3] [--seconds 20] [--write docs/benchmarks/step.md]

ResNet-18, two crops of 64 px and six of 32, 4096 prototypes, batch 64, the same folder of 64-px JPEGs. Each trains as
its users would start it, lightly-train once in either precision: its better one counts. All processes live from the
first round to the last; whoever's turn it is not stands still (SIGSTOP), its data workers too. A turn's first step,
which the pause has cut in two, is left out; start-up, epochs' ends and checkpoints do not count for anybody. Processor
time, of data workers too, is told beside the clock's: it changes less when others use the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from queue import Empty, Queue

from peer_environments import PEERS, cache, environment

from sightline.bench.page import Page, add_output, finish
from sightline.bench.pictures import picture_folder
from sightline.bench.step import BATCH

GOAL = 2.2  # of the design's section 5, against lightly-train's better precision
PATIENCE = 900  # seconds without a step: something hangs
PICTURES = 8192  # 128 steps an epoch: no run sees an epoch's end while it is timed
WARM_UP = 3  # steps at the start of each process: compilation, first allocations, filling of queues


Rates = dict[str, list[tuple[float, float]]]  # images a second by the clock and by processor time, round by round


class Runner:
    """A training process that tells the time of each step, and stands still outside its turns."""

    def __init__(self, command: list[str], threads: int, log: Path) -> None:
        self._log = log.open("w")
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
        )
        self._times: Queue[float] = Queue()
        threading.Thread(target=self._read, daemon=True).start()
        for _ in range(WARM_UP):
            self._next()
        self._signal(signal.SIGSTOP)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("step "):
                self._times.put(float(line.split()[1]))

    def _next(self) -> float:
        try:
            return self._times.get(timeout=PATIENCE)
        except Empty:
            raise SystemExit(f"{self._process.args}: no step in {PATIENCE} s; see {self._log.name}") from None

    def _signal(self, which: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, which)

    def _cpu(self) -> float:
        """Return processor seconds of the process and its data workers so far; NaN where the system does not say."""
        total, found = 0, False
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[2]) == self._process.pid:  # its group
                    total, found = total + int(fields[11]) + int(fields[12]), True
        return total / os.sysconf("SC_CLK_TCK") if found else math.nan

    def turn(self, seconds: float) -> tuple[float, float]:
        """Return images a second, by the clock and by processor time, over about `seconds`, at least three steps."""
        while not self._times.empty():
            self._times.get()
        self._signal(signal.SIGCONT)
        begin = end = self._next()
        processor, steps = self._cpu(), 0
        while steps < 3 or end - begin < seconds:
            end, steps = self._next(), steps + 1
        processor = self._cpu() - processor
        self._signal(signal.SIGSTOP)
        return BATCH * steps / (end - begin), BATCH * steps / processor

    def end(self) -> None:
        """Kill the process and its data workers."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._log.close()


def rounds_of(commands: dict[str, list[str]], rounds: int, seconds: float, threads: int, logs: Path) -> Rates:
    """Return each one's images a second, and a second of processor time, round by round."""
    runners: dict[str, Runner] = {}
    rates: Rates = {name: [] for name in commands}
    try:
        for name, command in commands.items():
            runners[name] = Runner(command, threads, logs / f"{name.replace(' ', '-')}.log")
        for number in range(rounds):
            for name, runner in runners.items():
                rates[name].append(runner.turn(seconds))
                wall, processor = rates[name][-1]
                line = f"{name:26} {wall:7.1f} images/s {processor:7.1f} a processor second"
                print(f"round {number + 1}: {line}", file=sys.stderr, flush=True)
    finally:
        for runner in runners.values():
            runner.end()
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch; data workers come on top")
    parser.add_argument("--precision", default="auto", help="of Sightline")
    parser.add_argument("--only", nargs="*", default=[], help="names to run, for looking at one alone")
    add_output(parser)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes standing still are ended too
    python, versions = environment("lightly-train", ["lightly-train==0.18.*"])
    pictures = str(picture_folder(cache() / f"pictures-64-{PICTURES}", PICTURES, 64))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        ours = [sys.executable, str(PEERS / "step_sightline.py"), pictures, str(out), arguments.precision]
        commands = {"sightline": ours}
        for precision in ("32-true", "bf16-mixed"):
            script = str(PEERS / "step_lightly.py")
            commands[f"lightly-train {precision}"] = [str(python), script, pictures, str(out / precision), precision]
        chosen = {name: command for name, command in commands.items() if not arguments.only or name in arguments.only}
        rates = rounds_of(chosen, arguments.rounds, arguments.seconds, arguments.threads, out)
    medians = {name: statistics.median(wall for wall, _ in values) for name, values in rates.items()}
    processor = {name: statistics.median(cpu for _, cpu in values) for name, values in rates.items()}
    theirs = [name for name in medians if name != "sightline"]
    rows = [
        {
            "who": name,
            "images/s": median,
            "rounds": ", ".join(f"{wall:.1f}" for wall, _ in rates[name]),
            "images a processor second": processor[name],
            "Sightline is faster by": medians["sightline"] / median if "sightline" in medians else "",
            "by processor time": processor["sightline"] / processor[name] if "sightline" in medians else "",
        }
        for name, median in medians.items()
    ]
    facts = {
        "goal": f"{GOAL}× of lightly-train's better precision",
        "threads of torch": arguments.threads,
        "versions of lightly-train": versions,
    }
    if theirs and "sightline" in medians:
        ratios = [of["sightline"] / max(of[name] for name in theirs) for of in (medians, processor)]
        facts["reached"] = f"{ratios[0]:.2f}× by the clock, {ratios[1]:.2f}× by processor time"
    finish(Page("The whole DINO step", __doc__ or "", {"Images a second": rows}, facts), arguments)


if __name__ == "__main__":
    main()
