"""`sightline serve`: the local page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np

    from sightline.models.promptable import ImageState, PromptEngine
    from sightline.web import Found, Question


def serve(
    target: str,
    /,
    *,
    host: Annotated[str, Parameter(help="Address to listen on; this machine alone by default.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="0 takes a free one.")] = 0,
    allow_host: Annotated[
        tuple[str, ...], Parameter(negative="", help="A further host name to answer to; may be repeated.")
    ] = (),
    no_open: Annotated[bool, Parameter(name="--no-open", negative="", help="Do not open the browser.")] = False,
    engine: Annotated[str, Parameter(help="What segments: grabcut, sam2, and others.")] = "grabcut",
    model: Annotated[str | None, Parameter(help="The engine's weights, a hub id or a folder.")] = None,
    device: str = "auto",
    data: Annotated[str | None, Parameter(help="Where an embedding's pictures are, if not where it says.")] = None,
    max_upload_mb: Annotated[float, Parameter(help="Of one uploaded file.")] = 64,
    max_megapixels: Annotated[float, Parameter(help="Of one picture.")] = 40,
    memory_mb: Annotated[float, Parameter(help="For open pictures; the least used are let go.")] = 1024,
    session_hours: Annotated[float, Parameter(help="Without a request, after which a browser must sign in again.")] = 8,
) -> None:
    """Open the local page: segment by clicking, embedding maps, mask progress, reports. Ctrl-C stops it.

    The printed address holds a secret token; nothing leaves this machine.

    Example: sightline serve demo

    Parameters
    ----------
    target
        demo; a study, run or embed folder; a folder of pictures, or one picture.
    device
        auto, cpu, cuda or mps.
    """
    from dataclasses import replace

    from sightline.errors import ConfigError
    from sightline.web import Settings, serve
    from sightline.web.opening import open_site
    from sightline.web.settings import MEGA

    limits = {"max-upload-mb": max_upload_mb, "max-megapixels": max_megapixels, "memory-mb": memory_mb}
    for name, value in (limits | {"session-hours": session_hours}).items():
        if not value > 0:
            raise ConfigError(f"--{name} {value:g}: must be above 0")
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port}: expected 1 to 65535, or 0 for a free one")
    site = open_site(target, data)
    settings = replace(
        Settings(),
        max_upload_bytes=round(max_upload_mb * MEGA),
        max_pixels=round(max_megapixels * 1e6),
        state_bytes=round(memory_mb * MEGA),
        session_seconds=session_hours * 3600,
    )

    def make() -> _Live:
        from sightline.models.promptable import build_engine

        return _Live(build_engine(engine, model, device))

    ready = make() if site.first == "segment" else None  # what is wrong with an engine is told before the page opens
    serve(
        site,
        make if ready is None else lambda: ready,
        host=host,
        port=port,
        open_browser=not no_open,
        allow_hosts=allow_host,
        settings=settings,
    )


class _Live:
    """A prompt engine as the page asks it."""

    def __init__(self, engine: PromptEngine) -> None:
        self._engine = engine
        self.name, self.model, self.device = engine.name, engine.model_id, engine.device
        self.accepts = engine.accepts
        everything = self._everything if "points" in engine.accepts else None
        self.everything: Callable[[Any], Iterable[tuple[np.ndarray, float]]] | None = everything

    def encode(self, pixels: np.ndarray) -> ImageState:
        return self._engine.set_image(pixels)

    def predict(self, state: Any, question: Question, *, multimask: bool) -> Found:
        from sightline.models.promptable import Prompts
        from sightline.web import Found

        prompts = Prompts(question.points, question.box, question.text, question.mask_input)
        answer = self._engine.predict(state, prompts, multimask=multimask)
        return Found(answer.masks, answer.scores, answer.low_res)

    def _everything(self, state: Any) -> Iterator[tuple[np.ndarray, float]]:
        from sightline.models.promptable.everything import everything

        for region in everything(self._engine, state):
            yield region.mask(), region.score
