"""`sightline data`: making, fetching and looking at data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from sightline.cli.common import Json, Layout, Style, data_layer, given, show

app = App(name="data", help="Make, fetch and check data sets.\n\nExample: sightline data demo demo-data/")


@app.command
def demo(folder: Path, /, *, seed: int = 0) -> None:
    """Write the generated demo set: unlabelled pictures, four labelled styles, land-cover scenes with masks.

    Example: sightline data demo demo-data/

    Parameters
    ----------
    folder
        Where to write.
    seed
        Another seed makes other pictures of the same kind.
    """
    from sightline.data import write_demo

    write_demo(folder, seed=seed)
    print(folder)


@app.command
def fetch(
    name: Annotated[str | None, Parameter(help="A data set's name; without it the known ones are listed.")] = None,
    /,
    *,
    out: Annotated[Path | None, Parameter(name="--out", help="Where to put it; the data home by default.")] = None,
    as_json: Json = False,
) -> None:
    """Download, verify and unpack a data set; an interrupted download goes on where it stopped.

    Example: sightline data fetch cifar-10
    """
    from sightline import data

    if name is None:
        show(data.catalog_rows(), as_json=as_json, title="known data sets")
        return
    print(data.fetch(name, out))


@app.command
def check(
    source: str,
    /,
    *,
    layout: Layout = None,
    style: Style = None,
    split_file: Annotated[
        Path | None, Parameter(name="--split-file", help="With masks: judge the leaks of this split.")
    ] = None,
    write_split: Annotated[
        Path | None, Parameter(name="--write-split", help="With masks: write a split by whole scenes, without leaks.")
    ] = None,
    val: Annotated[float, Parameter(name="--val", help="Share of tiles that --write-split validates on.")] = 0.15,
    test: Annotated[float, Parameter(name="--test", help="Share of tiles that --write-split tests on.")] = 0.15,
    seed: Annotated[int, Parameter(name="--seed", help="Of the split that is written.")] = 0,
    as_json: Json = False,
) -> None:
    """Open every image of a data set and tell what is there: layout, classes, unreadable files.

    Of images with masks also class shares, pixels off the palette, and leaks between train, val and test: copies, and
    tiles cut side by side from one scene.

    Example: sightline data check landcover/ --write-split split.json

    Parameters
    ----------
    source
        A folder, a list file, a CSV, or a known name.
    """
    from sightline.config import DataConfig, SegmentDataConfig
    from sightline.data import check as work
    from sightline.data import check_masks, holds_masks, write_leak_free_split
    from sightline.errors import ConfigError

    masks = SegmentDataConfig.build({"source": source}, given(split_file=str(split_file) if split_file else None))
    if layout in (None, "pairs", "folders") and style is None and holds_masks(masks):
        found = check_masks(
            masks.model_copy(update=given(layout=layout)), progress=lambda line: print(line, file=sys.stderr)
        )
        rows = found.rows()
        if write_split is not None:
            rows += write_leak_free_split(found, write_split, val, test, seed)
        show(rows, as_json=as_json, title=source)
        return
    if split_file is not None or write_split is not None:
        raise ConfigError(
            f"{source}: holds no images with masks, and splits by scenes are of these; leave the flag out"
        )
    show(work(DataConfig.build(data_layer(source, layout, style)["data"])), as_json=as_json, title=source)
