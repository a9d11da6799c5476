"""What can be done with a finished run: its kind says which function does it, and what that takes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sightline.config import Frozen
from sightline.config.types import ExportFormat
from sightline.errors import ConfigError, RunError
from sightline.files import Outputs
from sightline.runs.folder import RunFolder
from sightline.runs.kinds import KINDS, Kind, import_dotted, kind_named

Verb = Literal["predict", "evaluate", "embed", "export"]


def kinds_with(verb: Verb) -> list[str]:
    """Return the names of the kinds of run that `verb` can be done with."""
    return [name for name, kind in KINDS.items() if getattr(kind, verb)]


def able_kind(run: RunFolder, verb: Verb) -> Kind:
    """Return the kind of a run, if `verb` can be done with it.

    Raises:
        RunError: it cannot; the message says with which kinds it can.
    """
    name = run.info().kind
    kind = kind_named(name)
    if not getattr(kind, verb):
        able = kinds_with(verb)
        listed = " or ".join([", ".join(able[:-1]), able[-1]]) if len(able) > 1 else able[0]
        raise RunError(f"{run.path}: holds a {name} run, and {verb} needs a {listed} run; give the folder of one")
    return kind


def check_verb(run: RunFolder, verb: Verb, options: Mapping[str, object]) -> str:
    """Return the dotted path of the function of the run's kind that does `verb`; nothing is imported.

    Args:
        run: a finished run.
        verb: what to do.
        options: keyword arguments that were given; those of another kind are refused, never ignored.

    Raises:
        RunError: `verb` cannot be done with this kind of run.
        ConfigError: an option of another kind.
    """
    path = getattr(able_kind(run, verb), verb)
    for name in options:
        if name not in parameters_of(path):
            takers = " and ".join(
                kind for kind in kinds_with(verb) if name in parameters_of(getattr(KINDS[kind], verb))
            )
            raise ConfigError(
                f"{name}: is for {takers} runs, and {run.path} holds a {run.info().kind} run; leave it out"
            )
    return path


def function_of(run: RunFolder, verb: Verb, options: Mapping[str, object] | None = None) -> Callable[..., Any]:
    """Return the function of the run's kind that does `verb`, with `options` filled in; arguments as of `check_verb`.

    Raises:
        RunError, ConfigError: as of `check_verb`.
    """
    options = options or {}
    return partial(import_dotted(check_verb(run, verb, options)), **options)


def data_config(run: RunFolder, values: Mapping[str, Any]) -> Frozen:
    """Return the configuration of the data that a run of this kind is evaluated on.

    Args:
        run: a finished run.
        values: keys of its class, at least `source`.

    Raises:
        RunError: this kind of run cannot be evaluated.
        ConfigError: a key that these data do not have.
    """
    block = able_kind(run, "evaluate").config.block("data", values)
    assert block is not None, "every kind that can be evaluated has data"
    return block.build(values, where="data")


def export_target(run: RunFolder, format: ExportFormat, out: Path | None = None) -> Path:
    """Return where an export goes: `out`, or RUN/export/FORMAT.

    Raises:
        RunError: this kind of run cannot be exported.
        ConfigError: not in this format; the message says in which it can.
    """
    formats = able_kind(run, "export").formats
    if format not in formats:
        raise ConfigError(
            f"format {format}: {run.path} holds a {run.info().kind} run, which is exported as {', '.join(formats)}"
        )
    return out or run.path / "export" / (f"{format}.onnx" if format == "onnx" else format)


def export_outputs(run: RunFolder, format: str, path: Path) -> Outputs:
    """Return the files of an export to `path`, from `export_target`.

    Raises:
        DataError: files of these names are there, and Sightline did not write them.
    """
    files = [path] if format == "onnx" else [path / "model.safetensors", path / "config.json"]
    return Outputs([(run.path, file) for file in files])


def parameters_of(path: str) -> tuple[str, ...]:
    """Return the names of a function's parameters, by its dotted path and from its source: importing it loads torch."""
    module, _, name = path.partition(":")
    for node in _source(module):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            of = node.args
            return tuple(argument.arg for argument in (*of.posonlyargs, *of.args, *of.kwonlyargs))
        if isinstance(node, ast.ImportFrom) and any((of.asname or of.name) == name for of in node.names):
            return parameters_of(f"{node.module}:{name}")
    return tuple(inspect.signature(import_dotted(path)).parameters)


def _source(module: str) -> list[ast.stmt]:
    """Return the statements of a module of this package, without importing those that it is in; else []."""
    root, *parts = module.split(".")
    base = Path(__file__).parents[1].joinpath(*parts)
    files = [base.with_suffix(".py"), base / "__init__.py"] if root == __name__.partition(".")[0] else []
    return next((ast.parse(file.read_bytes()).body for file in files if file.is_file()), [])
