"""`sightline predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sightline.cli.common import Merge, PartOption, given, say_weights
from sightline.cli.ending import end, end_part, say
from sightline.cli.flags import Device
from sightline.config.types import MaskForm


def predict(
    run: Path,
    source: Path,
    /,
    *,
    out: Annotated[
        Path, Parameter(name="--out", help="CSV to write, id,filename,label; of a segmenter, the folder of masks.")
    ],
    root: Annotated[
        Path | None,
        Parameter(name="--root", help="Folder that the CSV's file names are below; the CSV's own folder by default."),
    ] = None,
    tta: Annotated[
        bool,
        Parameter(
            name="--tta",
            negative="",
            show_default=False,
            help="Average the masks over flips and turns, at 8 times the work; segmenters only.",
        ),
    ] = False,
    probabilities: Annotated[
        bool,
        Parameter(
            name="--probabilities",
            negative="",
            show_default=False,
            help="Write the probabilities too: a column probability:CLASS for each class, behind the others; of a "
            "segmenter NAME.npy, float16 (K, H, W).",
        ),
    ] = False,
    top_k: Annotated[
        int | None,
        Parameter(
            name="--top-k",
            help="Write so many of the most probable labels too, in columns top1,top1_probability,top2 and so on; "
            "classifiers only.",
        ),
    ] = None,
    masks: Annotated[
        MaskForm | None,
        Parameter(
            name="--masks",
            help="Pixels of the masks: rgb (colors), index (values), or palette (values with a table of colors); by "
            "default colors or values, as the run's own masks; segmenters only.",
        ),
    ] = None,
    part: PartOption = None,
    merge: Merge = False,
    device: Device = "auto",
) -> None:
    """Name the class of new images with a trained classifier, or draw their masks with a trained segmenter.

    Of millions of images: --part 1/4 to --part 4/4, each a process anywhere, then, of a classifier, --merge.

    Example: sightline predict runs/c test.csv --root test/ --out predictions.csv

    Parameters
    ----------
    run
        Folder of a finished classify or segment run.
    source
        Folder that is searched through, one image, or for a classifier a CSV with columns id,filename.
    """
    from sightline.data.labelled.listing import check_unlabelled
    from sightline.runs import RunFolder
    from sightline.runs.outputs import PartDone
    from sightline.runs.verbs import check_verb, function_of

    options = given(
        root=root, tta=tta or None, probabilities=probabilities or None, top_k=top_k, masks=masks, part=part,
        merge=merge or None,
    )  # fmt: skip
    folder = RunFolder.open(run)
    check_verb(folder, "predict", options)
    check_unlabelled(source)
    predictions = function_of(folder, "predict", options)(run, source, out, device=device)
    say_weights(run)
    if isinstance(predictions, PartDone):
        end_part(predictions)
        return
    say(f"{len(predictions)} {predictions.noun} of {len(predictions.classes)} classes.")
    end({"written": out}, ("evaluate", run, "DATA"), ("report", run))
