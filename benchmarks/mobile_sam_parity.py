"""Whether the engine mobile-sam answers as its authors' code does, on the same random weights.

    uv run python benchmarks/mobile_sam_parity.py --out docs/results/mobile-sam-parity.json

The peer is the `mobile_sam` code of PyPI's mobilesam-mirror, in an environment of its own. Both load one file of random
weights in the form in which mobile_sam.pt is published, and answer points and boxes on images of three shapes, at the
model's full size, one enlarged and one made smaller. The result is, for each image, the largest difference of
low-resolution logits and of scores, and the fraction of mask pixels that differ. Made smaller, an image reaches the two
networks with one value in 500 a gray level apart, by the rounding of Pillow and torchvision; else it does not.
Takes some minutes.

With --reference tests/models/promptable/mobile_sam_reference.json it also writes the few numbers of the peer that the
tests hold the engine to.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from sightline.files.atomic import write_json, write_text
from sightline.prompts import PromptEngine, Prompts, build_engine
from sightline.randomness import generator

SHAPES = ((768, 1024), (1500, 1100), (300, 400))
REQUIREMENTS = [
    "mobilesam-mirror==1.0.*",
    "timm==1.0.*",
    "torch==2.15.*",
    "torchvision",
    "numpy",
    "opencv-python-headless",
]


def picture(height: int, width: int) -> np.ndarray:
    """Return smooth random colors with some noise, uint8 (H, W, 3): edges and flats at every scale."""
    rng = generator(0, "mobile-sam-parity", height, width)
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(2 * np.pi * (a * rows + b * columns) + c) for a, b, c in rng.uniform(-6, 6, (9, 3))]
    smooth = np.stack([sum(waves[i::3]) for i in range(3)], axis=2)
    return np.clip(128 + 30 * smooth + rng.normal(0, 8, (height, width, 3)), 0, 255).astype(np.uint8)


def random_weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, torch.Tensor]:
    """Return float32 tensors by published name, none at its usual initial value: zeros and ones hide mistakes."""
    tensors = {}
    for name, shape in shapes.items():
        noise = generator(0, f"mobile-sam {name}").standard_normal(shape)
        if name.endswith("num_batches_tracked"):
            value = np.zeros(shape, np.int64)
        elif name.endswith("running_var"):
            value = 1 + 0.1 * np.abs(noise)
        elif len(shape) > 1:
            # Tables, and everything that is multiplied with.
            value = noise if "embed" in name or "pe_layer" in name else noise / np.sqrt(np.prod(shape[1:]))
        else:
            value = 0.1 * noise + (name.endswith("weight") and "point" not in name)
        tensors[name] = torch.from_numpy(np.asarray(value if value.dtype == np.int64 else value.astype(np.float32)))
    return tensors


def questions_of(height: int, width: int) -> list[dict]:
    """Return a click, two clicks, a box, and a box with a click."""
    x, y = width / 3, height / 2
    box = [width * 0.2, height * 0.25, width * 0.7, height * 0.8]
    return [
        {"point_coords": [[x, y]], "point_labels": [1], "multimask": True},
        {"point_coords": [[x, y], [width - 9.0, 7.0]], "point_labels": [1, 0], "multimask": False},
        {"box": box, "multimask": True},
        {"point_coords": [[x, y]], "point_labels": [1], "box": box, "multimask": False},
    ]


def prompts_of(question: dict) -> Prompts:
    points = zip(question.get("point_coords", []), question.get("point_labels", []), strict=True)
    box = question.get("box")
    return Prompts(tuple((x, y, label) for (x, y), label in points), None if box is None else tuple(box))


def ask_peer(folder: Path, images: dict[str, np.ndarray], questions: dict[str, list[dict]]) -> tuple[dict, dict, dict]:
    """Return the answers of the authors' code by IMAGE/NUMBER/WHAT, the shapes of its tensors, and its versions."""
    from peer_environments import PEERS, environment

    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "images.npz", **images)
    (folder / "questions.json").write_text(json.dumps(questions))
    python, versions = environment("mobile-sam", REQUIREMENTS)
    command = [str(python), str(PEERS / "mobile_sam_peer.py")]
    subprocess.run([*command, "shapes", str(folder)], check=True)
    shapes = json.loads((folder / "shapes.json").read_text())
    torch.save(random_weights(shapes), folder / "mobile_sam.pt")
    subprocess.run([*command, "answers", str(folder)], check=True)
    return dict(np.load(folder / "answers.npz")), shapes, versions


def reference(peer: dict[str, np.ndarray], shapes: dict[str, list[int]]) -> dict:
    """Return what a test needs to hold the engine to the peer: shapes, and a few of its numbers on the first image."""
    height, width = SHAPES[0]
    name = f"{height}x{width}"
    answers = [
        {
            "scores": np.round(peer[f"{name}/{number}/scores"].astype(float), 6).tolist(),
            "logits": np.round(peer[f"{name}/{number}/low_res"][:, 8::48, 8::48].astype(float), 5).tolist(),
            "area": peer[f"{name}/{number}/masks"].sum(axis=(1, 2)).tolist(),
        }
        for number in range(len(questions_of(height, width)))
    ]
    return {"image": [height, width], "answers": answers, "shapes": shapes}


def compare(engine: PromptEngine, name: str, image: np.ndarray, asked: list[dict], peer: dict[str, np.ndarray]) -> dict:
    """Return the largest differences over the questions of one image."""
    state = engine.set_image(image)
    logits, scores, pixels, largest = [], [], [], []
    for number, question in enumerate(asked):
        answer = engine.predict(state, prompts_of(question), multimask=question["multimask"])
        theirs = {what: peer[f"{name}/{number}/{what}"] for what in ("low_res", "masks", "scores")}
        # Scores are estimates of IoU, and Sightline keeps them within 0 to 1; its answers come best first.
        expected = np.clip(theirs["scores"], 0, 1)
        order = np.argsort(-expected, kind="stable")
        assert answer.low_res is not None
        logits.append(np.abs(answer.low_res - theirs["low_res"][order]).max())
        largest.append(np.abs(theirs["low_res"]).max())
        scores.append(np.abs(answer.scores - expected[order]).max())
        pixels.append((answer.masks != theirs["masks"][order]).mean())
    return {
        "questions": len(asked),
        "largest_logit": round(float(max(largest)), 3),
        "logit_difference": float(f"{max(logits):.2g}"),
        "score_difference": float(f"{max(scores):.2g}"),
        "mask_pixels_differing": float(f"{max(pixels):.2g}"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--reference", type=Path, help="write a few of the peer's numbers, for the tests")
    parser.add_argument("--keep", type=Path, help="a folder to leave the weights and the peer's answers in")
    arguments = parser.parse_args()
    images = {f"{height}x{width}": picture(height, width) for height, width in SHAPES}
    questions = {name: questions_of(*image.shape[:2]) for name, image in images.items()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        peer, shapes, versions = ask_peer(folder, images, questions)
        if arguments.reference:
            # On one line: nobody reads it, and it has thousands of numbers.
            write_text(arguments.reference, json.dumps(reference(peer, shapes)) + "\n")
        engine = build_engine("mobile-sam", str(folder / "mobile_sam.pt"), "cpu")
        compared = {name: compare(engine, name, image, questions[name], peer) for name, image in images.items()}
    result = {"engine": engine.name, "peer": versions, "images": compared}
    print(json.dumps(result, indent=1))
    if arguments.out:
        write_json(arguments.out, result)


if __name__ == "__main__":
    main()
