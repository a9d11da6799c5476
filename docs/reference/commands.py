"""Write docs/reference/commands.md: every command, its arguments and flags, from the commands themselves.

uv run python docs/reference/commands.py
"""

from __future__ import annotations

import re
from pathlib import Path

from sightline.cli.main import VERBS, make_app

PAGE = Path(__file__).with_name("commands.md")
HEAD = """# Every command

Written by `uv run python docs/reference/commands.py` from the commands themselves; `sightline VERB --help` says the
same. Each command ends with 0 when it is done, 1 when it failed, 2 for wrong use or wrong input, 130 when it was
interrupted. Results go to stdout, progress and errors to stderr; `--debug` shows a traceback. Keys without a flag of
their own are on the page of [every option](options.md).
"""


def page() -> str:
    """Return the page as Markdown, the same for the same commands."""
    text = make_app().generate_docs(output_format="markdown", include_hidden=False)
    # What stands before the first command is a title, a summary and a list of contents, which the site has itself.
    text = text[text.index(f"## sightline {next(iter(VERBS))}\n") :]
    return HEAD + "\n" + re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.name)
