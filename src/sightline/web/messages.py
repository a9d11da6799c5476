"""The messages that a browser may send, checked before anything is done."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError
from starlette.requests import Request

from sightline.config.base import Frozen, describe
from sightline.web.masks import BACKGROUND, UNLABELLED
from sightline.web.problem import Problem

Message = TypeVar("Message", bound=Frozen)
Coordinate = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
LONGEST = 500  # characters of a complaint: it quotes what was sent
Name = Annotated[str, Field(min_length=1, max_length=80)]


class Ask(Frozen):
    """A question about a picture.

    Coordinates are those of a drawing: the picture's upper left corner is (0, 0), its first pixel's centre (½, ½).

    Attributes:
        points: (x, y, 1 inside or 0 outside).
        box: x0, y0, x1, y1.
        text: words.
        multimask: whether several proposals are wanted.
        refine: a mask of the last answer to go on from.
    """

    points: Annotated[tuple[tuple[Coordinate, Coordinate, Literal[0, 1]], ...], Field(max_length=200)] = ()
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    text: Annotated[str, Field(max_length=300)] = ""
    multimask: bool = True
    refine: Annotated[int, Field(ge=0, le=64)] | None = None


class ExportClass(Frozen):
    """A class and its color."""

    name: Name
    color: Color


class ExportObject(Frozen):
    """An object: its class by index, −1 for background, 254 for unlabelled; and its run lengths."""

    label: Annotated[int, Field(ge=BACKGROUND, le=UNLABELLED)]
    counts: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=4_000_000)]


class SavedObject(Frozen):
    """An object to keep in the project; see `data.masks.project.ProjectObject`.

    Attributes:
        counts: its run lengths, the first of zeros.
    """

    id: Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
    value: Annotated[int, Field(ge=0, le=255)]
    counts: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=4_000_000)]
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    points: Annotated[tuple[tuple[Coordinate, Coordinate, Literal[0, 1]], ...], Field(max_length=200)] = ()
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    text: Annotated[str, Field(max_length=300)] = ""
    polygon: Annotated[tuple[tuple[Coordinate, Coordinate], ...], Field(max_length=5000)] = ()


Key = Annotated[str, Field(max_length=64)]


class Change(Frozen):
    """A change of a picture's objects.

    Attributes:
        since: revision that the page knows; where it is an older one, the answer has all objects.
        put: objects that are new or other than before.
        drop: ids of objects that are no more.
        order: ids of all objects of the page, the last on top.
        state: how far the picture is, where the person said it.
    """

    since: Annotated[int, Field(ge=0)] = 0
    put: Annotated[tuple[SavedObject, ...], Field(max_length=5000)] = ()
    drop: Annotated[tuple[Key, ...], Field(max_length=5000)] = ()
    order: Annotated[tuple[Key, ...], Field(max_length=10_000)] = ()
    state: Literal["untouched", "begun", "done", "skipped"] | None = None


class SavedClass(Frozen):
    """A class of the project: one of no value is new.

    Attributes:
        color: none takes one that no class has.
    """

    value: Annotated[int, Field(ge=1, le=254)] | None = None
    name: Name
    color: Color | None = None


class Export(Frozen):
    """Objects to write to a file."""

    format: Literal["palette", "coco", "geojson", "polygons"]
    classes: Annotated[tuple[ExportClass, ...], Field(min_length=1, max_length=UNLABELLED)]
    objects: Annotated[tuple[ExportObject, ...], Field(min_length=1, max_length=2000)]


async def read(request: Request, kind: type[Message], limit: int) -> Message:
    """Return the body of a request as a message.

    Raises:
        Problem: too long, no JSON, or a value that breaks a rule.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Problem(413, f"The request is over the limit of {limit:,} bytes.")
    try:
        # In a thread: the masks of an export take a second or two to read, in which others go on.
        return await asyncio.to_thread(kind.model_validate_json, bytes(body))
    except ValidationError as error:
        raise Problem(400, describe(kind, error, "the request")[:LONGEST]) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Problem(400, f"The request is no JSON: {error}") from None
