"""MobileSAM's image encoder: a TinyViT whose last stage keeps its resolution, and SAM's neck."""

from __future__ import annotations

from timm.layers.norm import LayerNorm2d
from timm.models.tiny_vit import TinyVit
from torch import Tensor, nn


class TinyVitEncoder(nn.Module):
    """TinyViT (Wu et al. 2022) as in MobileSAM (Zhang et al. 2023, "Faster Segment Anything"), on timm's blocks.

    Of timm's `tiny_vit_5m_224` it differs in one stride: the last merging of patches does not halve the map, so that it
    is 1/16 of the image, as SAM's decoder expects. The classifier is left out.

    Args:
        dims: channels of the four stages.
        depths: blocks of each.
        heads: attention heads of each; the first stage is convolutional and has none.
        windows: side of each stage's attention windows.
        channels: of the embedding.
    """

    def __init__(
        self,
        dims: tuple[int, ...] = (64, 128, 160, 320),
        depths: tuple[int, ...] = (2, 2, 6, 2),
        heads: tuple[int, ...] = (2, 4, 5, 10),
        windows: tuple[int, ...] = (7, 7, 14, 7),
        channels: int = 256,
    ) -> None:
        super().__init__()
        trunk = TinyVit(
            num_classes=0, embed_dims=dims, depths=depths, num_heads=heads, window_sizes=windows, drop_path_rate=0.0
        )
        self.patch_embed, self.stages = trunk.patch_embed, trunk.stages
        merging = trunk.stages.get_submodule(f"{len(dims) - 1}.downsample.conv2.conv")
        assert isinstance(merging, nn.Conv2d)
        merging.stride = (1, 1)
        self.neck = nn.Sequential(
            nn.Conv2d(dims[-1], channels, 1, bias=False),
            LayerNorm2d(channels, eps=1e-6),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            LayerNorm2d(channels, eps=1e-6),
        )

    def forward(self, pixel_values: Tensor) -> tuple[Tensor]:
        """Return the embedding (B, channels, H / 16, W / 16) of images (B, 3, H, W), as a tuple of one."""
        return (self.neck(self.stages(self.patch_embed(pixel_values))),)
