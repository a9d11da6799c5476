"""Images in: sources, decoding, splits, the pixel cache, batches; and the generated demo set. Imports no torch."""

from sightline.data.images.cache import Images, load_image_set, load_images
from sightline.data.images.decode import IMAGE_SUFFIXES, UnreadableImage, decode, image_size, shrink
from sightline.data.images.folder import (
    Listing,
    images_below,
    images_in,
    is_image,
    passed_line,
    passed_rows,
    tell,
    walk,
)
from sightline.data.labelled.check import check, check_images
from sightline.data.labelled.listing import BadImage, ImageSet, Sample, list_images, list_unlabelled
from sightline.data.labelled.split import Split, split
from sightline.data.loader import Loader
from sightline.data.masks.check import MaskCheck, check_masks, write_leak_free_split, write_sheet
from sightline.data.masks.classes import check_classes
from sightline.data.masks.listing import Pair, PairSet, holds_masks, list_pairs, split_pairs
from sightline.data.masks.load import SegmentImages, load_masks
from sightline.data.masks.palette import DEEPGLOBE, Palette
from sightline.data.sets.catalog import catalog_rows, demo_home, find
from sightline.data.sets.demo import write_demo
from sightline.data.sets.fetch import fetch
from sightline.files import cache_home, data_home

__all__ = [
    "DEEPGLOBE",
    "IMAGE_SUFFIXES",
    "BadImage",
    "ImageSet",
    "Images",
    "Listing",
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
    "catalog_rows",
    "check",
    "check_classes",
    "check_images",
    "check_masks",
    "data_home",
    "decode",
    "demo_home",
    "fetch",
    "find",
    "holds_masks",
    "image_size",
    "images_below",
    "images_in",
    "is_image",
    "list_images",
    "list_pairs",
    "list_unlabelled",
    "load_image_set",
    "load_images",
    "load_masks",
    "passed_line",
    "passed_rows",
    "shrink",
    "split",
    "split_pairs",
    "tell",
    "walk",
    "write_demo",
    "write_leak_free_split",
    "write_sheet",
]
