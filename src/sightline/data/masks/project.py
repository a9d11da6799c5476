"""A project of annotations: the folder in which the page keeps one's work, and which `segment` reads.

    PROJECT/
      project.json                 version, where the pictures are, classes with value, name and color
      objects/PICTURE.json         of each picture that was touched: its state, its objects, the clicks that made them
      masks/PICTURE.png            the same as class values, without loss, the colors of the classes as palette
      .lock                        held by the server that writes here

PICTURE is the picture's path below the folder of the pictures, its suffix included. `objects/` is the truth, each file
written whole or not at all; `masks/` follows it, and a mask whose revision is not its picture's is written again when
the project is next opened. In a mask 0 is background, 255 unlabelled, and every other value a class. What lies under no
object is background in a picture that is done, and unlabelled in one that is only begun: nobody has said yet what is
there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from PIL import Image, ImageColor
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sightline.config import IGNORE_INDEX
from sightline.data.images.decode import MAX_PIXELS
from sightline.data.masks.formats import palette_png
from sightline.data.masks.palette import Palette
from sightline.data.masks.planes import CHUNK
from sightline.errors import DataError
from sightline.files import write_bytes, write_json
from sightline.run_lengths import from_run_lengths, runs_of

PROJECT, OBJECTS, MASKS = "project.json", "objects", "masks"
FORMAT, VERSION = "sightline-project", 1
BACKGROUND, UNLABELLED = 0, IGNORE_INDEX
MOST_CLASSES = UNLABELLED - 1
UNLABELLED_COLOR = (117, 128, 143)  # of viewers; the page draws it so too
REVISION = "sightline.revision"  # text chunk of a mask

State = Literal["untouched", "begun", "done", "skipped"]
Value = Annotated[int, Field(ge=BACKGROUND, le=UNLABELLED)]
Content = TypeVar("Content", bound="_Stored")


class _Stored(BaseModel):
    """What is kept as JSON; keys that this version does not know are passed over, for files gain keys."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ProjectClass(_Stored):
    """A class: its value in the masks, its name, its color "#rrggbb"."""

    value: Annotated[int, Field(ge=1, le=MOST_CLASSES)]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Its color, 0–255."""
        red, green, blue = ImageColor.getrgb(self.color)[:3]
        return red, green, blue


class Rle(_Stored):
    """A mask as COCO's compressed run lengths: height and width, and the runs down the columns as text."""

    size: tuple[int, int]
    counts: str

    @property
    def mask(self) -> np.ndarray:
        """Bool (H, W).

        Raises:
            DataError: runs that do not fill it.
        """
        return from_run_lengths(runs_of(self.model_dump()), *self.size)


class ProjectObject(_Stored):
    """One object of a picture.

    Attributes:
        id: unique in its picture.
        value: of its class; 0 is background, 255 unlabelled.
        mask: its pixels.
        score: of the engine's proposal, None where a person drew it.
        points: (x, y, 1 inside or 0 outside) that it was clicked with; the picture's upper left corner is (0, 0).
        box: x0, y0, x1, y1 that was drawn around it.
        text: words that it was asked for with.
        polygon: (x, y) of its corners, where it was drawn as a polygon.
    """

    id: Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
    value: Value
    mask: Rle
    score: float | None = None
    points: tuple[tuple[float, float, int], ...] = ()
    box: tuple[float, float, float, float] | None = None
    text: str = ""
    polygon: tuple[tuple[float, float], ...] = ()


class PictureWork(_Stored):
    """What was done to one picture.

    Attributes:
        version: of this form.
        picture: its path below the folder of the pictures.
        width: in pixels.
        height: likewise.
        state: how far it is.
        revision: grows with each change.
        objects: in the order in which they lie, the last on top.
    """

    version: int = VERSION
    picture: str
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    state: State = "untouched"
    revision: int = 0
    objects: tuple[ProjectObject, ...] = ()

    def index(self) -> np.ndarray:
        """Return class values, uint8 (H, W).

        Raises:
            DataError: a mask that is not of the picture's size, or a size that no picture has.
        """
        if self.height * self.width > MAX_PIXELS:
            raise DataError(f"{self.picture}: {self.height * self.width:,} pixels, over the limit of {MAX_PIXELS:,}")
        rest = BACKGROUND if self.state == "done" else UNLABELLED
        index = np.full((self.height, self.width), rest, np.uint8)
        for item in self.objects:
            if item.mask.size != index.shape:
                raise DataError(f"{self.picture}: object {item.id} is of another size; it was drawn on another picture")
            index[item.mask.mask] = item.value
        return index


class ProjectSettings(_Stored):
    """The file of a project as a whole.

    Attributes:
        format: says that it is one.
        version: of this form.
        pictures: the folder of the pictures, from the project's own folder.
        classes: in the order in which they were made; a value is never given twice.
    """

    format: Literal["sightline-project"] = FORMAT
    version: int = VERSION
    pictures: str
    classes: tuple[ProjectClass, ...] = ()

    @property
    def palette(self) -> Palette:
        """The classes as a data set has them: background first."""
        names = {item.name for item in self.classes}
        ground = "background" if "background" not in names else "nothing"
        return Palette(
            (ground, *(item.name for item in self.classes)),
            ((0, 0, 0), *(item.rgb for item in self.classes)),
            indexed=True,
            values=(BACKGROUND, *(item.value for item in self.classes)),
            ignored_values=(UNLABELLED,),
        )


class ProjectFolder:
    """The files of a project.

    Args:
        path: its folder, which need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        """Whether the folder holds a project."""
        return (self.path / PROJECT).is_file()

    @property
    def is_free(self) -> bool:
        """Whether there is nothing there that a new project would be mixed with."""
        return not os.path.lexists(self.path) or (self.path.is_dir() and not any(self.path.iterdir()))

    @property
    def settings(self) -> ProjectSettings:
        """What project.json holds.

        Raises:
            DataError: missing, damaged, or of a later version.
        """
        return _read(self.path / PROJECT, ProjectSettings)

    def write_settings(self, settings: ProjectSettings) -> None:
        """Write project.json."""
        write_json(self.path / PROJECT, settings.model_dump(mode="json"))

    @property
    def pictures(self) -> Path:
        """The folder of the pictures."""
        return Path(os.path.normpath(self.path.absolute() / self.settings.pictures))

    def relative(self, pictures: Path) -> str:
        """Return how project.json names a folder of pictures: from its own folder, so that both can be moved."""
        return Path(os.path.relpath(pictures.absolute(), self.path.absolute())).as_posix()

    def objects_file(self, picture: str) -> Path:
        """Return the JSON file of a picture."""
        return self._below(OBJECTS, picture, ".json")

    def mask_file(self, picture: str) -> Path:
        """Return the mask of a picture."""
        return self._below(MASKS, picture, ".png")

    def work(self, picture: str) -> PictureWork | None:
        """Return what was done to a picture, None where nothing was.

        Raises:
            DataError: its file is damaged.
        """
        path = self.objects_file(picture)
        return _read(path, PictureWork) if path.is_file() else None

    def works(self) -> Iterator[PictureWork]:
        """Yield what was done to each picture, in order of their names.

        Raises:
            DataError: a file is damaged.
        """
        folder = self.path / OBJECTS
        for path in sorted(folder.rglob("*.json")) if folder.is_dir() else ():
            if not path.name.startswith("."):
                yield _read(path, PictureWork)

    def write_work(self, work: PictureWork) -> None:
        """Write the objects of a picture, but not its mask."""
        write_json(self.objects_file(work.picture), work.model_dump(mode="json"))

    def write_mask(self, work: PictureWork, settings: ProjectSettings) -> None:
        """Write the mask of a picture; of one that was only looked at, or skipped, there is none."""
        path = self.mask_file(work.picture)
        if work.state not in ("begun", "done"):
            path.unlink(missing_ok=True)
            return
        colors, names = table(settings.classes)
        chunks = {REVISION: str(work.revision), CHUNK: json.dumps(settings.palette.to_dict())}
        write_bytes(path, palette_png(work.index(), colors, names, optimize=False, chunks=chunks))

    def mask_is_current(self, work: PictureWork) -> bool:
        """Whether the mask of a picture is that of its objects."""
        path = self.mask_file(work.picture)
        if work.state not in ("begun", "done"):
            return not path.is_file()
        try:
            with Image.open(path) as image:
                return image.info.get(REVISION) == str(work.revision)
        except (OSError, SyntaxError, ValueError):  # missing, or damaged in any way
            return False

    def _below(self, folder: str, picture: str, suffix: str) -> Path:
        parts = picture.split("/")
        # Names come from a listing of a folder; this holds even if one day they do not.
        if any(part in ("", ".", "..") or "\0" in part for part in parts) or Path(picture).is_absolute():
            raise DataError(f"{picture!r}: is no path below a folder")
        return self.path.joinpath(folder, *parts[:-1], parts[-1] + suffix)


def table(classes: Iterable[ProjectClass]) -> tuple[np.ndarray, list[str]]:
    """Return colors uint8 (256, 3) and names by value."""
    colors = np.zeros((256, 3), np.uint8)
    colors[UNLABELLED] = UNLABELLED_COLOR
    names = [""] * 256
    names[BACKGROUND], names[UNLABELLED] = "background", "unlabelled"
    for item in classes:
        colors[item.value], names[item.value] = item.rgb, item.name
    return colors, names


def _read(path: Path, kind: type[Content]) -> Content:
    try:
        content: Any = json.loads(path.read_bytes())
        if isinstance(content, dict) and isinstance(content.get("version"), int) and content["version"] > VERSION:
            raise DataError(
                f"{path}: is of version {content['version']}, and this Sightline knows {VERSION}; install a newer one"
            )
        return kind.model_validate(content)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; it was moved or is no project's") from None
    except (ValueError, RecursionError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: is not as Sightline writes it ({reason}); bring it back from a copy") from None
