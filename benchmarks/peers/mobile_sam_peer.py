"""MobileSAM by its authors' code.

    python mobile_sam_peer.py shapes FOLDER     writes shapes.json: the shape of each tensor of a published file
    python mobile_sam_peer.py answers FOLDER    writes answers.npz: low_res, masks and scores, by IMAGE/NUMBER/WHAT

For its answers FOLDER holds mobile_sam.pt, images.npz (uint8 (H, W, 3) by name) and questions.json (by image name, a
list of {point_coords, point_labels, box, multimask}).
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")
from mobile_sam import SamPredictor  # noqa: E402
from mobile_sam.build_sam import build_sam_vit_t  # noqa: E402


def answer(folder: Path) -> None:
    model = build_sam_vit_t(folder / "mobile_sam.pt")
    # Its attention copies its biases when it is told to evaluate, which was before the weights were loaded.
    predictor = SamPredictor(model.eval())
    questions, answers = json.loads((folder / "questions.json").read_text()), {}
    for name, image in np.load(folder / "images.npz").items():
        predictor.set_image(image)
        for number, question in enumerate(questions[name]):
            given = {key: np.array(question[key]) for key in ("point_coords", "point_labels", "box") if key in question}
            masks, scores, low_res = predictor.predict(**given, multimask_output=question["multimask"])
            for what, value in (("masks", masks), ("scores", scores), ("low_res", low_res)):
                answers[f"{name}/{number}/{what}"] = value
    np.savez_compressed(folder / "answers.npz", **answers)


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "shapes":
        shapes = {name: list(value.shape) for name, value in build_sam_vit_t().state_dict().items()}
        (folder / "shapes.json").write_text(json.dumps(shapes))
    else:
        answer(folder)


if __name__ == "__main__":
    main()
