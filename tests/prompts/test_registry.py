"""The registry of engines: light to read, true to the classes, and open to a new entry."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import ConfigError, NotAvailable
from sightline.prompts import ENGINES, EngineInfo, ImageState, PromptEngine, Prompts, build_engine, engines_text


class Whole(PromptEngine):
    """Takes the whole image for the answer to any box."""

    name = "whole"
    accepts = frozenset({"box"})

    @classmethod
    def load(cls, model_id: str, device: str) -> Whole:
        return cls()

    def _look(self, image: np.ndarray) -> ImageState:
        return ImageState(*image.shape[:2], False, 0.0)

    def _answer(self, state: ImageState, prompts: Prompts, multimask: bool):
        return np.ones((1, state.height, state.width), bool), np.ones(1, np.float32), None, None


def test_prompts_load_no_torch():
    code = "import sys, sightline.prompts, sightline.cli.prompt, sightline.cli.serve; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ENGINES)
def test_an_entry_tells_what_its_class_is(name: str):
    module, _, attribute = ENGINES[name].path.partition(":")
    engine = getattr(import_module(module), attribute)
    assert issubclass(engine, PromptEngine)
    assert (engine.name, engine.accepts) == (name, ENGINES[name].accepts)
    assert bool(engine.everything_method) == ("everything" in engine.accepts)
    assert bool(ENGINES[name].weights) == bool(ENGINES[name].license)


@pytest.mark.parametrize("name", [name for name, info in ENGINES.items() if info.weights])
def test_without_its_weights_an_engine_says_where_it_looked_and_the_command_that_brings_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotAvailable) as caught:
        build_engine(name, device="cpu")
    message, info = str(caught.value), ENGINES[name]
    assert message.startswith(f"{name} needs ")
    assert f"  {info.fetching}" in message.split("\n"), "on a line of its own, to be copied"
    if info.url:
        assert f"not in {tmp_path}. " in message
        assert info.fetching == f"curl -L -o {info.weights} {info.url}"
        return
    repositories = info.weights.split("+")
    assert any(f"models--{repository.replace('/', '--')} and could not" in message for repository in repositories)
    assert all(f"hf download {repository} --include '*.json'" in message for repository in repositories)
    assert ("hf auth login && " in message) == info.gated


def test_a_model_of_ones_own_has_its_own_command():
    with pytest.raises(NotAvailable, match=r"sam2 needs me/mine.*brings it:\n  hf download me/mine --include"):
        build_engine("sam2", "me/mine", "cpu")


def test_a_new_engine_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(ENGINES, "whole", EngineInfo(f"{__name__}:Whole", "the whole image", frozenset({"box"})))
    engine = build_engine("whole")
    state = engine.set_image(np.zeros((4, 5, 3), np.uint8))
    assert engine.predict(state, Prompts(box=(0, 0, 3, 3))).masks.all()
    assert "whole: the whole image, nothing to download" in engines_text()
    with pytest.raises(ConfigError, match=r"whole takes no points, but box; use --engine graphcut"):
        engine.predict(state, Prompts(points=((1, 1, 1),)))
    with pytest.raises(ConfigError, match=r"whole has no everything mode; use --engine graphcut or sam"):
        engine.everything(state)
