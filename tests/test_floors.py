"""The picture of the floors is the one that its script draws from the imports of today."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "structure"


def test_the_committed_picture_is_what_the_imports_give():
    spec = spec_from_file_location("floors", FOLDER / "floors.py")
    assert spec is not None
    assert spec.loader is not None
    floors = module_from_spec(spec)
    spec.loader.exec_module(floors)
    assert (FOLDER / "floors.svg").read_text(encoding="utf-8") == floors.draw(), (
        "docs/structure/floors.svg is out of date; run uv run python docs/structure/floors.py"
    )
