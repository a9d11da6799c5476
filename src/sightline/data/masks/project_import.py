"""Masks that exist already, for the pictures of a project: in the layouts that `segment` reads, or by themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from sightline.config import IGNORE_INDEX, SegmentDataConfig
from sightline.data.images.folder import name_below, walk
from sightline.data.masks.census import take_census
from sightline.data.masks.formats import color
from sightline.data.masks.layouts.base import IMAGE_ENDS, MASK_ENDS, Found, Pair, by_category, stripped
from sightline.data.masks.layouts.coco import candidates, coco_of
from sightline.data.masks.layouts.labelme import labelme
from sightline.data.masks.layouts.yolo import yolo
from sightline.data.masks.listing import list_pairs
from sightline.data.masks.load import encode_pair
from sightline.data.masks.meaning import settle
from sightline.data.masks.outlines import georeference
from sightline.data.masks.palette import Palette
from sightline.data.masks.planes import size_of
from sightline.data.masks.project import BACKGROUND, UNLABELLED
from sightline.errors import DataError, NotAvailable

GROUNDS = frozenset({"background", "_background_", "nothing"})
# Parts of a class up to which each is an object of its own; more are specks, and one object is easier to mend.
MOST_PARTS = 40


@dataclass(frozen=True)
class Existing:
    """Masks for pictures.

    Attributes:
        pairs: a picture's path below the folder of the pictures → what is drawn for it.
        palette: classes of what is drawn.
        how: where they were found, in words.
    """

    pairs: Mapping[str, Pair]
    palette: Palette
    how: str

    def parts(self, picture: str) -> list[tuple[str, int, np.ndarray]]:
        """Return (name of the class, value, bool (H, W)) of a picture; value is −1 but of background and unlabelled.

        Laid one upon the other they give the mask back, whatever the state of the picture. Of annotations each object
        is a part, as far as it is seen; of a picture of classes each connected piece is one.

        Raises:
            DataError: a mask that cannot be read, or is not of its picture's size.
        """
        pair = self.pairs[picture]
        classes, _ = encode_pair(pair, self.palette)
        if classes.shape != size_of(pair.image):
            height, width = size_of(pair.image)
            raise DataError(
                f"{pair.mask}: has {classes.shape[1]} × {classes.shape[0]} pixels, and {picture} {width} × {height}"
            )
        owners = None if pair.owners is None else pair.owners()
        parts = []
        for index in np.unique(classes).tolist():
            mask = classes == index
            if index == IGNORE_INDEX:
                parts.append(("", UNLABELLED, mask))
            elif self.palette.classes[index] in GROUNDS:
                parts.append(("", BACKGROUND, mask))
            else:
                several = (
                    _split(mask) if owners is None else [mask & (owners == one) for one in np.unique(owners[mask])]
                )
                parts += [(self.palette.classes[index], -1, part) for part in several]
        return parts


def read_existing(source: Path, root: Path, files: Sequence[Path]) -> Existing:
    """Find masks for pictures.

    Tried in this order: a COCO or GeoJSON file; a folder of GeoJSON files; a data set with images and masks whose
    images are these pictures or are named like them; annotations of COCO, labelme or YOLO without the images; masks
    named like the pictures.

    Args:
        source: a file or a folder.
        root: the folder of the pictures.
        files: the pictures.

    Raises:
        DataError: nothing there that fits a picture.
    """
    if not source.exists():
        raise DataError(f"{source}: no such file or folder; give masks, annotations, or a data set with them")
    ways: list[Callable[[Path, Path, Sequence[Path]], Existing | None]]
    ways = [_geojson, _coco, _data_set, _annotations, _masks]
    refused: list[str] = []
    for way in ways:
        try:
            found = way(source, root, files)
        except DataError as error:
            refused.append(str(error))
            continue
        if found is not None and found.pairs:
            return found
    why = f" ({refused[0]})" if refused else ""
    raise DataError(f"{source}: holds no masks for the pictures in {root}{why}; masks are named as the pictures are")


# -- ways
def _coco(source: Path, root: Path, files: Sequence[Path]) -> Existing | None:
    return _existing(coco_of(str(source), root, files, [source]), root) if source.suffix == ".json" else None


def _data_set(source: Path, root: Path, files: Sequence[Path]) -> Existing | None:
    if not source.is_dir():
        return None
    found = list_pairs(SegmentDataConfig(source=str(source)))
    names = _Names(root, files)
    pairs = {}
    for pair in found.pairs:
        image = next((file for file in files if file.resolve() == pair.image.resolve()), None)
        image = image or names.of(PurePosixPath(pair.id), IMAGE_ENDS)
        if image is not None:
            pairs[name_below(root, image)] = replace(pair, image=image)
    return Existing(pairs, found.palette, found.meaning.how)


def _annotations(source: Path, root: Path, files: Sequence[Path]) -> Existing | None:
    if not source.is_dir():
        return None

    def place(suffix: str, image: Path) -> Path:
        below = image.relative_to(root).with_suffix(suffix)
        return next((path for inner in ("", "labels") if (path := source / inner / below).is_file()), source / below)

    found = (
        coco_of(str(source), root, files, candidates(source))
        or labelme(str(source), root, files, partial(place, ".json"))
        or yolo(str(source), root, files, partial(place, ".txt"), source)
    )
    return _existing(found, root)


def _masks(source: Path, root: Path, files: Sequence[Path]) -> Existing | None:
    masks = list(walk(source, outputs=True).images) if source.is_dir() else [source]
    base = source if source.is_dir() else source.parent
    names = _Names(root, files)
    pairs = {}
    for mask in masks:
        image = names.of(PurePosixPath(name_below(base, mask)), MASK_ENDS)
        if image is not None and image.resolve() != mask.resolve():
            identity = name_below(root, image)
            pairs[identity] = Pair(identity, image, mask)
    if not pairs:
        return None
    meaning = settle(take_census([pair.mask for pair in pairs.values()], name=str(source)), name=str(source))
    return Existing(pairs, meaning.palette, meaning.how)


def _geojson(source: Path, root: Path, files: Sequence[Path]) -> Existing | None:
    jsons = sorted(source.rglob("*.geojson")) if source.is_dir() else [source] * (source.suffix == ".geojson")
    if not jsons:
        return None
    base, names = (source if source.is_dir() else source.parent), _Names(root, files)
    contents: dict[Path, tuple[Path, list[dict]]] = {}
    for path in jsons:
        image = names.of(PurePosixPath(name_below(base, path)), MASK_ENDS)
        if image is not None:
            contents[image] = path, _features(path)
    classes = {}
    for _, features in contents.values():
        for feature in features:
            classes.setdefault(_class_of(feature), (feature.get("properties") or {}).get("color"))
    palette = by_category(str(source), list(classes))
    palette = replace(palette, rgb=((0, 0, 0), *(_rgb(shade) or color(i) for i, shade in enumerate(classes.values()))))
    pairs = {}
    for image, (path, features) in contents.items():
        identity = name_below(root, image)
        values = [list(classes).index(_class_of(feature)) + 1 for feature in features]
        draw = partial(_rasterized, image, features, values, 0, "uint8")
        owners = partial(_rasterized, image, features, list(range(len(features))), -1, "int32")
        pairs[identity] = Pair(identity, image, path, draw=draw, owners=owners)
    return Existing(pairs, palette, "GeoJSON")


# -- parts
def _existing(found: Found | None, root: Path) -> Existing | None:
    if found is None or found.palette is None:
        return None
    return Existing({name_below(root, pair.image): pair for pair in found.pairs}, found.palette, found.how)


class _Names:
    """Pictures by their names: with their folders, else by name alone where only one has it."""

    def __init__(self, root: Path, files: Sequence[Path]) -> None:
        self._by_path: dict[PurePosixPath, Path | None] = {}
        for file in files:
            below = PurePosixPath(name_below(root, file))
            for stem in {below.stem, stripped(below.stem, IMAGE_ENDS)}:
                for start in range(len(below.parts)):
                    key = PurePosixPath(*below.parts[start:-1], stem)
                    self._by_path[key] = file if self._by_path.get(key, file) == file else None

    def of(self, name: PurePosixPath, ends: Sequence[str]) -> Path | None:
        """Return the picture of a name: one folder of it after the other is left out until one picture has it."""
        for stem in (name.stem, stripped(name.stem, ends)):
            for start in range(len(name.parts)):
                found = self._by_path.get(PurePosixPath(*name.parts[start:-1], stem))
                if found is not None:
                    return found
        return None


def _split(mask: np.ndarray) -> list[np.ndarray]:
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return [mask] if count - 1 > MOST_PARTS else [labels == part for part in range(1, count)]


def _features(path: Path) -> list[dict]:
    try:
        features = json.loads(path.read_bytes())["features"]
        whole = all(isinstance(f, dict) and isinstance(f.get("geometry"), dict | None) for f in features)
    except (ValueError, KeyError, TypeError, RecursionError):
        features, whole = [], False
    if not whole:
        raise DataError(f"{path}: is no FeatureCollection of GeoJSON; export it again")
    return features


def _class_of(feature: dict) -> str:
    return str((feature.get("properties") or {}).get("class") or "object")


def _rasterized(image: Path, features: list[dict], values: list[int], fill: int, dtype: str) -> np.ndarray:
    """Return the values of features in longitude and latitude, (H, W), `fill` where none is; the last lies on top."""
    try:
        from rasterio.features import rasterize
        from rasterio.warp import transform_geom
    except ImportError:
        raise NotAvailable("GeoJSON needs rasterio: install sightline[geo]") from None
    crs, transform, size = georeference(image)
    shapes = [
        (transform_geom("EPSG:4326", crs, feature["geometry"]), value)
        for feature, value in zip(features, values, strict=True)
        if feature.get("geometry")
    ]
    if not shapes:
        return np.full(size, fill, dtype)
    try:
        return rasterize(shapes, out_shape=size, transform=transform, fill=fill, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise DataError(f"{image}: its GeoJSON has a shape that is no polygon ({error})") from None


def _rgb(shade: object) -> tuple[int, int, int] | None:
    if not isinstance(shade, str) or len(shade) != 7:
        return None
    try:
        return int(shade[1:3], 16), int(shade[3:5], 16), int(shade[5:7], 16)
    except ValueError:
        return None
