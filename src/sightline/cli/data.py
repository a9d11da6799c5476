"""`sightline data`: making, fetching and looking at data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, get_args

from cyclopts import App, Parameter

from sightline.cli.common import Json, PathOrName, data_layer, given, show
from sightline.cli.ending import end, say
from sightline.cli.flags import Layout, Style
from sightline.config import SegmentDataConfig
from sightline.config.types import MaskLayout

_PARTS = SegmentDataConfig.model_fields

app = App(name="data", help="Make, fetch and check data sets.\n\nExample: sightline data demo demo-data/")


@app.command
def demo(folder: Path, /, *, seed: int = 0) -> None:
    """Write the generated demo set: unlabelled pictures, four labelled styles, land-cover scenes with masks.

    Example: sightline data demo demo-data/

    Parameters
    ----------
    folder
        Folder to write.
    seed
        Seed of the pictures; another one makes others of the same kind.
    """
    from sightline.data import write_demo

    write_demo(folder, seed=seed)
    end({"written": folder}, ("data", "check", folder / "landcover"), ("study", "demo"))


@app.command
def shard(
    source: PathOrName,
    /,
    *,
    out: Annotated[Path, Parameter(name="--out", help="Folder of the shards, new or empty.")],
    layout: Layout = None,
    style: Style = None,
    shard_mb: Annotated[
        int, Parameter(name="--shard-mb", help="Megabytes at which a shard is closed and the next one begun.")
    ] = 256,
    as_json: Json = False,
) -> None:
    """Write the images of a data set as tar shards with an index: few large files, read in any order.

    The shards are of WebDataset's layout. Verbs that take images without masks take the folder: ids, split, batches and
    results are those of the source.

    Example: sightline data shard photos/ --out photo-shards/

    Parameters
    ----------
    source
        Folder, list file, CSV, known name, or URL.
    """
    from sightline.config import DataConfig
    from sightline.data.shards import MEGABYTE, write_shards

    config = DataConfig.build(data_layer(source, layout, style)["data"])
    made = write_shards(config, out, shard_bytes=shard_mb * MEGABYTE, say=lambda line: print(line, file=sys.stderr))
    row = {"images": made.images, "shards": made.shards, "bytes": made.bytes, "folder": str(made.folder)}
    show([row], as_json=as_json, title=source)
    if not as_json:
        end({"shards": out}, ("pretrain", out, "--out", "RUN"))


@app.command
def fetch(
    name: Annotated[str | None, Parameter(help="Name of the data set; without it the known ones are listed.")] = None,
    /,
    *,
    out: Annotated[Path | None, Parameter(name="--out", help="Folder to put it in; the data home by default.")] = None,
    as_json: Json = False,
) -> None:
    """Download, verify and unpack a data set; an interrupted download goes on where it stopped.

    Example: sightline data fetch cifar-10
    """
    from sightline import data

    if name is None:
        show(data.catalog_rows(), as_json=as_json, title="known data sets")
        return
    folder = data.fetch(name, out)
    end({"data": folder}, ("data", "check", folder))


@app.command
def sheet(
    source: PathOrName,
    /,
    *,
    out: Annotated[Path, Parameter(name="--out", help="PNG to write.")],
    layout: Layout = None,
    style: Style = None,
) -> None:
    """Write a contact sheet: images of each class, or tiles with their masks laid over them.

    Example: sightline data sheet labelled/ --out sheet.png

    Parameters
    ----------
    source
        Folder, list file, CSV, or known name.
    """
    from sightline.config import DataConfig
    from sightline.data import check_masks, holds_masks, write_sheet
    from sightline.data.labelled.sheet import write_contact_sheet

    masks = SegmentDataConfig.build({"source": source})
    if layout in (None, *get_args(MaskLayout)) and style is None and holds_masks(masks):
        masks = masks.model_copy(update=given(layout=layout))
        write_sheet(check_masks(masks, progress=lambda line: print(line, file=sys.stderr)), out)
    else:
        shown = write_contact_sheet(DataConfig.build(data_layer(source, layout, style)["data"]), out)
        say(f"{shown} images, evenly spaced in the list of each class.")
    end({"sheet": out}, ("data", "check", source))


@app.command
def check(
    source: PathOrName,
    /,
    *,
    layout: Layout = None,
    style: Style = None,
    split_file: Annotated[
        Path | None,
        Parameter(name=["--split", "--split-file"], help="JSON file of the parts whose leaks are looked for."),
    ] = None,
    unlabelled: Annotated[
        str | None,
        Parameter(name="--unlabelled", help="Images without labels: which of the others have a copy among them?"),
    ] = None,
    features: Annotated[
        str | None,
        Parameter(
            name="--features",
            help="Run or published weights whose features confirm near copies and judge labels.",
        ),
    ] = None,
    write_split: Annotated[
        Path | None,
        Parameter(
            name="--write-split",
            help="File to write a split by whole scenes to, which has no leaks; of images with masks.",
        ),
    ] = None,
    val: Annotated[
        float, Parameter(name="--val", help="Share of the tiles that --write-split gives to validation.")
    ] = _PARTS["val"].default,
    test: Annotated[
        float, Parameter(name="--test", help="Share of the tiles that --write-split gives to the test.")
    ] = _PARTS["test"].default,
    seed: Annotated[int, Parameter(name="--seed", help="Seed of the split that --write-split writes.")] = 0,
    sheet: Annotated[
        Path | None,
        Parameter(name="--sheet", help="PNG to write, of tiles with their masks laid over them; of images with masks."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Open every image of a data set and list its classes, sizes, copies, doubtful labels and unreadable files.

    Copies are found from the pixels, also where they were encoded again, resized, mirrored or cropped to 90 %: within
    the data set, between its parts, and with --unlabelled between these and images for pretraining. With --features
    near copies must also be as alike to a network as a picture and a changed copy of itself. Labels are likely wrong
    where a regression that was fitted to the other images prefers another one.

    For images with masks it also shows what the masks mean, with the value or color, the share and the number of masks
    of each class, pixels off the palette, and tiles of several parts that were cut side by side from one scene.

    Example: sightline data check landcover/ --write-split split.json

    Parameters
    ----------
    source
        Folder, list file, CSV, or known name.
    """
    from sightline.config import DataConfig
    from sightline.data import (
        check_images,
        check_masks,
        find,
        holds_masks,
        passed_rows,
        walk,
        write_leak_free_split,
        write_sheet,
    )
    from sightline.errors import ConfigError

    say = lambda line: print(line, file=sys.stderr)  # noqa: E731
    masks = SegmentDataConfig.build({"source": source}, given(split_file=str(split_file) if split_file else None))
    if layout in (None, *get_args(MaskLayout)) and style is None and holds_masks(masks):
        result = check_masks(masks.model_copy(update=given(layout=layout)), unlabelled or "", progress=say)
        confirmations: list[dict[str, object]] = []
        if features is not None:
            from sightline.tasks.likeness import confirm_tile_copies

            seen = confirm_tile_copies(result, features, say=say)
            result, confirmations = seen.check, seen.rows()
        rows = result.rows() + confirmations + passed_rows(walk(find(source)).passed)
        if write_split is not None:
            rows += write_leak_free_split(result, write_split, val, test, seed)
        if sheet is not None:
            write_sheet(result, sheet)
            rows.append({"what": "sheet", "value": str(sheet)})
        show(rows, as_json=as_json, title=source)
        if not as_json:
            end({}, ("segment", source, "--out", "OUT"))
        return
    if write_split is not None or sheet is not None:
        raise ConfigError(
            f"{source}: holds no images with masks, and splits by scenes and sheets are of these; leave the flag out"
        )
    layer = data_layer(source, layout, style)["data"] | given(split_file=str(split_file) if split_file else None)
    found = check_images(DataConfig.build(layer), unlabelled or "", progress=say)
    confirmations: list[dict[str, object]] = []
    if features is not None:
        from sightline.tasks.likeness import confirm_copies

        likeness = confirm_copies(found, features, say=say)
        found, confirmations = likeness.check, likeness.rows()
    rows = found.rows() + confirmations
    if found.images.listing.classes:
        from sightline.tasks.doubts import check_labels

        doubts = check_labels(found, features or "", say=say)
        rows += doubts.rows() if doubts is not None else []
    show(rows, as_json=as_json, title=source)
    if not as_json:
        end({}, ("classify" if found.images.listing.classes else "pretrain", source, "--out", "OUT"))
