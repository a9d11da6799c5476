"""The pages name only what is there: files, headings, commands, flags, keys, arms, calls. No generator runs."""

from __future__ import annotations

import ast
import inspect
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from cyclopts import CycloptsError, MissingArgumentError
from pages import (
    CODE,
    DOCS,
    EVERY,
    PAGES,
    ROOT,
    WRITTEN,
    anchors,
    blocks_of,
    commands,
    links,
    menu,
    name_of,
    split_code,
)

import sightline
from sightline.cli.main import VERBS, make_app
from sightline.config import StudyConfig
from sightline.study.arms import arms_of

SCRIPTS = {"options": "options.md", "recipes": "recipes.md", "commands": "commands.md", "surface": "python.md"}
BLOCKS = ("augment", "data", "method", "monitor", "optim", "skips", "views")


def loaded(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"docs_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # Dataclasses look their module up.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, spec.name, module)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def keys() -> set[str]:
    """Every key of every configuration, as the page of options has them."""
    return set(
        re.findall(r"^\| `([\w.]+)`", (DOCS / "reference" / "options.md").read_text(encoding="utf-8"), re.MULTILINE)
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_written_page_is_what_its_script_writes(script: str):
    module = loaded(DOCS / "reference" / f"{script}.py")
    page = DOCS / "reference" / SCRIPTS[script]
    assert page == module.PAGE
    assert page.read_text(encoding="utf-8") == module.page(), (
        f"{name_of(page)} is out of date; run uv run python docs/reference/{script}.py"
    )


def test_every_option_is_on_the_page_of_options(keys: set[str]):
    assert {
        "optim.lr",
        "views.local_crops",
        "skips.drop",
        "data.split.val",
        "method.koleo",
        "classify.head_solver",
    } <= keys


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_links_lead_somewhere(path: Path):
    for target in links(path):
        file, _, heading = target.partition("#")
        page = (path.parent / file).resolve() if file else path
        assert page.exists(), f"{name_of(path)}: {target} is not there"
        if heading:
            assert heading in anchors(page), f"{name_of(path)}: {target}: no such heading, but {sorted(anchors(page))}"


def test_the_menus_reach_every_page_once():
    reached = [DOCS / "index.md"]
    for page in reached:
        reached += menu(page)
    assert sorted(reached) == PAGES


def test_commands_and_flags_are_known(keys: set[str]):
    shown = commands()
    assert {words[0] for _, words, _ in shown} <= VERBS.keys()
    assert len(shown) > 50
    app, faults = make_app(), []
    for page, words, whole in shown:
        if words[-1] in ("--help", "…"):
            continue
        try:
            app.parse_args(words, exit_on_error=False, print_error=False)
        except MissingArgumentError as error:
            # Prose may show the part of a command that it speaks of.
            faults += [f"{page}: sightline {' '.join(words)}: {error}"] if whole else []
        except CycloptsError as error:
            faults.append(f"{page}: sightline {' '.join(words)}: {error}")
        for place, word in enumerate(words):
            if word == "--set":
                key = words[place + 1].partition("=")[0]
                faults += [] if key in keys else [f"{page}: --set {key}: no such key"]
    assert faults == []


def test_keys_in_prose_are_known(keys: set[str]):
    for path in WRITTEN:
        for code in CODE.findall(split_code(path)[0]):
            key = re.match(rf"^(?:--set )?((?:{'|'.join(BLOCKS)})\.[a-z_.]+)\b(?!\()", code)
            if key and not key[1].endswith((".py", ".json", ".md", ".parquet")):
                assert key[1] in keys, f"{name_of(path)}: `{code}`: no such key"


def test_study_files_can_be_read():
    files = [(page, yaml.safe_load(text)) for page, text in blocks_of("yaml") if text.startswith("name: my photos")]
    assert len(files) > 1
    for page, content in files:
        assert arms_of(StudyConfig.build(content, where=page))


def test_python_calls_fit_their_signatures():
    count = 0
    for page, text in blocks_of("python"):
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "sl":
                assert node.func.attr in sightline.__all__, f"{page}: sl.{node.func.attr}"
                given = {keyword.arg: None for keyword in node.keywords if keyword.arg}
                inspect.signature(getattr(sightline, node.func.attr)).bind(*node.args, **given)
                count += 1
    assert count > 8


def test_figures_of_the_readme_stand_on_the_site_too():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    measured = readme[readme.index("## Measured") : readme.index("## Limits")]
    site = (DOCS / "results.md").read_text(encoding="utf-8")
    rows = [line.replace("](docs/", "](") for line in measured.splitlines() if line.startswith("| ")]
    assert len(rows) > 3
    assert [row for row in rows if row not in site] == []
    headline = re.search(r"95 % interval \+[\d.]+ to \+[\d.]+, p < [\d.]+", readme)
    assert headline is not None
    assert headline[0] in site
    limits = [line for line in readme[readme.index("## Limits") :].splitlines() if line.startswith("- ")]
    assert [line for line in limits if line not in (DOCS / "limits.md").read_text(encoding="utf-8")] == []
