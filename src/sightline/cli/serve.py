"""`sightline serve`: the local page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sightline.cli.common import PathOrName
from sightline.cli.flags import Device
from sightline.prompts import DEFAULT_ENGINE, ENGINES, engine_named

if TYPE_CHECKING:
    from sightline.prompts import PromptEngine


def serve(
    target: PathOrName,
    /,
    *,
    host: Annotated[str, Parameter(help="Address to listen on; this machine alone by default.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 0,
    allow_host: Annotated[
        tuple[str, ...],
        Parameter(negative="", show_default=False, help="A further host name to answer to; may be repeated."),
    ] = (),
    no_open: Annotated[
        bool, Parameter(name="--no-open", negative="", show_default=False, help="Do not open the browser.")
    ] = False,
    engine: Annotated[str, Parameter(help=f"The engine that segments: {', '.join(ENGINES)}.")] = DEFAULT_ENGINE,
    model: Annotated[PathOrName | None, Parameter(help="The engine's weights, a hub id or a path.")] = None,
    device: Device = "auto",
    masks: Annotated[
        Path | None,
        Parameter(
            help="Masks or annotations that exist already, in any layout that segment reads, to go on from; pictures "
            "that were worked on in the project stay as they are."
        ),
    ] = None,
    predictions: Annotated[
        Path | None, Parameter(help="The run of a segmenter that draws masks first, to be corrected; likewise.")
    ] = None,
    data: Annotated[
        PathOrName | None, Parameter(help="The folder of an embedding's pictures, if they were moved.")
    ] = None,
    project: Annotated[
        Path | None,
        Parameter(
            help="The folder in which the work on the pictures is kept; by default beside them, as NAME-project."
        ),
    ] = None,
    classes: Annotated[
        str | None,
        Parameter(help="Classes to begin with: a palette file, the run of a segmenter, or another project."),
    ] = None,
    max_upload_mb: Annotated[float, Parameter(help="Largest file that may be uploaded.")] = 64,
    max_megapixels: Annotated[float, Parameter(help="Largest picture that is opened.")] = 40,
    memory_mb: Annotated[
        float, Parameter(help="Memory for decoded images; the least recently used are dropped.")
    ] = 1024,
    session_hours: Annotated[
        float, Parameter(help="Hours without a request after which a browser must sign in again.")
    ] = 8,
) -> None:
    """Open the local page: segment by clicking, embedding maps, mask progress, reports. Ctrl-C stops it.

    The printed address holds a secret token; nothing leaves this machine.

    What is kept of pictures goes into a project folder at once, which `sightline segment` reads as it is.

    Example: sightline serve photos/

    Parameters
    ----------
    target
        demo; a study, run or embed folder; a project; a folder of pictures, or one picture.
    """
    import sys
    from dataclasses import replace

    from sightline.errors import ConfigError

    limits = {"max-upload-mb": max_upload_mb, "max-megapixels": max_megapixels, "memory-mb": memory_mb}
    for name, value in (limits | {"session-hours": session_hours}).items():
        if not value > 0:
            raise ConfigError(f"--{name} {value:g}: must be above 0")
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port}: expected 1 to 65535, or 0 for a free one")
    engine_named(engine)
    from sightline.web import Settings, serve
    from sightline.web.opening import Keeping, open_site
    from sightline.web.settings import MEGA

    def predict(run: Path, pictures: Path, drawn: Path) -> None:
        from sightline.cli.common import say_weights
        from sightline.tasks.segment import Options, predict_masks

        predict_masks(run, pictures, drawn, Options(masks="palette"), device=device)
        say_weights(run)

    site = open_site(target, data, Keeping(project, classes, masks, predictions, predict))
    settings = replace(
        Settings(),
        max_upload_bytes=round(max_upload_mb * MEGA),
        max_pixels=round(max_megapixels * 1e6),
        state_bytes=round(memory_mb * MEGA),
        session_seconds=session_hours * 3600,
    )

    def make() -> PromptEngine:
        from sightline.prompts import build_engine

        return build_engine(engine, model, device)

    if site.keeper is not None:
        print(f"What is kept goes into {site.keeper.folder.path}", file=sys.stderr)
    try:
        # What is wrong with an engine is told before the page opens.
        ready = make() if site.first == "segment" else None
        serve(
            site,
            make if ready is None else lambda: ready,
            host=host,
            port=port,
            open_browser=not no_open,
            allow_hosts=allow_host,
            settings=settings,
        )
    finally:
        if site.keeper is not None:
            site.keeper.close()
