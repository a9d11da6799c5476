"""`sightline export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sightline.cli.common import Json, say_weights, show
from sightline.cli.ending import end, say
from sightline.config.types import ExportFormat


def export(
    run: Path,
    /,
    *,
    format: Annotated[ExportFormat, Parameter(name="--format", help="Format to write.")],
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
    from sightline.runs import RunFolder
    from sightline.runs.verbs import export_target, function_of

    folder = RunFolder.open(run)
    target = export_target(folder, format, out)
    written = function_of(folder, "export")(folder, format, target)
    say_weights(run)
    row = {"largest difference": written.max_difference, "largest output": written.largest}
    if as_json:
        show([{"wrote": str(written.path), **row, "open with": written.open_with}], as_json=True)
        return
    say(
        f"Checked: outputs there differ from PyTorch's by {written.max_difference:.2g} at most; the largest is "
        f"{written.largest:.3g}."
    )
    end({"written": written.path, "open with": written.open_with})
