"""MobileSAM: SAM's prompts and masks behind an encoder of 6 million parameters.

Zhang et al. 2023, "Faster Segment Anything". The weights are read from the file that its authors publish,
`mobile_sam.pt`, or from the same tensors as safetensors; nothing is unpickled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from transformers import SamConfig, SamImageProcessor, SamModel, SamProcessor

from sightline.devices import resolve_device
from sightline.errors import NotAvailable, WeightsError
from sightline.files import file_sha256
from sightline.models.foreign import read_foreign
from sightline.models.promptable.load import Parts
from sightline.models.promptable.sam import Sam
from sightline.models.promptable.tiny_vit import TinyVitEncoder
from sightline.prompts import DEFAULT_ENGINE, ENGINES

# From the published names to those of this model: TinyViT as timm names its parts, SAM's as transformers does.
# Applied in this order, each wherever it fits.
NAMES = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"\.patch_embed\.seq\.0\.", ".patch_embed.conv1."),
    (r"\.patch_embed\.seq\.2\.", ".patch_embed.conv2."),
    (r"\.layers\.0\.downsample\.", ".stages.1.downsample."),
    (r"\.layers\.1\.downsample\.", ".stages.2.downsample."),
    (r"\.layers\.2\.downsample\.", ".stages.3.downsample."),
    (r"^vision_encoder\.layers\.", "vision_encoder.stages."),
    (r"^(vision_encoder\..*)\.c\.", r"\1.conv."),
    (r"\.pe_layer\.positional_encoding_gaussian_matrix", ".shared_embedding.positional_embedding"),
    (r"\.point_embeddings\.", ".point_embed."),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
    (r"(mask_decoder\.transformer\.layers\.\d+)\.norm(\d)\.", r"\1.layer_norm\2."),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d+)\.layers\.0\.", r"\1.proj_in."),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d+)\.layers\.1\.", r"\1.layers.0."),
    (r"(iou_prediction_head|output_hypernetworks_mlps\.\d+)\.layers\.2\.", r"\1.proj_out."),
)
# The ImageNet classifier that the encoder was distilled from; MobileSAM itself does not use it.
UNUSED = re.compile(r"^image_encoder\.(norm_head|head)\.")
POSITIONS = "prompt_encoder.shared_embedding.positional_embedding"


class MobileSam(Sam):
    """MobileSAM: points and boxes."""

    name = "mobile-sam"
    accepts = ENGINES["mobile-sam"].accepts

    @classmethod
    def load(cls, model_id: str, device: str) -> Self:
        """Return the engine; `model_id` is a file, or a folder that holds mobile_sam.pt.

        Raises:
            ConfigError: no such device.
            NotAvailable: no weights were named, and none lie in the working folder.
            WeightsError: no such file, or one of another model.
        """
        device = resolve_device(device)
        path = _file(model_id)
        model = build_mobile_sam()
        load_published(model, read_foreign(path), str(path))
        model.eval().requires_grad_(False).to(device)  # pyright: ignore[reportArgumentType]
        return cls(Parts(model, SamProcessor(SamImageProcessor()), file_sha256(path)), str(path), device)


def build_mobile_sam(encoder: TinyVitEncoder | None = None, side: int = 1024) -> SamModel:
    """Return SAM with a TinyViT for its encoder, weights random.

    Args:
        encoder: MobileSAM's by default.
        side: pixels of the model's square input.
    """
    # SAM's own encoder is built without blocks, to be thrown away at once.
    placeholder = {"num_hidden_layers": 0, "hidden_size": 8, "num_attention_heads": 1, "image_size": side}
    model = SamModel(
        SamConfig(
            vision_config={**placeholder, "global_attn_indexes": [], "num_pos_feats": 128},
            prompt_encoder_config={"image_size": side, "image_embedding_size": side // 16},
        )
    )
    model.vision_encoder = encoder or TinyVitEncoder()  # pyright: ignore[reportAttributeAccessIssue]
    return model


def load_published(model: SamModel, tensors: Mapping[str, Tensor], source: str) -> None:
    """Load tensors under MobileSAM's published names.

    Raises:
        WeightsError: tensors that are missing, left over, or of another shape.
    """
    renamed = {rename(name): value for name, value in tensors.items() if not UNUSED.match(name)}
    if POSITIONS in renamed:
        # transformers holds it twice, once for the image and once for the prompts.
        renamed["shared_image_embedding.positional_embedding"] = renamed[POSITIONS]
    state = model.state_dict()
    missing, extra = sorted(state.keys() - renamed.keys()), sorted(renamed.keys() - state.keys())
    reshaped = sorted(name for name in state.keys() & renamed.keys() if state[name].shape != renamed[name].shape)
    for what, names in (("lacks", missing), ("has beside MobileSAM's", extra), ("has in another shape", reshaped)):
        if names:
            raise WeightsError(
                f"{source}: is not MobileSAM: {what} {len(names)} tensors, for example {names[0]}; give mobile_sam.pt "
                "as its authors publish it, or the same tensors as safetensors"
            )
    with torch.no_grad():
        model.load_state_dict(renamed)


def rename(name: str) -> str:
    """Return this model's name of a published tensor."""
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _file(model_id: str) -> Path:
    published = ENGINES[MobileSam.name].weights
    path = Path(model_id)
    if path.is_dir():
        path = next((path / name for name in (published, "mobile_sam.safetensors") if (path / name).is_file()), path)
    if path.is_file():
        return path
    if model_id == published:
        raise NotAvailable(
            f"{MobileSam.name} needs its authors' file {published} (40 MB, Apache-2.0), which is not in {Path.cwd()}. "
            f"Where there is a network, this brings it:\n  {ENGINES[MobileSam.name].fetching}\nIt may lie "
            f"anywhere: give its path as --model. Or use --engine {DEFAULT_ENGINE}, which needs no weights"
        )
    raise WeightsError(f"model = {model_id!r}: no such file, and no folder that holds {published}")
