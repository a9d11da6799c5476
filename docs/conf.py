"""How the site is built: Sphinx reads the Markdown of docs/ as it is.

    uv run --group docs sphinx-build -W --keep-going -q docs build/site

An unknown link, heading or file, and a page that no menu names, are faults and end the build. The site needs no
network: equations are MathML, which browsers draw themselves, and the search is a file of its own.
"""

from __future__ import annotations

from importlib.metadata import version as version_of

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

project = "Sightline"
version = release = version_of("sightline")
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
language = "en"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"Sightline {release}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_math_renderer = "mathml"
html_css_files = ["site.css"]
html_static_path = ["static"]


def _mathml(translator: HTML5Translator, node: nodes.math | nodes.math_block, display: str) -> None:
    translator.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    _mathml(translator, node, "inline")


def _display(translator: HTML5Translator, node: nodes.math_block) -> None:
    _mathml(translator, node, "block")


def setup(app: Sphinx) -> None:
    """Draw equations as MathML, with no script and no network."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_display, None))
