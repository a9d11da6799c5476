"""Images in: sources, decoding, splits, the pixel cache, batches; and the generated demo set. Imports no torch."""

from sightline.data.cache import Images, cache_home, open_images, open_source
from sightline.data.catalog import catalogue_rows, data_home, find
from sightline.data.check import check
from sightline.data.check_masks import MaskCheck, check_masks, write_leak_free_split
from sightline.data.demo import write_demo
from sightline.data.fetch import fetch
from sightline.data.images import IMAGE_SUFFIXES, UnreadableImage, decode, image_size, shrink
from sightline.data.loader import Loader
from sightline.data.pairs import Pair, PairSet, holds_masks, open_pairs, split_pairs
from sightline.data.palette import DEEPGLOBE, IGNORED, Palette
from sightline.data.segment_images import SegmentImages, open_masks, open_segment
from sightline.data.sources import BadImage, ImageSet, Sample, open_data
from sightline.data.splits import Split, split

__all__ = [
    "DEEPGLOBE",
    "IGNORED",
    "IMAGE_SUFFIXES",
    "BadImage",
    "ImageSet",
    "Images",
    "Loader",
    "MaskCheck",
    "Pair",
    "PairSet",
    "Palette",
    "Sample",
    "SegmentImages",
    "Split",
    "UnreadableImage",
    "cache_home",
    "catalogue_rows",
    "check",
    "check_masks",
    "data_home",
    "decode",
    "fetch",
    "find",
    "holds_masks",
    "image_size",
    "open_data",
    "open_images",
    "open_masks",
    "open_pairs",
    "open_segment",
    "open_source",
    "shrink",
    "split",
    "split_pairs",
    "write_demo",
    "write_leak_free_split",
]
