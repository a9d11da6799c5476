"""Write docs/walk.md: the first day in a fresh clone and a fresh home, each command with its answer and its time.

    uv run python docs/walk.py [--packages DIR] [--from COMMIT]

The commands are run by bash in a clone of this repository, with a home that has nothing in it, no terminal (a pipe, 80
columns) and no GPU. Own pictures are a share of the demo's, copied into folders as a person would have them. Needs git,
curl, Python 3.11 or later with pip and venv, and a network for the packages: `--packages` names a folder of packages
that were fetched before (uv's cache). Times are those of the machine at its load, which the page says.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).with_name("walk.md")
ROOT = Path(__file__).parents[1]
HOME = "/home/you"  # in place of the folder that was made
TOKEN = re.compile(r"token=[\w-]+")
# Variables by which a machine says how it reaches the network.
NETWORK = re.compile(r"_proxy$|_CERT(_FILE|_DIR)?$|_CA_BUNDLE$", re.IGNORECASE)
WAIT_SECONDS = 1200  # of one command on a busy machine
SMALL = "--backbone timm/test_resnet"  # the least network there is: the walk is about commands, not about scores


@dataclass(frozen=True)
class Step:
    """One command of the walk; its heading, or none where it belongs to the one before; the exit code it must have."""

    command: str
    title: str = ""
    code: int = 0
    is_served: bool = False


STEPS = (
    Step("python3 -m venv ~/env && . ~/env/bin/activate && python3 -m pip install -q uv && uv sync -q", "Install"),
    Step("uv run sightline doctor", "What the machine has"),
    Step("uv run sightline study demo --dry-run", "What the demo would take"),
    Step("uv run sightline data demo ~/drawn", "A folder of one's own"),
    Step(
        "mkdir -p ~/mine/photos ~/mine/labelled ~/mine/tiles; "
        "cp $(ls -d ~/drawn/unlabelled/* | head -150) ~/mine/photos; "
        "for c in stripes dots rings; do mkdir ~/mine/labelled/$c; "
        "cp $(ls -d ~/drawn/objects/photo/$c/* | head -30) ~/mine/labelled/$c; done; "
        "for n in $(seq 0 11); do cp ~/drawn/landcover/train/$(printf %04d $n)_* ~/mine/tiles; done; ls ~/mine"
    ),
    Step("uv run sightline init ~/mine"),
    Step("uv run sightline data check ~/mine/labelled --unlabelled ~/mine/photos", "Look at the data"),
    Step("uv run sightline data check ~/mine/tiles"),
    Step(f"uv run sightline pretrain ~/mine/photos --out runs/dino {SMALL} --epochs 2 --batch-size 32", "Pretrain"),
    Step("uv run sightline classify ~/mine/labelled --out runs/c --init runs/dino --epochs 3", "Classify"),
    Step("uv run sightline classify ~/mine/labelled --out runs/e --init runs/dino --train head --epochs 3"),
    Step(
        f"uv run sightline segment ~/mine/tiles --out runs/s {SMALL} --epochs 2 --crop 64 --set batch_size=4", "Segment"
    ),
    Step(
        "uv run sightline predict runs/c ~/mine/photos --out predictions.csv --probabilities; head -3 predictions.csv",
        "New images",
    ),
    Step("uv run sightline predict runs/s ~/mine/tiles --out masks && ls masks | head -3"),
    Step("uv run sightline evaluate runs/c ~/mine/labelled", "Evaluate, embed, list"),
    Step("uv run sightline embed runs/dino ~/mine/labelled --out map"),
    Step("uv run sightline report runs/c"),
    Step("uv run sightline runs runs"),
    Step("uv run sightline prompt ~/mine/tiles/0000_sat.jpg --point 40,60,+ --out cut", "A mask by one click"),
    Step("uv run sightline serve ~/mine/photos --no-open", "The page", is_served=True),
    Step("uv run sightline pretrain ~/mine/photo --out runs/x", "Four mistakes", code=2),
    Step("uv run sightline classify ~/mine/photos --out runs/x", code=2),
    Step("uv run sightline classify ~/mine/labelled --out runs/x --set optim.lrr=0.1", code=2),
    Step("uv run sightline prompt ~/mine/tiles/0000_sat.jpg --engine mobile-sam --point 40,60,+ --out cut", code=1),
)


@dataclass(frozen=True)
class Answer:
    """What a command printed, and the seconds it took."""

    text: str
    seconds: float


class Walker:
    """Runs commands in the clone, one after the other.

    Args:
        home: the fresh home; the clone is in it.
        packages: uv's cache, or None for the home's own.
    """

    def __init__(self, home: Path, packages: Path | None) -> None:
        kept = {name: value for name, value in os.environ.items() if NETWORK.search(name) or name in ("PATH", "LANG")}
        self.home, self.clone = home, home / "sightline"
        # The environment of the install step is on the path from the first command on.
        self.environment = {**kept, "HOME": str(home), "CUDA_VISIBLE_DEVICES": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        self.environment["PATH"] = f"{home}/env/bin:{kept['PATH']}"
        if packages is not None:
            self.environment["UV_CACHE_DIR"] = str(packages)

    def answer(self, step: Step) -> Answer:
        """Return what a step answered.

        Raises:
            SystemExit: it ended with another code than the step's.
        """
        begin = time.perf_counter()
        process = subprocess.Popen(
            ["bash", "-c", step.command], cwd=self.clone, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        if step.is_served:
            return self._visit(process, begin)
        text, _ = process.communicate(timeout=WAIT_SECONDS)
        seconds = time.perf_counter() - begin
        if process.returncode != step.code:
            sys.exit(f"{step.command}: ended with {process.returncode}, not {step.code}:\n{text}")
        return Answer(self.neutral(text), seconds)

    def _visit(self, process: subprocess.Popen[str], begin: float) -> Answer:
        """Wait for the address, ask for the page by it, and press Ctrl-C."""
        assert process.stdout is not None
        lines: list[str] = []
        while not (lines and "token=" in lines[-1]):
            lines.append(process.stdout.readline())
            assert lines[-1], "the server ended by itself"
        seconds = time.perf_counter() - begin
        address = lines[-1].split()[-1]
        cookies = shlex.quote(str(self.home / "cookies"))
        visit = f"curl -s -o /dev/null -w '%{{http_code}} %{{size_download}}' -b {cookies} -c {cookies}"
        page = address.partition("?")[0] + "segment"
        fetch = f"{visit} {shlex.quote(address)} > /dev/null && {visit} {page}"
        code, size = subprocess.run(["bash", "-c", fetch], check=True, capture_output=True, text=True).stdout.split()
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=WAIT_SECONDS)
        asked = f"(curl signs in by that address and asks for the page: {code}, {size} bytes; then Ctrl-C)\n"
        return Answer(self.neutral("".join(lines) + asked + rest), seconds)

    def neutral(self, text: str) -> str:
        """Return a text without this machine's folders and without the page's token."""
        text = TOKEN.sub("token=…", text.replace(str(self.home), HOME))
        return "\n".join(line.rstrip() for line in text.strip().splitlines())


def section(step: Step, answer: Answer) -> str:
    """Return a step as Markdown."""
    title = f"## {step.title}\n\n" if step.title else ""
    code = f"\n$ echo $?\n{step.code}" if step.code else ""
    text = f"\n{answer.text}" if answer.text else ""
    return f"{title}```console\n$ {step.command}{text}{code}\n```\n\n{answer.seconds:.1f} s.\n\n"


def head(commit: str, packages: bool, total: float, loads: tuple[float, float]) -> str:
    """Return the page's beginning."""
    fetched = "packages came from uv's cache, fetched before" if packages else "packages were fetched over the network"
    return f"""# The first day, as it was walked

Written by `uv run python docs/walk.py`: each command in a fresh clone and a fresh home, without a terminal, with what
it printed and how long it took. The folder of the machine stands as `{HOME}`. Own pictures are a share of the demo's,
and networks are the smallest there are: no score here says anything of photographs.

Commit {commit}, {os.cpu_count()} cores, no GPU; {fetched}. {len(STEPS)} commands in
{total / 60:.1f} minutes; load over a minute {loads[0]:.1f} at the beginning and {loads[1]:.1f} at the end: an idle
machine is faster.

"""


def main() -> None:
    """Walk, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="uv's cache to take packages from")
    parser.add_argument("--from", dest="commit", default="HEAD", help="commit that is cloned")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        walker = Walker(home, chosen.packages)
        subprocess.run(["git", "clone", "-q", str(ROOT), str(walker.clone)], check=True)
        git = ["git", "-C", str(walker.clone)]
        subprocess.run([*git, "checkout", "-q", chosen.commit], check=True)
        commit = subprocess.check_output([*git, "rev-parse", "--short", "HEAD"], text=True).strip()
        load, parts, total = os.getloadavg()[0], [], 0.0
        for step in STEPS:
            answer = walker.answer(step)
            print(f"{answer.seconds:7.1f} s  {step.command}", flush=True)
            parts.append(section(step, answer))
            total += answer.seconds
        text = head(commit, chosen.packages is not None, total, (load, os.getloadavg()[0])) + "".join(parts)
    PAGE.write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
