"""A benchmark's page: machine, versions, command, tables and date, written by the benchmark itself."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sightline.files.atomic import json_text, write_text
from sightline.runs.provenance import hardware, versions

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Page:
    """What a benchmark found.

    Attributes:
        title: of the page.
        about: what is measured and how, Markdown.
        tables: rows by heading.
        facts: further lines by name; a mapping becomes "key value, key value".
    """

    title: str
    about: str
    tables: Mapping[str, Rows]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything a page says, for a program."""
        return {
            "title": self.title,
            "date": datetime.now(UTC).date().isoformat(),
            "command": command(),
            "hardware": hardware(),
            "versions": versions(),
            "facts": dict(self.facts),
            "tables": {heading: list(rows) for heading, rows in self.tables.items()},
        }

    def to_markdown(self) -> str:
        """Return the page."""
        fields = self.to_dict()
        machine = fields["hardware"]
        facts = {
            "date": fields["date"],
            "command": f"`{fields['command']}`",
            "machine": f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
            f"{machine['platform']}",
            "versions": fields["versions"],
            **fields["facts"],
        }
        parts = [
            f"# {self.title}",
            self.about.strip(),
            *(f"## {h}\n\n{table(rows)}" for h, rows in self.tables.items()),
        ]
        parts += ["## Where these numbers come from", "\n".join(f"- {k}: {_words(v)}" for k, v in facts.items())]
        return "\n\n".join(parts) + "\n"


def table(rows: Rows) -> str:
    """Return a Markdown table; columns in the order in which rows name them."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns), *([number(row.get(c, "")) for c in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: Any) -> str:
    """Return a float with three digits that count, anything else as it is."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def command() -> str:
    """Return the command line of this process, as somebody in the source tree would type it."""
    program = Path(sys.argv[0])
    name = f"python {program}" if program.suffix == ".py" and not program.is_absolute() else program.stem
    return " ".join([name, *(shlex.quote(argument) for argument in sys.argv[1:])])


def write(page: Page, path: Path) -> None:
    """Write the page to `path`, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page.to_markdown())


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add --json and --write to a benchmark script's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")
    parser.add_argument("--write", type=Path, help="write the page to this file, e.g. docs/benchmarks/NAME.md")


def finish(page: Page, arguments: argparse.Namespace) -> None:
    """Print what a script found, and write its page where asked to."""
    if arguments.json:
        print(json_text(page.to_dict(), indent=1))
    else:
        for heading, rows in page.tables.items():
            print(f"{heading}\n\n{table(rows)}\n")
        for name, value in page.facts.items():
            print(f"{name}: {_words(value)}")
    if arguments.write:
        write(page, arguments.write)


def _words(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)
