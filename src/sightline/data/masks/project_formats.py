"""A project in the formats of other programs, and back: each is one function here and one line in `PROJECT_FORMATS`.

Every format holds what is seen: where objects overlap, the pixel belongs to the one on top, so that all formats say the
same of each pixel. Files are named after the pictures, below the same folders, and so that `segment` reads them where
the pictures are.
"""

from __future__ import annotations

import base64
import io
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from sightline.data.images.decode import open_image
from sightline.data.images.geotiff import is_geotiff, write_raster
from sightline.data.masks import outlines
from sightline.data.masks.forms import Form
from sightline.data.masks.layouts.labelme import BACKGROUND as LABELME_BACKGROUND
from sightline.data.masks.layouts.labelme import IGNORED as LABELME_IGNORED
from sightline.data.masks.project import (
    BACKGROUND,
    UNLABELLED,
    PictureWork,
    ProjectClass,
    ProjectFolder,
    ProjectSettings,
)
from sightline.errors import DataError
from sightline.files import json_text
from sightline.run_lengths import box_of, encode_rle

File = tuple[str, bytes]


@dataclass(frozen=True)
class Seen:
    """One object as it is seen: its class value, its identity, and where it lies on top, bool (H, W)."""

    id: str
    value: int
    mask: np.ndarray


@dataclass(frozen=True)
class Marked:
    """A picture of a project that was begun or done.

    Attributes:
        work: on it.
        file: its own.
        shared: whether another picture has its name but for the suffix.
    """

    work: PictureWork
    file: Path
    shared: bool = False

    @property
    def name(self) -> str:
        """Its path below the folder of the pictures."""
        return self.work.picture

    def named(self, suffix: str) -> str:
        """The same with another suffix; with both, where the name alone would not tell it from another's."""
        return self.name + suffix if self.shared else PurePosixPath(self.name).with_suffix(suffix).as_posix()

    def objects(self) -> list[Seen]:
        """Return its objects as they are seen, those that are wholly covered left out."""
        top = np.full((self.work.height, self.work.width), -1, np.int32)
        for number, item in enumerate(self.work.objects):
            top[item.mask.mask] = number
        numbers = np.unique(top[top >= 0]).tolist()
        return [Seen(self.work.objects[n].id, self.work.objects[n].value, top == n) for n in numbers]


Writer = Callable[[ProjectSettings, Sequence[Marked]], Iterator[File]]


def export_project(folder: ProjectFolder, name: str) -> Iterator[File]:
    """Yield the files (path, content) of a project in a format of `PROJECT_FORMATS`, a picture at a time.

    Raises:
        DataError: no picture is begun or done; or none has a georeference, where the format needs one.
    """
    settings, pictures = folder.settings, folder.pictures
    works = [work for work in folder.works() if work.state in ("begun", "done")]
    stems = Counter(PurePosixPath(work.picture).with_suffix("") for work in works)
    marked = [
        Marked(work, pictures / work.picture, stems[PurePosixPath(work.picture).with_suffix("")] > 1) for work in works
    ]
    if not marked:
        raise DataError("No picture of this project is begun or done, so there is nothing to export yet.")
    yield from PROJECT_FORMATS[name](settings, marked)


# -- masks
def _png(form: str, settings: ProjectSettings, marked: Sequence[Marked]) -> Iterator[File]:
    palette = settings.palette
    written = Form.of(palette, "palette" if form == "palette" else "index")
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "mask.png"
        for picture in marked:
            written.save(target, palette.encode(picture.work.index())[0])
            yield f"masks/{picture.named('.png')}", target.read_bytes()
    yield "classes.json", _json(dict(zip(palette.classes, palette.values, strict=True)))


def _geotiff(settings: ProjectSettings, marked: Sequence[Marked]) -> Iterator[File]:
    palette = settings.palette
    form = Form.of(palette, "palette")
    placed = list(_placed(marked))
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "mask.tif"
        for picture, georeference in placed:
            size = (picture.work.height, picture.work.width)
            indices = palette.encode(picture.work.index())[0]
            with write_raster(target, *size, georeference, **form.raster(), nodata=form.nodata) as writer:
                writer.append(form.pixels(indices), indices != UNLABELLED)
            yield f"masks/{picture.named('.tif')}", target.read_bytes()


def _placed(marked: Sequence[Marked]) -> Iterator[tuple[Marked, dict[str, Any]]]:
    """Yield the pictures that have a georeference, and it.

    Raises:
        DataError: none has one.
    """
    none = True
    for picture in marked:
        if not is_geotiff(picture.file):
            continue
        with open_image(picture.file) as raster:
            if raster.georeference.get("crs") and (raster.height, raster.width) == (
                picture.work.height,
                picture.work.width,
            ):
                none = False
                yield picture, raster.georeference
    if none:
        raise DataError("No picture of this project has a georeference; take COCO, labelme or PNG.")


# -- objects
def _coco(polygons: bool, settings: ProjectSettings, marked: Sequence[Marked]) -> Iterator[File]:
    images, annotations = [], []
    for number, picture in enumerate(marked, start=1):
        size = {"height": picture.work.height, "width": picture.work.width}
        images.append({"id": number, "file_name": picture.name, **size})
        for item in _of_classes(picture):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": item.value,
                    "iscrowd": 0,
                    "area": int(item.mask.sum()),
                    "bbox": list(box_of(item.mask)),
                    "segmentation": (_polygons(item.mask) if polygons else None) or encode_rle(item.mask),
                }
            )
    categories = [{"id": item.value, "name": item.name, "color": item.color} for item in settings.classes]
    content = {"info": {"description": "Masks made with Sightline"}, "images": images, "categories": categories}
    yield "annotations.json", _json(content | {"annotations": annotations})


def _yolo(settings: ProjectSettings, marked: Sequence[Marked]) -> Iterator[File]:
    place = {item.value: i for i, item in enumerate(settings.classes)}
    for picture in marked:
        size = np.array([picture.work.width, picture.work.height])
        lines = []
        for item in _of_classes(picture):
            for rings in outlines.polygons(item.mask):
                corners = (np.array(_keyhole(rings)) / size).ravel()
                lines.append(" ".join([str(place[item.value]), *(f"{value:.9g}" for value in corners)]))
        yield f"labels/{picture.named('.txt')}", ("\n".join(lines) + "\n" if lines else "").encode()
    names = [item.name for item in settings.classes]
    yield "data.yaml", _json({"path": ".", "train": "images", "val": "images", "names": names})


def _labelme(settings: ProjectSettings, marked: Sequence[Marked]) -> Iterator[File]:
    names = {item.value: item.name for item in settings.classes}
    names |= {BACKGROUND: LABELME_BACKGROUND, UNLABELLED: LABELME_IGNORED}
    for picture in marked:
        objects = picture.objects()
        if picture.work.state != "done":
            # What nobody has looked at is no background.
            covered = np.logical_or.reduce([item.mask for item in objects]) if objects else np.zeros((1, 1), bool)
            rest = np.broadcast_to(~covered, (picture.work.height, picture.work.width))
            objects = [Seen("rest", UNLABELLED, rest), *objects]
        shapes = [shape for number, item in enumerate(objects) for shape in _shapes(names[item.value], number, item)]
        content = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": PurePosixPath(picture.name).name,
            "imageData": None,
            "imageHeight": picture.work.height,
            "imageWidth": picture.work.width,
        }
        yield picture.named(".json"), _json(content)


def _shapes(label: str, group: int, item: Seen) -> Iterator[dict[str, Any]]:
    if not item.mask.any():
        return
    shape = {"label": label, "group_id": group, "description": "", "flags": {}}
    polygons = _polygons(item.mask)
    if polygons is not None:
        for flat in polygons:
            points = np.array(flat, float).reshape(-1, 2).tolist()
            yield shape | {"shape_type": "polygon", "points": points, "mask": None}
        return
    # A polygon of labelme's has no holes; its masks have.
    x, y, width, height = box_of(item.mask)
    buffer = io.BytesIO()
    Image.fromarray(item.mask[y : y + height, x : x + width].astype(np.uint8) * np.uint8(255)).save(buffer, "PNG")
    corners = [[float(x), float(y)], [float(x + width - 1), float(y + height - 1)]]
    content = base64.b64encode(buffer.getvalue()).decode()
    yield shape | {"shape_type": "mask", "points": corners, "mask": content}


def _geojson(settings: ProjectSettings, marked: Sequence[Marked]) -> Iterator[File]:
    classes = {item.value: item for item in settings.classes}
    for picture, _ in _placed(marked):
        objects = ((item.mask, _properties(classes[item.value], item)) for item in _of_classes(picture))
        yield picture.named(".geojson"), _json(outlines.geojson(picture.file, objects))


def _properties(known: ProjectClass, item: Seen) -> dict[str, Any]:
    return {"class": known.name, "color": known.color, "id": item.id, "area_pixels": int(item.mask.sum())}


# -- parts
def _of_classes(picture: Marked) -> Iterable[Seen]:
    return (item for item in picture.objects() if item.value not in (BACKGROUND, UNLABELLED))


def _polygons(mask: np.ndarray) -> list[list[int]] | None:
    """Return a mask as flat polygons, along pixel edges; None where one has a hole, which such polygons cannot."""
    parts = outlines.polygons(mask)
    if any(len(rings) > 1 for rings in parts):
        return None
    return [[value for point in rings[0][:-1] for value in point] for rings in parts]


def _keyhole(rings: Sequence[outlines.Ring]) -> list[list[int]]:
    """Return one closed way around a polygon and its holes, in and out on the shortest cut to each."""
    way = [list(point) for point in rings[0][:-1]]
    for hole in rings[1:]:
        inner = [list(point) for point in hole[:-1]]
        far = np.abs(np.array(way)[:, None] - np.array(inner)[None]).sum(axis=2)
        at, start = np.unravel_index(far.argmin(), far.shape)
        way = [*way[: at + 1], *inner[start:], *inner[: start + 1], *way[at:]]
    return way


def _json(content: Any) -> bytes:
    return (json_text(content, indent=1) + "\n").encode()


PROJECT_FORMATS: dict[str, Writer] = {
    "index": partial(_png, "index"),
    "palette": partial(_png, "palette"),
    "coco": partial(_coco, False),
    "coco-polygons": partial(_coco, True),
    "yolo": _yolo,
    "labelme": _labelme,
    "geojson": _geojson,
    "geotiff": _geotiff,
}
