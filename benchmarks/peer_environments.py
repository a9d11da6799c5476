"""Environments of the peers, one each, made once by uv under the user's cache."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).resolve().parent / "peers"
TOLD = {
    "albumentations", "kornia", "lightly", "lightly-train", "mobilesam-mirror", "numpy", "opencv-python-headless",
    "pillow", "pytorch-lightning", "sam-2-uni", "segment-anything-py", "timm", "torch", "torchvision",
}  # fmt: skip


def cache() -> Path:
    """Return the folder of the environments and of generated pictures."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sightline-benchmarks"


def environment(name: str, requirements: list[str]) -> tuple[Path, dict[str, str]]:
    """Return the interpreter of a peer's environment and its versions; the environment is made when missing."""
    folder = cache() / name.replace("+", "-")
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        subprocess.run(["uv", "venv", "--clear", "--python", version, str(folder)], check=True)
        subprocess.run(["uv", "pip", "install", "--python", str(python), *requirements], check=True)
        (folder / "ready").touch()
    listing = subprocess.run(
        ["uv", "pip", "list", "--python", str(python), "--format", "json"], check=True, capture_output=True, text=True
    )
    return python, {item["name"]: item["version"] for item in json.loads(listing.stdout) if item["name"] in TOLD}


VIEWS = {
    "lightly-train": ("views_lightly.py", ["lightly-train==0.18.*"]),
    "torchvision+PIL": ("views_torchvision.py", ["torch", "torchvision", "pillow", "numpy"]),
    "kornia": ("views_kornia.py", ["kornia", "numpy", "torch==2.15.*"]),
}


class ViewsPeer:
    """A process that makes views when asked, pinned to a core where the system can pin.

    Args:
        python: of its environment.
        script: in peers/.
        cores: which, by their position among those this process may use.
    """

    def __init__(self, python: Path | str, script: str, cores: tuple[int, ...] = (0,)) -> None:
        command = [str(python), str(PEERS / script)]
        if platform.system() == "Linux":
            allowed = sorted(os.sched_getaffinity(0))
            command = ["taskset", "-c", ",".join(str(allowed[core % len(allowed)]) for core in cores), *command]
        single = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **single}
        )

    def ask(self, request: dict) -> None:
        """Send a request."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def answer(self) -> float:
        """Return images a second of the last request."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith('{"rate"'):
                return json.loads(line)["rate"]
        raise SystemExit(f"{self._process.args}: ended without an answer")

    def end(self) -> None:
        """Let the process end."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def views_peers(cores: tuple[int, ...] = (0,)) -> tuple[dict[str, ViewsPeer], dict[str, dict[str, str]]]:
    """Start Sightline and all peers of the views on `cores`; return them and the peers' versions."""
    versions, peers = {}, {"sightline": ViewsPeer(sys.executable, "views_sightline.py", cores)}
    for name, (script, requirements) in VIEWS.items():
        python, versions[name] = environment(name, requirements)
        peers[name] = ViewsPeer(python, script, cores)
    return peers, versions
