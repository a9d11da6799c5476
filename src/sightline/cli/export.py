"""`sightline export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from sightline.cli.common import Json, show

if TYPE_CHECKING:
    from sightline.runs import RunFolder

Format = Literal["onnx", "timm", "hf", "smp"]
FORMATS = {  # by the kind that model.json says
    "backbone": ("onnx", "timm", "hf"),
    "classifier": ("onnx", "timm", "hf"),
    "segmenter": ("onnx", "smp", "hf"),
}


def export(
    run: Path,
    /,
    *,
    format: Annotated[Format, Parameter(name="--format", help="Format to write.")],
    out: Annotated[
        Path | None, Parameter(name="--out", help="File (onnx) or folder to write; RUN/export/FORMAT by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a trained network for other programs, after checking that it gives the same there.

    onnx is one file, run by ONNX Runtime (extra `export`). timm and hf are a folder with timm's tensor names, for
    timm.create_model("local-dir:FOLDER") and transformers. smp is a segmenter's folder, for
    segmentation_models_pytorch.from_pretrained; hf is the same there.

    Example: sightline export runs/a --format onnx --out a.onnx

    Parameters
    ----------
    run
        Folder of a finished pretrain, classify or segment run.
    """
    from sightline.errors import ConfigError
    from sightline.models.weights import read_description
    from sightline.runs import RunFolder

    folder = RunFolder.open(run)
    kind = read_description(folder)["kind"]
    if format not in FORMATS[kind]:
        raise ConfigError(f"--format {format}: {run} holds a {kind}, which is exported as {', '.join(FORMATS[kind])}")
    target = out or folder.path / "export" / (f"{format}.onnx" if format == "onnx" else format)
    row = _segmenter(run, format, target) if kind == "segmenter" else _network(folder, format, target)
    show([{"wrote": str(target), **row}], as_json=as_json, title="export")


def _segmenter(run: Path, format: Format, target: Path) -> dict[str, object]:
    from sightline.models.segmentation import export_library, export_onnx, load_segmenter

    segmenter = load_segmenter(run).segmenter
    if format == "onnx":
        written = export_onnx(segmenter, target)
        open_with = f'onnxruntime.InferenceSession("{target}")'
    else:
        written = export_library(segmenter, target)
        open_with = f'segmentation_models_pytorch.from_pretrained("{target}")'
    return _row(written.max_difference, written.largest_logit, open_with)


def _network(run: RunFolder, format: Format, target: Path) -> dict[str, object]:
    from sightline.models.export import export_network_onnx, export_timm, export_transformers, load_network

    work = {"onnx": export_network_onnx, "timm": export_timm, "hf": export_transformers}[format]
    written = work(load_network(run), target)
    return _row(written.max_difference, written.largest, written.open_with)


def _row(difference: float, largest: float, open_with: str) -> dict[str, object]:
    return {"largest difference": difference, "largest output": largest, "open with": open_with}
