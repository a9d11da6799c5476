"""Mangled checkpoints: whatever a file holds, it is loaded whole or refused by one of Sightline's own errors."""

from __future__ import annotations

import random
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from many_inputs import SEEDS, forms, many_inputs, randoms
from safetensors.torch import save
from torch import Tensor, nn

from sightline.errors import SightlineError
from sightline.models import Backbone
from sightline.models.foreign import load_matching, read_foreign
from sightline.models.libraries import RGB

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]
# A stem and one block under the names of a ResNet: each tensor more is written and read 100,000 times.
ARCHITECTURE, WIDTH = "timm/test_resnet", 4


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(WIDTH, WIDTH, 3, bias=False), nn.BatchNorm2d(WIDTH)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(RGB, WIDTH, 3, bias=False), nn.BatchNorm2d(WIDTH)
        self.layer1, self.fc = nn.Sequential(Block()), nn.Identity()


@cache
def start() -> tuple[Backbone, dict[str, Tensor]]:
    backbone = Backbone(Network(), ARCHITECTURE, "published", WIDTH)
    return backbone, {name: value.clone() for name, value in backbone.inner.state_dict().items()}


NAMES = sorted(Network().state_dict())
TYPES = [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64]
ODD: list[Any] = [None, 3, 0.5, "text", b"bytes", [1, 2], (), {}, {"a": {}}, True]
PARTS = ["module", "backbone", "teacher", "student", "0", "1", "layer1", "", "encoder_q", "é"]
ODD_NAMES: list[Any] = ["", "fc", "é", "x" * 40, "layer9.0", 3, -1, None]


def mangled(rng: random.Random) -> Any:
    """Return a state dict after up to six changes."""
    state: dict[Any, Any] = dict(start()[1])
    for _ in range(rng.randint(0, 6)):
        name = rng.choice(NAMES)
        kind = rng.randint(0, 10)
        value = state.get(name)
        if kind == 0:
            state.pop(name, None)
        elif kind == 1:
            state[rng.choice(PARTS) + "." + name] = state.pop(name, None)
        elif kind == 2:
            state[name] = torch.zeros([rng.randint(0, 5) for _ in range(rng.randint(0, 5))])
        elif kind == 3 and isinstance(value, Tensor):
            state[name] = torch.full(value.shape, rng.choice([float("nan"), float("inf"), 1e38]))
        elif kind == 4 and isinstance(value, Tensor):
            state[name] = value.to(rng.choice(TYPES))
        elif kind == 5:
            state[name] = rng.choice(ODD)
        elif kind == 6:
            part = rng.choice(PARTS)
            state = {f"{part}.{key}": item for key, item in state.items()}
        elif kind == 7:
            state = {rng.choice(PARTS): state, "epoch": 3}
            break
        elif kind == 8:
            state[rng.choice(ODD_NAMES)] = torch.zeros(3)
        elif kind == 9 and isinstance(value, Tensor) and value.ndim:
            state[name] = value.to_sparse()
        else:
            state[name.replace("layer", "blocks").replace(".", "_")] = state.pop(name, None)
    return state


def take(path: Path) -> None:
    """Load a file; nothing but a whole load or an error of ours may come of it."""
    backbone, _ = start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = load_matching(backbone, read_foreign(path), path.name)
    except SightlineError:
        return
    assert not report.missing
    assert not report.mismatched
    assert all(torch.isfinite(value).all() for value in backbone.inner.state_dict().values())


@many_inputs
@given(seed=SEEDS)
def test_state_dicts(tmp_path: Path, seed: int):
    path = tmp_path / "x.pth"
    for rng in randoms(seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of complex numbers made real, here and not by the reader
            state = mangled(rng)
        torch.save(state, path)
        take(path)


@cache
def whole() -> dict[str, bytes]:
    """Return the bytes of one file of each format."""
    import io

    files = {".safetensors": save(start()[1])}
    for name, zipped in ((".pth", True), (".pt", False)):
        buffer = io.BytesIO()
        torch.save(start()[1], buffer, _use_new_zipfile_serialization=zipped)
        files[name] = buffer.getvalue()
    return files


@many_inputs
@given(suffix=st.sampled_from([".safetensors", ".pth", ".pt"]), seed=SEEDS)
def test_damaged_files(tmp_path: Path, suffix: str, seed: int):
    path = tmp_path / f"x{suffix}"
    for rng in randoms(seed):
        content = bytearray(whole()[suffix])
        # Half of the changes hit the header, where a file says what it holds.
        reach = min(len(content), 4096) if rng.random() < 0.5 else len(content)
        for _ in range(rng.randint(0, 4)):
            content[rng.randrange(reach)] ^= rng.randint(1, 255)
        path.write_bytes(content[: len(content) if rng.random() > 0.5 else rng.randint(0, len(content))])
        take(path)


@many_inputs
@given(suffix=st.sampled_from([".safetensors", ".pth", ".pt"]), content=st.binary(max_size=400), seed=SEEDS)
def test_any_bytes(tmp_path: Path, suffix: str, content: bytes, seed: int):
    path = tmp_path / f"y{suffix}"
    for form in forms(content, seed, [b"PK\3\4", b"\x80\2", b"{}", b".", b"\0\0\0\0", b"ctorch\n"]):
        path.write_bytes(form)
        take(path)
