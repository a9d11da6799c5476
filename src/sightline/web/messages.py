"""The messages that a browser may send, checked before anything is done."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError
from starlette.requests import Request

from sightline.config.base import Frozen, describe
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
    """An object: its class by index, and its run lengths."""

    label: Annotated[int, Field(ge=0, le=254)]
    counts: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=4_000_000)]


class Export(Frozen):
    """Objects to write to a file."""

    format: Literal["palette", "coco", "geojson", "polygons"]
    classes: Annotated[tuple[ExportClass, ...], Field(min_length=1, max_length=255)]
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
