"""`sightline prompt`: masks from points, boxes, words, or everything."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sightline.cli.common import Json, Out, show
from sightline.cli.common import given as only_given


def prompt(
    *images: Path,
    out: Out,
    point: Annotated[
        tuple[str, ...], Parameter(help="X,Y,+ for inside or X,Y,- for outside, in pixels; may be repeated.")
    ] = (),
    box: Annotated[str | None, Parameter(help="X0,Y0,X1,Y1 around the object, in pixels.")] = None,
    text: Annotated[str, Parameter(help="Words for what is looked for; for sam3 and grounded-sam.")] = "",
    everything: Annotated[bool, Parameter(negative="", help="All masks that the engine finds by itself.")] = False,
    prompts: Annotated[
        Path | None, Parameter(help="A .json or .csv with the prompts of each image, by file name.")
    ] = None,
    engine: str = "grabcut",
    model: Annotated[str | None, Parameter(help="A hub id or a folder with the weights.")] = None,
    formats: Annotated[
        tuple[str, ...],
        Parameter(name="--format", help="masks, palette, coco, geojson, overlay; may be repeated. All but geojson."),
    ] = (),
    single: Annotated[bool, Parameter(negative="", help="Only the best mask of each prompt.")] = False,
    grid: Annotated[int | None, Parameter(help="Of everything mode: points along each side, 32.")] = None,
    iou: Annotated[float | None, Parameter(help="Everything: least quality that the model expects, 0.88.")] = None,
    stability: Annotated[float | None, Parameter(help="Everything: least stability of a mask, 0.95.")] = None,
    overlap: Annotated[float | None, Parameter(help="Everything: IoU of boxes that are the same thing, 0.7.")] = None,
    min_area: Annotated[int | None, Parameter(help="Everything: pixels of the smallest mask, 100.")] = None,
    device: str = "auto",
    as_json: Json = False,
) -> None:
    """Cut things out of images without training: by points, a box, words, or everything at once.

    Example: sightline prompt photo.jpg --out masks --point 120,80,+ --point 30,40,-

    Engines: grabcut (colour and edges, nothing to download), sam, sam-hq, sam2, edgetam (points and boxes), sam3 (words
    and boxes), grounded-sam (words). Which one answered is printed and written to NAME.json.

    Parameters
    ----------
    images
        Image files, or folders that are searched through.
    engine
        grabcut, sam, sam-hq, sam2, edgetam, sam3 or grounded-sam.
    device
        auto, cpu, cuda or mps.
    """
    from sightline.errors import ConfigError
    from sightline.models.promptable import Prompts
    from sightline.models.promptable.everything import Settings
    from sightline.tasks.prompt import DEFAULT_FORMATS, Wanted, parse_box, parse_point, prompt_files, read_prompts

    given = Prompts(tuple(map(parse_point, point)), None if box is None else parse_box(box), text)
    if prompts is not None and (given.kinds() or everything):
        raise ConfigError("--prompts together with --point, --box, --text or --everything; give one or the other")
    wanted = Wanted(given, everything) if prompts is None else read_prompts(prompts)
    found = prompt_files(
        images,
        wanted,
        out=out,
        engine=engine,
        model_id=model,
        device=device,
        formats=formats or DEFAULT_FORMATS,
        multimask=not single,
        settings=Settings(**only_given(grid=grid, iou=iou, stability=stability, overlap=overlap, min_area=min_area)),
        progress=_tell,
    )
    records = []
    for one in found:
        records.append(one.record)
        if not as_json:
            show([_row(one.record)], as_json=False)
    if as_json:
        json.dump(records, sys.stdout, indent=1)
        print()


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


def _tell(image: str, done: int, steps: int) -> None:
    if not sys.stderr.isatty():
        return
    end = "\n" if done == steps else ""
    print(f"\r{image}: {done} of {steps}", end=end, file=sys.stderr, flush=True)
