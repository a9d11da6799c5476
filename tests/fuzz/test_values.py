"""Whatever is written as a value or a study file: a configuration, or one of Sightline's own errors."""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from many_inputs import ODD, SEEDS, forms, many_inputs, value_forms

from sightline.config import ClassifyConfig, PretrainConfig, SegmentConfig, StudyConfig, resolve
from sightline.config.base import from_assignments
from sightline.errors import SightlineError
from sightline.study import expand, read_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]

CLASSES: tuple[Any, ...] = (ClassifyConfig, PretrainConfig, SegmentConfig)
# What YAML is made of, so that most texts are nearly right.
WORDS = (
    [
        *"{}[]:,|>'\"#%@~?-\\\t\0",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "&a ",
        "*a",
        "<<: ",
        "? ",
        "---\n",
        "...",
        "\x85",
        "\ufeff",
        "é",
    ]
    + [f"!!{tag} " for tag in ("set", "binary", "int", "float", "timestamp", "omap", "bool", "python/name:os.system")]
    + [".nan", ".inf", "-.inf", "1e3", "1e999", "0x1F", "0o17", "1_000", "1:30", "-1", "9" * 30, "9" * 5000]
    + ["2024-01-01", "2024-13-40T25:61", "null", "yes", "off", "true", "a", "name", "seeds", "arms"]
)
PIECES = st.sampled_from(WORDS)
YAML = st.lists(PIECES | st.text(max_size=8), max_size=14).map("".join)


def keys_of(cls: Any, prefix: str = "") -> list[str]:
    keys = []
    for name in cls.model_fields:
        block = cls.block(name, {})
        keys += [f"{prefix}{name}"] + (keys_of(block, f"{prefix}{name}.") if block is not None else [])
    return keys


KEYS = st.sampled_from([(cls, key) for cls in CLASSES for key in keys_of(cls)])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@many_inputs
@given(KEYS, YAML, SEEDS)
def test_any_text_as_the_value_of_any_key(key, text, seed):
    cls, name = key
    for form in forms(text, seed, WORDS):
        with contextlib.suppress(SightlineError):
            resolve(cls, assignments=[f"{name}={form}"], flags={"data": {"source": "photos"}})


@many_inputs
@given(YAML, SEEDS)
def test_any_text_as_an_assignment(text, seed):
    for form in forms(text, seed, [*WORDS, "=", "seeds=", "data.source="]):
        with contextlib.suppress(SightlineError):
            from_assignments([form])


@many_inputs
@given(KEYS, PLAIN, SEEDS)
def test_any_value_from_python(key, value, seed):
    cls, name = key
    for form in value_forms(value, seed, (*ODD, date(2024, 1, 1), b"bytes")):
        flags = form
        for part in reversed(name.split(".")):
            flags = {part: flags}
        with contextlib.suppress(SightlineError):
            resolve(cls, flags=flags)


STUDY_KEYS = sorted({key.split(".")[0] for key in keys_of(StudyConfig)})
STUDIES = st.dictionaries(st.sampled_from(STUDY_KEYS), PLAIN, max_size=4).map(
    lambda values: yaml.safe_dump(
        {"name": "s", "classify": {"data": {"source": "photos"}}, "arms": ["E"], **values}, allow_unicode=True
    )
)


@many_inputs
@given(STUDIES | YAML.map(lambda text: f"name: s\n{text}"), SEEDS)
def test_any_study_file(tmp_path: Path, text: str, seed: int):
    path = tmp_path / "study.yaml"
    for form in forms(text, seed, WORDS):
        path.write_text(form, encoding="utf-8", errors="surrogatepass")
        with contextlib.suppress(SightlineError):
            expand(read_study(str(path)), tmp_path)


@many_inputs
@given(st.binary(max_size=200), SEEDS)
def test_any_bytes_as_a_study_file(tmp_path: Path, content: bytes, seed: int):
    path = tmp_path / "study.yaml"
    for form in forms(content, seed, [word.encode() for word in WORDS]):
        path.write_bytes(form)
        with contextlib.suppress(SightlineError):
            read_study(str(path))
