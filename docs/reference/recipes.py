"""Write docs/reference/recipes.md: the recipes as their files are.

uv run python docs/reference/recipes.py
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from sightline import recipes

PAGE = Path(__file__).with_name("recipes.md")
HEAD = """# Recipes

Written by `uv run python docs/reference/recipes.py` from the files of `src/sightline/recipes/`. A recipe is a named set
of values that `sightline pretrain` takes by `--recipe NAME`; a YAML file of one's own does as well. What a recipe
leaves out has [its default](options.md#pretrain).
"""


def page() -> str:
    """Return the page as Markdown: each file as it is."""
    folder = files(recipes.__name__)
    texts = {name: folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8") for name in recipes.names()}
    return HEAD + "".join(f"\n## {name}\n\n```yaml\n{text.rstrip()}\n```\n" for name, text in texts.items())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.name)
