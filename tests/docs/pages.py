"""The Markdown of the site and of the repository's root, taken apart: links, headings, blocks of code, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
EVERY = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + PAGES
# What people wrote: the log, decisions and reports of old runs speak of the names of their day.
WRITTEN = [
    path
    for path in (ROOT / "README.md", *PAGES)
    if path.name != "log.md" and path.parent.name not in ("decisions", "about") and "results" not in path.parts
]

FENCE = re.compile(r"^(\s*)```(.*)$")
LINK = re.compile(r"!?\[(?:[^\]]|\n)*?\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


def name_of(path: Path) -> str:
    """Return a page's path below the root, for the names of tests."""
    return path.relative_to(ROOT).as_posix()


def split_code(path: Path) -> tuple[str, list[tuple[str, str]]]:
    """Return the page's text without blocks of code, and its blocks: (language, content)."""
    prose: list[str] = []
    blocks: list[tuple[str, str]] = []
    inside: list[str] | None = None
    language = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := FENCE.match(line):
            if inside is None:
                inside, language = [], match[2].strip()
            else:
                blocks.append((language, "\n".join(inside)))
                inside = None
        elif inside is None:
            prose.append(line)
        else:
            inside.append(line)
    assert inside is None, f"{name_of(path)}: a block of code without its end"
    return "\n".join(prose), blocks


def links(path: Path) -> list[str]:
    """Return the targets of a page's links and pictures that are no address of the web."""
    prose, _ = split_code(path)
    return [target for target in LINK.findall(CODE.sub("", prose)) if "://" not in target]


def anchors(path: Path) -> set[str]:
    """Return the names of a page's headings, as code hosts and MyST make them."""
    prose, _ = split_code(path)
    titles = re.findall(r"^#{1,6} +(.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def menu(path: Path) -> Iterator[Path]:
    """Yield the pages that the menus of a page name."""
    for language, content in split_code(path)[1]:
        if language != "{toctree}":
            continue
        for entry in filter(None, (line.strip() for line in content.splitlines())):
            if not entry.startswith(":"):
                yield from sorted(path.parent.glob(f"{entry}.md"))


def blocks_of(language: str) -> list[tuple[str, str]]:
    """Return (page, content) of every block of a language."""
    return [(name_of(path), content) for path in WRITTEN for kind, content in split_code(path)[1] if kind == language]


def commands() -> list[tuple[str, list[str], bool]]:
    """Return (page, words after `sightline`, whether it stands in a block) of every command that the pages show."""
    found = []
    for path in WRITTEN:
        prose, blocks = split_code(path)
        lines = [(line, True) for language, content in blocks if language == "sh" for line in content.splitlines()]
        # In prose a command may be only named; one with a path or a flag is meant to be run.
        lines += [(code, False) for code in CODE.findall(prose) if re.search(r"^(uv run )?sightline .*[/.-]", code)]
        for line, whole in lines:
            words = line.partition(" #")[0].split("&&")[-1].split()
            words = words[2:] if words[:2] == ["uv", "run"] else words
            if words[:1] == ["sightline"] and words[1:] and words[1].islower():
                found.append((name_of(path), words[1:], whole))
    return found
