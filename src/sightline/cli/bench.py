"""`sightline bench`: how fast this machine does what Sightline is made for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from sightline.cli.common import Json, show
from sightline.cli.flags import Device, description
from sightline.config import RunConfig, SegmentConfig, types

if TYPE_CHECKING:
    from sightline.bench.page import Page

app = App(
    name="bench",
    help="Time the parts on this machine; benchmarks/ in the source tree sets them beside their peers.\n\n"
    "Example: sightline bench views",
)

Write = Annotated[
    Path | None, Parameter(name="--write", help="File to write a page to, for example docs/benchmarks/X.md.")
]
Precision = Annotated[types.Precision, Parameter(help=description(RunConfig, "precision"))]


@app.command
def views(*, seconds: float = 1.0, repeats: int = 3, write: Write = None, as_json: Json = False) -> None:
    """Time the multi-crop over sizes of source, numbers of crops, batches and workers.

    Example: sightline bench views

    Parameters
    ----------
    seconds
        Length of one timed repeat, in seconds.
    repeats
        Timed repeats, of which the median counts.
    """
    from sightline.bench.views import page

    _output(page(seconds=seconds, repeats=repeats), write, as_json=as_json)


@app.command
def step(
    *,
    steps: int = 20,
    batch: int = 64,
    precision: Precision = "auto",
    device: Device = "auto",
    workers: int | None = None,
    write: Write = None,
    as_json: Json = False,
) -> None:
    """Time whole DINO steps, data included: ResNet-18, 2×64 + 6×32 px, 4096 prototypes; and where the time goes.

    Example: sightline bench step

    Parameters
    ----------
    steps
        Timed steps, which come after a few warm-up steps.
    batch
        Images a step.
    workers
        Threads that make views beside the step; by default what a run takes, none on a CPU.
    """
    from sightline.bench.step import run

    _output(run(steps, batch, precision, device, workers), write, as_json=as_json)


@app.command
def transfer(
    data: str = "demo", *, seeds: int = 3, epochs: int = 25, write: Write = None, as_json: Json = False
) -> None:
    """Time a frozen setting with cached features against running the backbone every epoch.

    Example: sightline bench transfer

    Parameters
    ----------
    data
        Labelled pictures: the demo's, class folders or a CSV.
    seeds
        Runs of each kind, one a seed.
    epochs
        Epochs of each run.
    """
    from sightline.bench.transfer import run

    _output(run(seeds, epochs, data), write, as_json=as_json)


@app.command
def segment(
    *,
    steps: int = 10,
    batch: int = 8,
    model: Annotated[str, Parameter(help=description(SegmentConfig, "model"))] = "unet",
    precision: Precision = "auto",
    device: Device = "auto",
    write: Write = None,
    as_json: Json = False,
) -> None:
    """Time whole segmentation steps, data included: ResNet-18 encoder, crops of 256 px; and where the time goes.

    Example: sightline bench segment

    Parameters
    ----------
    steps
        Timed steps, which come after a few warm-up steps.
    batch
        Crops a step.
    """
    from sightline.bench.segment import run

    _output(run(steps, batch, model, precision, device), write, as_json=as_json)


def _output(page: Page, write: Path | None, *, as_json: bool) -> None:
    """Print a page's tables and facts, or its JSON, and write it where asked to."""
    from sightline.bench.page import write as write_page

    if write:
        write_page(page, write)
    if as_json:
        show([page.to_dict()], as_json=True)
        return
    for heading, rows in page.tables.items():
        show(rows, as_json=False, title=heading)
    show([{"fact": name, "": value} for name, value in page.facts.items()], as_json=False)
