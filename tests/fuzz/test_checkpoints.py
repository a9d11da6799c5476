"""Mangled checkpoints: whatever a file holds, it is loaded whole or refused by one of Sightline's own errors."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from many_inputs import many_inputs
from safetensors.torch import save
from torch import Tensor

from sightline.errors import SightlineError
from sightline.models import Backbone, build_backbone
from sightline.models.foreign import load_matching, read_foreign

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]
ARCHITECTURE = "timm/test_resnet"


@cache
def start() -> tuple[Backbone, dict[str, Tensor]]:
    backbone = build_backbone(ARCHITECTURE)
    return backbone, {name: value.clone() for name, value in backbone.inner.state_dict().items()}


NAMES = sorted(build_backbone(ARCHITECTURE).inner.state_dict())
TYPES = [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64]
ODD: list[Any] = [None, 3, 0.5, "text", b"bytes", [1, 2], (), {}, {"a": {}}, True]
PARTS = st.sampled_from(["module", "backbone", "teacher", "student", "0", "1", "layer1", "", "encoder_q", "é"])


@st.composite
def mangled(draw: st.DrawFn) -> Any:
    """Return a state dict after up to six changes."""
    state: dict[Any, Any] = dict(start()[1])
    for _ in range(draw(st.integers(0, 6))):
        name = draw(st.sampled_from(NAMES))
        kind = draw(st.integers(0, 10))
        value = state.get(name)
        if kind == 0:
            state.pop(name, None)
        elif kind == 1:
            state[draw(PARTS) + "." + name] = state.pop(name, None)
        elif kind == 2:
            state[name] = torch.zeros(draw(st.lists(st.integers(0, 5), max_size=5)))
        elif kind == 3 and isinstance(value, Tensor):
            state[name] = torch.full(value.shape, draw(st.sampled_from([float("nan"), float("inf"), 1e38])))
        elif kind == 4 and isinstance(value, Tensor):
            state[name] = value.to(draw(st.sampled_from(TYPES)))
        elif kind == 5:
            state[name] = draw(st.sampled_from(ODD))
        elif kind == 6:
            state = {f"{draw(PARTS)}.{key}": item for key, item in state.items()}
        elif kind == 7:
            state = {draw(PARTS): state, "epoch": 3}
            break
        elif kind == 8:
            state[draw(st.one_of(st.text(max_size=12), st.integers(), st.none()))] = torch.zeros(3)
        elif kind == 9 and isinstance(value, Tensor) and value.ndim:
            state[name] = value.to_sparse()
        else:
            state[name.replace("layer", "blocks").replace(".", "_")] = state.pop(name, None)
    return state


def take(path: Path) -> None:
    """Load a file; nothing but a whole load or an error of ours may come of it."""
    backbone, values = start()
    backbone.inner.load_state_dict(values)
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
@given(state=mangled())
def test_state_dicts(state: Any, tmp_path_factory: pytest.TempPathFactory):
    path = folder(tmp_path_factory) / "x.pth"
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
@given(
    suffix=st.sampled_from([".safetensors", ".pth", ".pt"]),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=4),
    at_head=st.booleans(),
)
def test_damaged_files(suffix, cut, flips, at_head, tmp_path_factory: pytest.TempPathFactory):
    content = bytearray(whole()[suffix])
    # Half of the changes hit the header, where a file says what it holds.
    reach = min(len(content), 4096) if at_head else len(content)
    for place, change in flips:
        content[int(place * (reach - 1))] ^= change
    path = folder(tmp_path_factory) / f"x{suffix}"
    path.write_bytes(content[: len(content) if cut > 0.5 else int(2 * cut * len(content))])
    take(path)


@many_inputs
@given(suffix=st.sampled_from([".safetensors", ".pth", ".pt"]), content=st.binary(max_size=400))
def test_any_bytes(suffix, content, tmp_path_factory: pytest.TempPathFactory):
    path = folder(tmp_path_factory) / f"y{suffix}"
    path.write_bytes(content)
    take(path)


def folder(factory: pytest.TempPathFactory) -> Path:
    path = factory.getbasetemp() / "fuzz"
    path.mkdir(exist_ok=True)
    return path
