"""The site as Sphinx builds it, and the page of errors as the commands answer today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pages import DOCS, PAGES

pytestmark = pytest.mark.slow


def test_the_site_builds_without_a_warning_and_asks_no_other_host(tmp_path: Path):
    pytest.importorskip("sphinx", reason="without the group docs; uv run --group docs pytest -m slow tests/docs")
    out = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(out)], check=True)
    for path in PAGES:
        text = (out / path.relative_to(DOCS)).with_suffix(".html").read_text(encoding="utf-8")
        assert not [tag for tag in ('src="http', 'rel="stylesheet" href="http') if tag in text]
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in (
        out / "methods" / "dino.html"
    ).read_text(encoding="utf-8")


def test_the_page_of_errors_is_what_the_commands_answer():
    # In a process of its own: the page's machine has no GPU and no network, which libraries look up when they load.
    code = f"import sys; sys.path.insert(0, {str(DOCS)!r}); import errors; sys.stdout.write(errors.page())"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (DOCS / "errors.md").read_text(encoding="utf-8") == answer.stdout, (
        "docs/errors.md is out of date; run uv run python docs/errors.py"
    )
