"""`sightline prompt`: masks from points, boxes, words, or everything."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sightline.cli.common import Json, Out, PathOrName, show
from sightline.cli.ending import end, say
from sightline.cli.flags import Device, config_flags
from sightline.config import PixelsConfig
from sightline.files.atomic import json_text
from sightline.prompts import DEFAULT_ENGINE, ENGINES, EverythingSettings, engine_named, engines_text

_TEXT = " and ".join(name for name, info in ENGINES.items() if "text" in info.accepts)
_SETTINGS = EverythingSettings()


@config_flags(PixelsConfig, "bands", "scale")
def prompt(
    *images: Path,
    out: Out,
    point: Annotated[
        tuple[str, ...],
        Parameter(
            negative="", show_default=False, help="X,Y,+ for inside or X,Y,- for outside, in pixels; may be repeated."
        ),
    ] = (),
    box: Annotated[str | None, Parameter(help="X0,Y0,X1,Y1 around the object, in pixels.")] = None,
    text: Annotated[str, Parameter(show_default=False, help=f"Words for what is looked for; for {_TEXT}.")] = "",
    everything: Annotated[
        bool, Parameter(negative="", show_default=False, help="All masks that the engine finds by itself.")
    ] = False,
    prompts: Annotated[
        Path | None, Parameter(help="A .json or .csv with the prompts of each image, by file name.")
    ] = None,
    engine: Annotated[str, Parameter(help=f"{engines_text()}.")] = DEFAULT_ENGINE,
    model: Annotated[PathOrName | None, Parameter(help="The engine's weights, a hub id or a path.")] = None,
    formats: Annotated[
        tuple[str, ...],
        Parameter(
            name="--format",
            negative="",
            show_default=False,
            help="Format to write: masks, palette, coco, geojson or overlay; may be repeated; by default all but "
            "geojson.",
        ),
    ] = (),
    single: Annotated[
        bool, Parameter(negative="", show_default=False, help="Only the best mask of each prompt.")
    ] = False,
    settings: Annotated[EverythingSettings, Parameter(name="*", group="Everything mode")] = _SETTINGS,
    device: Device = "auto",
    as_json: Json = False,
    flags: Mapping[str, Any],
) -> None:
    """Cut things out of images without training: by points, a box, words, or everything at once.

    Example: sightline prompt photo.jpg --out masks --point 120,80,+ --point 30,40,-

    Which engine answered is printed and written to NAME.json.

    Parameters
    ----------
    images
        Image files, or folders that are searched through.
    """
    from sightline.errors import ConfigError
    from sightline.prompts import Prompts
    from sightline.tasks.prompt import (
        DEFAULT_FORMATS,
        Request,
        check_formats,
        parse_box,
        parse_point,
        prompt_files,
        read_prompts,
    )

    engine_named(engine)
    check_formats(formats)

    pointed = Prompts(tuple(map(parse_point, point)), None if box is None else parse_box(box), text)
    if prompts is not None and (pointed.kinds() or everything):
        raise ConfigError("--prompts together with --point, --box, --text or --everything; give one or the other")
    results = prompt_files(
        images,
        Request(pointed, everything) if prompts is None else read_prompts(prompts),
        out=out,
        engine=engine,
        model_id=model,
        device=device,
        formats=formats or DEFAULT_FORMATS,
        multimask=not single,
        settings=settings,
        pixels=PixelsConfig.build(flags),
        say=say,
        progress=_show_progress,
    )
    one = len(images) == 1 and not images[0].is_dir()
    records: list[dict[str, Any]] = []
    for result in results:
        records.append(result.record)
        if not as_json:
            show([_row(result.record)], as_json=False) if one else _say_line(_row(result.record))
    if as_json:
        print(json_text(records, indent=1))
        return
    if not one:
        # What is the same of all of them, once.
        say(", ".join(f"{name} {_row(records[0])[name]}" for name in ("engine", "model", "device")) + ".")
    found = sum(record["masks"] for record in records)
    masks = "1 mask" if found == 1 else f"{found} masks"
    where = "1 image" if len(records) == 1 else f"{len(records)} images"
    say(f"{masks} in {where}. A score is the engine's own guess of the overlap, 0 to 1.")
    end({"masks": out}, ("serve", images[0] if images else out))


def _row(record: dict) -> dict[str, object]:
    scores, seconds = record["scores"], record["seconds"]
    return {
        "image": record["image"],
        "engine": record["engine"],
        "model": record["model"] or "none",
        "device": record["device"],
        "masks": record["masks"],
        "best score": max(scores) if scores else "nothing found",
        "seconds": seconds["image"] + seconds["answer"],
    }


def _say_line(row: Mapping[str, Any]) -> None:
    """Say of one image of many what was found in it, when it was found."""
    best = row["best score"]
    found = f"masks: {row['masks']}, best score {best:.3f}" if row["masks"] else best
    print(f"{row['image']}: {found}, {row['seconds']:.2g} s", flush=True)


def _show_progress(image: str, done: int, steps: int) -> None:
    if not sys.stderr.isatty():
        return
    end = "\n" if done == steps else ""
    print(f"\r{image}: {done} of {steps}", end=end, file=sys.stderr, flush=True)
