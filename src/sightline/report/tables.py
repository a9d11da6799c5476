"""Tables that every page has: what was run, on which machine, with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sightline.report.document import Table
from sightline.report.face import Rows
from sightline.runs.info import Provenance
from sightline.runs.numbers import count, plain

# Of no use to a reader of the table: where files were, and what the machine was told to do beside the training.
APART = ("kind", "data", "init", "recipe", "monitor", "workers", "threads", "checkpoint_minutes", "log_every", "device")


def table(caption: str, rows: Rows, *, folded: bool = False, header: tuple[str, str] = ("What", "Value")) -> Table:
    """Return two columns of text."""
    return Table(caption, header, rows, (False, False), folded)


def provenance_rows(provenance: Provenance) -> Rows:
    """Return versions and hardware, from run.json or the provenance of a study."""
    rows: Rows = []
    if (machine := provenance.hardware) is not None:
        memory = f", {machine.memory_gib} GiB" if machine.memory_gib else ""
        rows.append(("Hardware", f"{machine.processor}, {machine.cores} cores{memory}"))
        rows.append(("Platform", plain(machine.platform)))
    if provenance.versions:
        rows.append(("Versions", plain(provenance.versions)))
    return rows


def split_row(split: Mapping[str, int]) -> tuple[str, str]:
    """Return how many samples each part has."""
    return ("Split", ", ".join(f"{name} {count(number)}" for name, number in split.items()))


def every_setting(caption: str, config: Mapping[str, Any]) -> Table:
    """Return all hyper-parameters of a run, one a row, under the names the configuration knows them by."""
    rows = [(key, plain(value)) for key, value in _flat({k: v for k, v in config.items() if k not in APART})]
    return table(caption, rows, folded=True, header=("Key", "Value"))


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in config.items():
        name = f"{prefix}{key}"
        rows += _flat(value, f"{name}.") if isinstance(value, Mapping) else [(name, value)]
    return rows
