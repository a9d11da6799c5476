"""SAM, SAM 2 and MobileSAM by their authors' code.

    python sam_peer.py shapes FOLDER     writes shapes.json: by engine, the shape of each tensor of its model
    python sam_peer.py answers FOLDER    writes answers.npz: low_res, masks and scores, by ENGINE/IMAGE/NUMBER/WHAT, and
                                         masks, scores and stability of everything mode, by ENGINE/IMAGE/SETTINGS/WHAT

FOLDER holds sizes.json (what is smaller than the authors' own, by engine); for the answers also ENGINE.pt (tensors
under the authors' names), images.npz (uint8 (H, W, 3) by name), questions.json (by image name, a list of {point_coords,
point_labels, box, refine, multimask}; `refine` names the question whose first low_res is given in) and everything.json
(by name of the settings, the authors' keywords of everything mode).
"""

from __future__ import annotations

import json
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

warnings.simplefilter("ignore")
import mobile_sam  # noqa: E402
import sam2.automatic_mask_generator  # noqa: E402
import segment_anything  # noqa: E402
from mobile_sam.build_sam import build_sam_vit_t  # noqa: E402
from sam2.build_sam import build_sam2  # noqa: E402
from sam2.sam2_image_predictor import SAM2ImagePredictor  # noqa: E402
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer  # noqa: E402


def sam(sizes: dict[str, Any]) -> torch.nn.Module:
    """Return SAM as build_sam of the authors makes it, with a smaller encoder."""
    return Sam(
        image_encoder=ImageEncoderViT(
            img_size=1024, patch_size=16, mlp_ratio=4, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), qkv_bias=True,
            use_rel_pos=True, window_size=14, out_chans=256, **sizes,
        ),
        prompt_encoder=PromptEncoder(256, (64, 64), (1024, 1024), 16),
        mask_decoder=MaskDecoder(
            transformer_dim=256, transformer=TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8),
        ),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    )  # fmt: skip


def sam_2(sizes: dict[str, Any]) -> torch.nn.Module:
    """Return SAM 2.1 tiny as the authors build it, with a narrower encoder."""
    trunk, neck = "model.image_encoder.trunk", "model.image_encoder.neck"
    changes = [f"{trunk}.embed_dim={sizes['embed_dim']}", f"{neck}.backbone_channel_list={sizes['channels']}"]
    return build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", device="cpu", hydra_overrides_extra=changes)


# Model, predictor and everything mode.
PEERS = {
    "sam": (sam, segment_anything.SamPredictor, segment_anything.SamAutomaticMaskGenerator),
    "sam2": (sam_2, SAM2ImagePredictor, sam2.automatic_mask_generator.SAM2AutomaticMaskGenerator),
    "mobile-sam": (lambda sizes: build_sam_vit_t(), mobile_sam.SamPredictor, mobile_sam.SamAutomaticMaskGenerator),
}


def answers(folder: Path, name: str, sizes: dict[str, Any]) -> dict[str, np.ndarray]:
    build, predictor_of, everything_of = PEERS[name]
    model = build(sizes)
    model.load_state_dict(torch.load(folder / f"{name}.pt", weights_only=True))
    # MobileSAM's attention copies its biases when it is told to evaluate: after the weights are loaded.
    model.train(), model.eval()
    predictor = predictor_of(model)
    settings = json.loads((folder / "everything.json").read_text())
    questions, found = json.loads((folder / "questions.json").read_text()), {}
    for image_name, image in np.load(folder / "images.npz").items():
        predictor.set_image(image)
        for number, question in enumerate(questions[image_name]):
            given = {key: np.array(question[key]) for key in ("point_coords", "point_labels", "box") if key in question}
            if "refine" in question:
                given["mask_input"] = found[f"{name}/{image_name}/{question['refine']}/low_res"][:1]
            masks, scores, low_res = predictor.predict(**given, multimask_output=question["multimask"])
            for what, value in (("masks", masks.astype(bool)), ("scores", scores), ("low_res", low_res)):
                found[f"{name}/{image_name}/{number}/{what}"] = value
        for setting, keys in settings.items():
            regions = everything_of(model, **keys).generate(image)
            for what, key in (("masks", "segmentation"), ("scores", "predicted_iou"), ("stability", "stability_score")):
                found[f"{name}/{image_name}/{setting}/{what}"] = np.array([region[key] for region in regions])
    return found


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    sizes = json.loads((folder / "sizes.json").read_text())
    if what == "shapes":
        models = {name: build(sizes.get(name)) for name, (build, _, _) in PEERS.items()}
        shapes = {
            name: {key: list(value.shape) for key, value in model.state_dict().items()}
            for name, model in models.items()
        }
        (folder / "shapes.json").write_text(json.dumps(shapes))
        return
    found: dict[str, np.ndarray] = {}
    for name in PEERS:
        found |= answers(folder, name, sizes.get(name))
    np.savez(folder / "answers.npz", **found)


if __name__ == "__main__":
    main()
