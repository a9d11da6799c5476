"""Whether the engines sam, sam2 and mobile-sam answer as their authors' predictors do, on the same random weights.

    uv run python benchmarks/sam_parity.py --out docs/benchmarks/sam-parity.md

The peers are the predictor classes and the everything modes of the authors' code, in an environment of its own: of SAM
from PyPI's segment-anything-py, of SAM 2 from SAM-2-uni, of MobileSAM from mobilesam-mirror. Both sides load the same
random tensors: SAM and SAM 2 with a narrow encoder, all else at the authors' sizes; MobileSAM whole. They answer
points, boxes and a refinement on a square image that is made larger, a wide one that SAM keeps as it is, and a tall one
that is made smaller. Takes some minutes; how many on an idle machine has not been measured.

With --reference tests/models/promptable/mobile_sam_reference.json it also writes the few numbers of MobileSAM's peer
that the tests hold the engine to.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as t

from sightline.files.atomic import write_text
from sightline.models.promptable.mobile_sam import NAMES
from sightline.prompts import EverythingSettings, PromptEngine, Prompts, build_engine
from sightline.randomness import generator

# Height and width: the model sees 1024 pixels along the longer side.
SHAPES = {"square, enlarged": (400, 400), "wide, as it is": (768, 1024), "tall, shrunk": (1500, 1100)}
# Fewer and narrower layers than the published models have; each kind of layer is there.
SIZES = {
    "sam": {"embed_dim": 64, "depth": 4, "num_heads": 4, "global_attn_indexes": [1, 3]},
    "sam2": {"embed_dim": 24, "channels": [192, 96, 48, 24]},
}
# Everything mode by two settings, without cleaning, as the authors' default has it: every mask of every point, and what
# low thresholds (random weights think little of their masks) and the boxes of better masks leave of them.
EVERYTHING = {
    "every mask": {
        "points_per_side": 3, "pred_iou_thresh": 0.0, "stability_score_thresh": 0.0, "box_nms_thresh": 1.0,
        "min_mask_region_area": 0,
    },
    "chosen": {
        "points_per_side": 3, "pred_iou_thresh": 0.02, "stability_score_thresh": 0.02, "box_nms_thresh": 0.95,
        "min_mask_region_area": 0,
    },
}  # fmt: skip
EVERYTHING_WHAT = ("masks", "scores", "stability")
EVERYTHING_DIFFERENCES = ("score_difference", "stability_difference", "region_pixels")
EVERYTHING_COLUMNS = [
    "engine", "image", "asked for", "regions", "the authors'", "scores", "stability", "mask pixels that differ",
]  # fmt: skip
REQUIREMENTS = [
    "segment-anything-py==1.0.1",
    "SAM-2-uni==1.0",
    "mobilesam-mirror==1.0.0",
    "timm==1.0.*",
    "torch==2.15.*",
    "torchvision",
    "numpy",
    "opencv-python-headless",
    "pillow",
]
# From the authors' names to those of transformers; what SAM's prompts and masks have in common is in NAMES.
SAM_NAMES = (
    (r"^image_encoder\.patch_embed\.proj\.", "vision_encoder.patch_embed.projection."),
    (r"^image_encoder\.blocks\.(\d+)\.norm(\d)\.", r"vision_encoder.layers.\1.layer_norm\2."),
    (r"^image_encoder\.blocks\.", "vision_encoder.layers."),
    (r"^image_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
    (r"^image_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
    (r"^image_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
    (r"^image_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
    (r"^image_encoder\.pos_embed$", "vision_encoder.pos_embed"),
    *((pattern, new) for pattern, new in NAMES if "vision_encoder" not in pattern and "image_encoder" not in pattern),
)
SAM2_NAMES = (
    (r"^sam_(prompt_encoder|mask_decoder)\.", r"\1."),
    (r"^image_encoder\.trunk\.patch_embed\.proj\.", "vision_encoder.backbone.patch_embed.projection."),
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"^(vision_encoder\.backbone\.blocks\.\d+)\.norm(\d)\.", r"\1.layer_norm\2."),
    (r"^(.*\.mlp)\.layers\.0\.", r"\1.proj_in."),
    (r"^(.*\.mlp)\.layers\.1\.", r"\1.proj_out."),
    (r"\.out_proj\.", ".o_proj."),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"\.(pred_obj_score_head)\.layers\.0\.", r".\1.proj_in."),
    (r"\.(pred_obj_score_head)\.layers\.1\.", r".\1.layers.0."),
    (r"\.(pred_obj_score_head)\.layers\.2\.", r".\1.proj_out."),
    *((pattern, new) for pattern, new in NAMES if "vision_encoder" not in pattern and "image_encoder" not in pattern),
)
MARK = "<!-- tables: benchmarks/sam_parity.py -->"
POINTS = re.compile(r"^prompt_encoder\.point_embed\.\d\.weight$")


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


def with_refinement(questions: list[dict]) -> list[dict]:
    """Return the questions, and a further click on the first one's first mask."""
    return [*questions, {**questions[1], "refine": 0}]


def prompts_of(question: dict, mask_input: np.ndarray | None = None) -> Prompts:
    points = zip(question.get("point_coords", []), question.get("point_labels", []), strict=True)
    box = question.get("box")
    return Prompts(
        tuple((x, y, label) for (x, y), label in points),
        None if box is None else tuple(box),
        mask_input=mask_input,
    )


def ask_peers(folder: Path, images: dict[str, np.ndarray], questions: dict[str, list[dict]]) -> tuple[Any, Any, Any]:
    """Return the answers of the authors' code, their tensors by engine, and the versions."""
    from peer_environments import PEERS, environment

    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "images.npz", **images)
    for name, content in (("questions", questions), ("sizes", SIZES), ("everything", EVERYTHING)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    python, versions = environment("sam", REQUIREMENTS)
    command = [str(python), str(PEERS / "sam_peer.py")]
    subprocess.run([*command, "shapes", str(folder)], check=True)
    weights = {
        name: random_weights(shapes) for name, shapes in json.loads((folder / "shapes.json").read_text()).items()
    }
    for name, tensors in weights.items():
        torch.save(tensors, folder / f"{name}.pt")
    subprocess.run([*command, "answers", str(folder)], check=True)
    return dict(np.load(folder / "answers.npz")), weights, versions


# -- the same weights in the form that the engines read
def save_engines(folder: Path, weights: dict[str, dict[str, torch.Tensor]]) -> dict[str, Path]:
    """Write the authors' tensors as the engines take them; return where, by engine."""
    return {
        "sam": save_sam(folder / "sam", weights["sam"]),
        "sam2": save_sam2(folder / "sam2", weights["sam2"]),
        "mobile-sam": folder / "mobile-sam.pt",
    }


def save_sam(folder: Path, tensors: dict[str, torch.Tensor]) -> Path:
    sizes = SIZES["sam"]
    vision = {
        "hidden_size": sizes["embed_dim"], "num_hidden_layers": sizes["depth"], "mlp_dim": 4 * sizes["embed_dim"],
        "num_attention_heads": sizes["num_heads"], "global_attn_indexes": sizes["global_attn_indexes"],
    }  # fmt: skip
    model = t.SamModel(t.SamConfig(vision_config=vision))
    return save(model, t.SamProcessor(t.SamImageProcessor()), renamed(tensors, SAM_NAMES), folder)


def save_sam2(folder: Path, tensors: dict[str, torch.Tensor]) -> Path:
    sizes = SIZES["sam2"]
    trunk = {
        "model_type": "sam2_hiera_det_model", "hidden_size": sizes["embed_dim"],
        "embed_dim_per_stage": sizes["channels"][::-1],
    }  # fmt: skip
    model = t.Sam2Model(
        t.Sam2Config(vision_config={"backbone_config": trunk, "backbone_channel_list": sizes["channels"]})
    )
    return save(model, t.Sam2Processor(t.Sam2ImageProcessor()), renamed(tensors, SAM2_NAMES), folder)


def renamed(tensors: dict[str, torch.Tensor], names: Sequence[tuple[str, str]]) -> dict[str, torch.Tensor]:
    """Return tensors under transformers' names; the four kinds of points are one table there."""
    new: dict[str, torch.Tensor] = {}
    for name, value in tensors.items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        new[name] = value
    positions = new["prompt_encoder.shared_embedding.positional_embedding"]
    return {**new, "shared_image_embedding.positional_embedding": positions}


def save(model: Any, processor: Any, tensors: dict[str, torch.Tensor], folder: Path) -> Path:
    own = model.state_dict()
    if "prompt_encoder.point_embed.weight" in own:
        kinds = sorted(name for name in tensors if POINTS.match(name))
        tensors["prompt_encoder.point_embed.weight"] = torch.cat([tensors[name] for name in kinds])
    missing = own.keys() - tensors.keys()
    assert not missing, f"no tensor of the authors for {sorted(missing)}"
    model.load_state_dict({name: tensors[name] for name in own})
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


# -- comparison
def reference(peer: dict[str, np.ndarray], shapes: dict[str, list[int]]) -> dict:
    """Return what a test needs to hold the engine to the peer: shapes, and a few of its numbers on one image."""
    name = "wide, as it is"
    height, width = SHAPES[name]
    answers = [
        {
            "scores": np.round(peer[f"mobile-sam/{name}/{number}/scores"].astype(float), 6).tolist(),
            "logits": np.round(peer[f"mobile-sam/{name}/{number}/low_res"][:, 8::48, 8::48].astype(float), 5).tolist(),
            "area": peer[f"mobile-sam/{name}/{number}/masks"].sum(axis=(1, 2)).tolist(),
        }
        for number in range(len(questions_of(height, width)))
    ]
    return {"image": [height, width], "answers": answers, "shapes": shapes}


def compare(engine: PromptEngine, name: str, image: np.ndarray, asked: list[dict], peer: dict[str, np.ndarray]) -> dict:
    """Return the largest differences over the questions of one image, and those of everything mode."""
    state = engine.set_image(image)
    logits, scores, pixels, largest = [], [], [], []
    for number, question in enumerate(asked):
        mask_input = peer[f"{name}/{question['refine']}/low_res"][0] if "refine" in question else None
        answer = engine.predict(state, prompts_of(question, mask_input), multimask=question["multimask"])
        theirs = {what: peer[f"{name}/{number}/{what}"] for what in ("low_res", "masks", "scores")}
        # Answers come best first, and scores, which are estimates of IoU, are kept within 0 to 1.
        order = np.argsort(-theirs["scores"], kind="stable")
        assert answer.low_res is not None
        logits.append(np.abs(answer.low_res - theirs["low_res"][order]).max())
        largest.append(np.abs(theirs["low_res"]).max())
        scores.append(np.abs(answer.scores - np.clip(theirs["scores"], 0, 1)[order]).max())
        pixels.append((answer.masks != theirs["masks"][order]).mean())
    return {
        "questions": len(asked),
        "largest_logit": float(max(largest)),
        "logit_difference": float(max(logits)),
        "score_difference": float(max(scores)),
        "mask_pixels": float(max(pixels)),
        "everything": {
            settings: compare_everything(
                engine, state, settings, {what: peer[f"{name}/{settings}/{what}"] for what in EVERYTHING_WHAT}
            )
            for settings in EVERYTHING
        },
    }


def compare_everything(engine: PromptEngine, state: Any, settings: str, theirs: dict[str, np.ndarray]) -> dict:
    """Return how many regions each side found, and the largest differences of those of the same place in the order.

    Masks without a pixel, which the authors' code returns and Sightline leaves out, are left out.
    """
    regions = engine.everything(state, EverythingSettings(**EVERYTHING[settings]))
    order = [i for i in np.argsort(-theirs["scores"], kind="stable") if theirs["masks"][i].any()]
    counts = {"regions": len(regions), "their_regions": len(order)}
    if len(regions) != len(order) or not regions:
        return counts
    pairs = list(zip(regions, order, strict=True))
    return {
        **counts,
        "score_difference": max(abs(region.score - float(np.clip(theirs["scores"][i], 0, 1))) for region, i in pairs),
        "stability_difference": max(abs(region.stability - float(theirs["stability"][i])) for region, i in pairs),
        "region_pixels": max(float((region.mask() != theirs["masks"][i]).mean()) for region, i in pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the page whose tables are written anew")
    parser.add_argument("--reference", type=Path, help="write a few of MobileSAM's peer's numbers, for the tests")
    parser.add_argument("--keep", type=Path, help="a folder to leave the weights and the peers' answers in")
    arguments = parser.parse_args()
    images = {name: picture(*shape) for name, shape in SHAPES.items()}
    questions = {name: with_refinement(questions_of(*shape)) for name, shape in SHAPES.items()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        peer, weights, versions = ask_peers(folder, images, questions)
        if arguments.reference:
            shapes = {name: list(value.shape) for name, value in weights["mobile-sam"].items()}
            # On one line: nobody reads it, and it has thousands of numbers.
            write_text(arguments.reference, json.dumps(reference(peer, shapes)) + "\n")
        compared: dict[str, dict[str, dict]] = {}
        for engine_name, path in save_engines(folder, weights).items():
            engine = build_engine(engine_name, str(path), "cpu")
            theirs = {
                key.removeprefix(f"{engine_name}/"): value
                for key, value in peer.items()
                if key.startswith(f"{engine_name}/")
            }
            compared[engine_name] = {
                name: compare(engine, name, image, questions[name], theirs) for name, image in images.items()
            }
    print(json.dumps({"peers": versions, "engines": compared}, indent=1))
    if arguments.out:
        before, mark, _ = arguments.out.read_text().partition(MARK)
        assert mark, f"{arguments.out}: holds no line {MARK}"
        write_text(arguments.out, f"{before}{mark}\n\n{tables(compared, versions)}\n")


def tables(compared: dict[str, dict[str, dict]], versions: Mapping[str, str]) -> str:
    """Return the tables of the page."""
    rows, regions = [], []
    for engine, images in compared.items():
        for name, one in images.items():
            height, width = SHAPES[name]
            numbers = [one[key] for key in ("logit_difference", "score_difference", "mask_pixels")]
            rows.append([engine, f"{name}, {width}×{height}", f"{one['largest_logit']:.2f}", *map(_small, numbers)])
            for settings, of in one["everything"].items():
                found = [str(of["regions"]), str(of["their_regions"])]
                differences = [_small(of[key]) if key in of else "" for key in EVERYTHING_DIFFERENCES]
                regions.append([engine, f"{name}, {width}×{height}", settings, *found, *differences])
    questions = {one["questions"] for images in compared.values() for one in images.values()}.pop()
    packages = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return "\n".join(
        [
            f"Largest differences over {questions} questions of each image: a click, two clicks, a box, a box with a",
            "click, and two clicks that refine the first answer.",
            "",
            *_table(["engine", "image", "largest logit", "logits", "scores", "mask pixels that differ"], rows),
            "",
            "Everything mode, by a grid of 3×3 points: every mask, and those that thresholds of 0.02 and boxes of",
            "better masks leave.",
            "",
            *_table(EVERYTHING_COLUMNS, regions),
            "",
            f"Packages: {packages}. Sightline: torch {torch.__version__}, transformers {t.__version__}; on a CPU.",
        ]
    )


def _small(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


if __name__ == "__main__":
    main()
