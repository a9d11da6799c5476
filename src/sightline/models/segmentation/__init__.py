"""Segmentation networks, their skip connections, and ways in and out."""

from sightline.models.segmentation.build import build_segmenter, load_encoder, segmenter_names
from sightline.models.segmentation.describe import ArchitectureDescription, describe
from sightline.models.segmentation.export import LibraryReport, OnnxReport, export_library, export_onnx, export_run
from sightline.models.segmentation.files import LoadedSegmenter, load_segmenter, save_segmenter
from sightline.models.segmentation.segmenter import SegmentationOutputs, Segmenter
from sightline.models.segmentation.skipping import SkippingSegmenter, policy_of, skips_of
from sightline.models.segmentation.skips import Intervention, SkipPolicy, parse_drop

__all__ = [
    "ArchitectureDescription",
    "Intervention",
    "LibraryReport",
    "LoadedSegmenter",
    "OnnxReport",
    "SegmentationOutputs",
    "Segmenter",
    "SkipPolicy",
    "SkippingSegmenter",
    "build_segmenter",
    "describe",
    "export_library",
    "export_onnx",
    "export_run",
    "load_encoder",
    "load_segmenter",
    "parse_drop",
    "policy_of",
    "save_segmenter",
    "segmenter_names",
    "skips_of",
]
