"""Write docs/reference/recipes.md: the recipes and the studies by name, as their files are.

uv run python docs/reference/recipes.py
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from sightline import recipes

PAGE = Path(__file__).with_name("recipes.md")
HEAD = """# Recipes and studies by name

Written by `uv run python docs/reference/recipes.py` from the files themselves. A recipe is a named set of values that
`sightline pretrain` takes by `--recipe NAME`; a YAML file of one's own does as well. What a recipe leaves out has
[its default](options.md#pretrain). A study by name is run by `sightline study NAME`.
"""


def page() -> str:
    """Return the page as Markdown: each file as it is."""
    return HEAD + _files(recipes.__name__) + "\n## Studies by name\n" + _files("sightline.study.named", "###")


def _files(package: str, level: str = "##") -> str:
    found = sorted(item.name for item in files(package).iterdir() if item.name.endswith(".yaml"))
    texts = {name: files(package).joinpath(name).read_text(encoding="utf-8") for name in found}
    return "".join(
        f"\n{level} {name.removesuffix('.yaml')}\n\n```yaml\n{text.rstrip()}\n```\n" for name, text in texts.items()
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.name)
