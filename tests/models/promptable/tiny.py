"""Models of every engine with random weights and a few thousand parameters, saved as the hub holds them."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
import transformers as t

SIDE = 64  # of the models' input


def vision(**keys):
    return {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, **keys}


def sam_like(config, model, processor, folder: Path) -> Path:
    size = {"image_size": SIDE, "patch_size": 8}
    encoder = {
        **vision(**size),
        "output_channels": 16,
        "global_attn_indexes": [1],
        "window_size": 4,
        "mlp_dim": 32,
        "num_pos_feats": 8,
    }
    decoder = {"hidden_size": 16, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
    if config is t.SamHQConfig:
        decoder["vit_dim"] = 16
    prompts = {"hidden_size": 16, "image_embedding_size": SIDE // 8, "mask_input_channels": 4, **size}
    whole = config(vision_config=encoder, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    images = t.SamImageProcessor(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}, mask_size={"longest_edge": 16}
    )
    return save(model(whole), processor(images), folder)


def sam(folder: Path) -> Path:
    return sam_like(t.SamConfig, t.SamModel, t.SamProcessor, folder)


def sam_hq(folder: Path) -> Path:
    return sam_like(t.SamHQConfig, t.SamHQModel, t.SamHQProcessor, folder)


def sam2_parts() -> dict:
    feature_sizes = [[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2]
    return {
        "vision": {"backbone_feature_sizes": feature_sizes, "fpn_hidden_size": 16},
        "prompt_encoder_config": {"hidden_size": 16, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4},
        "mask_decoder_config": {
            "hidden_size": 16,
            "mlp_dim": 32,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
    }


def sam2_processor() -> t.Sam2Processor:
    square = {"height": SIDE, "width": SIDE}
    return t.Sam2Processor(t.Sam2ImageProcessor(size=square, mask_size={"height": 16, "width": 16}))


def sam2(folder: Path) -> Path:
    parts = sam2_parts()
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [SIDE, SIDE],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [4, 4, 4, 2],
        "global_attention_blocks": [3],
    }
    encoder = {**parts.pop("vision"), "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8]}
    return save(t.Sam2Model(t.Sam2Config(vision_config=encoder, **parts)), sam2_processor(), folder)


def edgetam(folder: Path) -> Path:
    parts = sam2_parts()
    name = "test_resnet"
    channels = timm.create_model(name, features_only=True, out_indices=(1, 2, 3, 4)).feature_info.channels()
    backbone = t.TimmWrapperConfig(
        architecture=name, model_args={"in_chans": 3, "features_only": True, "out_indices": [1, 2, 3, 4]}
    )
    encoder = t.EdgeTamVisionConfig(
        **parts.pop("vision"), backbone_config=backbone, backbone_channel_list=list(reversed(channels))
    )
    return save(t.EdgeTamModel(t.EdgeTamConfig(vision_config=encoder, **parts)), sam2_processor(), folder)


def words(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(names))
    return folder / "vocab.txt"


def clip_tokenizer() -> t.PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1, "cat": 2, "dog": 3, "visual": 4, "house": 5}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<|endoftext|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", 0), ("<|endoftext|>", 1)]
    )
    return t.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|endoftext|>", eos_token="<|endoftext|>", bos_token="<|startoftext|>"
    )


def sam3(folder: Path) -> Path:
    side = 56
    small = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32}
    backbone = {
        "model_type": "sam3_vit_model",
        **small,
        "num_hidden_layers": 2,
        "image_size": side,
        "patch_size": 14,
        "window_size": 2,
        "global_attn_indexes": [1],
        "pretrain_image_size": 28,
    }
    feature_sizes = [[16, 16], [8, 8], [4, 4]]
    config = t.Sam3Config(
        vision_config={
            "backbone_config": backbone,
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": feature_sizes,
        },
        text_config={
            "model_type": "clip_text_model",
            "vocab_size": 8,
            **small,
            "projection_dim": 32,
            "num_hidden_layers": 1,
            "max_position_embeddings": 32,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 1,
        },
        geometry_encoder_config={**small, "num_layers": 1},
        detr_encoder_config={**small, "num_layers": 1},
        detr_decoder_config={**small, "num_layers": 2, "num_queries": 6},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )
    images = t.Sam3ImageProcessor(size={"height": side, "width": side}, mask_size={"height": 16, "width": 16})
    return save(t.Sam3Model(config), t.Sam3Processor(images, clip_tokenizer()), folder)


def grounding_dino(folder: Path) -> Path:
    vocabulary = words(folder, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "dog", ".", "?", "house"])
    text = {
        "model_type": "bert",
        "vocab_size": 10,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    backbone = t.SwinConfig(
        image_size=64,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=4,
        out_features=["stage2", "stage3", "stage4"],
    )
    config = t.GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=5,
        num_feature_levels=4,
        max_text_len=32,
    )
    images = t.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 128})
    tokenizer = t.BertTokenizer(str(vocabulary))
    return save(t.GroundingDinoForObjectDetection(config), t.GroundingDinoProcessor(images, tokenizer), folder)


def save(model, processor, folder: Path) -> Path:
    torch.manual_seed(0)
    with torch.no_grad():
        for value in model.parameters():
            value.normal_(0, 0.3)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


BUILDERS = {
    "sam": sam,
    "sam-hq": sam_hq,
    "sam2": sam2,
    "edgetam": edgetam,
    "sam3": sam3,
    "grounding-dino": grounding_dino,
}
