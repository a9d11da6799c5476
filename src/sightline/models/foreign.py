"""Checkpoints that others wrote: timm, torchvision, official DINO, MoCo, lightly, solo-learn. Nothing is unpickled.

A checkpoint is flattened to tensors by dotted name, whatever it wraps them in; the backbone is then where most of its
names come together with the right shapes: under `teacher.module.backbone.` in official DINO's, under
`state_dict.module.encoder_q.` in MoCo's, under no prefix in torchvision's.
"""

from __future__ import annotations

import argparse
import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sightline.errors import ConfigError, WeightsError
from sightline.models.backbones import Backbone, Stem, find_library, names_of, use_small_stem
from sightline.models.libraries import BACKBONE_LIBRARIES, RGB, Library

SHOWN = 3
NUMPY_SCALAR: Any = np.float64(0).__reduce__()[0]  # the function that makes a NumPy number of its type and bytes
# Plain values that official DINO's and MoCo's checkpoints hold beside tensors: their arguments and NumPy numbers.
HARMLESS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float32", "float64", "int64", "bool")),
    (NUMPY_SCALAR, "numpy.core.multiarray.scalar"),  # as NumPy 1 called it
    (NUMPY_SCALAR, "numpy._core.multiarray.scalar"),
]
COLOR = re.compile(r"\x1b\[[0-9;]*m")  # torch writes parts of its messages in bold
MARKS = {"teacher": {"teacher", "ema"}, "student": {"student"}}  # words in a prefix that name the network
OTHER_COPY = {"k", "momentum"}  # encoder_k, momentum_encoder: MoCo's authors evaluate the other one
# Buffers that a network computes for itself: a file with or without them is the same network.
DERIVED = ("num_batches_tracked", "relative_position_index", "relative_coords_table", "attn_mask", "position_ids")


@dataclass(frozen=True)
class MatchReport:
    """Which tensors of a checkpoint were loaded and which were not, by the backbone's names.

    Attributes:
        matched: loaded.
        missing: of the backbone, not in the checkpoint.
        unexpected: in the checkpoint under the prefix, not in the backbone.
        mismatched: in both with different shapes.
        prefix: that the checkpoint puts before the backbone's names.
        elsewhere: in the checkpoint, how many not under the prefix: of a student, a head, an optimizer.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]
    prefix: str
    elsewhere: int = 0

    def __str__(self) -> str:
        total = len(self.matched) + len(self.mismatched) + len(self.unexpected) + self.elsewhere
        unused = _first(self.unexpected)
        if self.elsewhere:
            unused = f"{unused} and " * bool(self.unexpected) + f"{self.elsewhere} under other names"
        parts = [f"{len(self.matched)} of {total} tensors used; not used: {unused}; missing: {_first(self.missing)}"]
        if self.mismatched:
            parts.append(f"other shape: {_first(self.mismatched)}")
        if self.prefix:
            parts.append(f"found under {self.prefix}")
        return "; ".join(parts)


def _first(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are; "none" of none."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "none"


def read_foreign(path: Path) -> dict[str, Tensor]:
    """Return every tensor of a .safetensors, .pth or .pt file by its dotted name, nested mappings flattened.

    Raises:
        WeightsError: unreadable, without tensors, or it holds pickled objects other than tensors and plain values.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path}: not readable as safetensors: {error}") from None
    try:
        with torch.serialization.safe_globals(HARMLESS):
            content = torch.load(path, map_location="cpu", weights_only=True)
        tensors = dict(_flatten(content))
    except Exception as error:  # damaged bytes make the restricted unpickler raise nearly anything
        first = COLOR.sub("", str(error)).strip().split("\n")[0] or type(error).__name__
        raise WeightsError(
            f"{path}: not readable with weights_only=True, and Sightline runs no code from a checkpoint ({first}). "
            "Where you trust the file, convert it once: state = torch.load(FILE, map_location='cpu', "
            "weights_only=False), then safetensors.torch.save_file on the dict of tensors in it, and give that file"
        ) from None
    if not tensors:
        raise WeightsError(f"{path}: holds no tensors by name, but a {type(content).__name__}; give a state dict")
    return tensors


def _flatten(content: object, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if isinstance(value, Tensor):
            # Sparse, quantized and complex tensors are of no backbone: what they stand for is missing.
            if value.layout != torch.strided or value.is_quantized or value.is_complex() or value.is_meta:
                continue
            yield f"{prefix}{key}", value
        else:
            yield from _flatten(value, f"{prefix}{key}.")


def load_matching(
    backbone: Backbone,
    tensors: Mapping[str, Tensor],
    where: str,
    network: Literal["teacher", "student"] = "teacher",
) -> MatchReport:
    """Load a checkpoint's tensors into `backbone`, under the spelling and the prefix that fit most.

    All of the backbone comes from the checkpoint, and all of the checkpoint's backbone is used; else it is of another
    architecture, and refused.

    Args:
        backbone: changed in place.
        tensors: by dotted name.
        where: they come from, for the message.
        network: taken where a checkpoint holds a teacher (or moving average) and a student of equal fit.

    Raises:
        WeightsError: a tensor of the backbone is missing, of another shape, or not finite, or one of the checkpoint's
            backbone is left over; the message names the architecture that would fit.
    """
    report, values = match(backbone.inner, tensors, network)
    left = left_over(backbone.inner, report)
    if report.missing or report.mismatched or left:
        kind = f" (left over: {_first(left)})" if left else ""
        raise WeightsError(
            f"{where}: does not fit {backbone.name} with stem {backbone.stem}: {report}{kind}. "
            + _way_out(backbone, tensors, network)
        )
    check_finite(values, where)
    backbone.inner.load_state_dict(values, strict=False)
    return report


def check_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Refuse weights that hold NaN or infinity.

    Raises:
        WeightsError: some do; the message names the first.
    """
    bad = [name for name, value in tensors.items() if not _finite(value)]
    if bad:
        raise WeightsError(
            f"{where}: {len(bad)} of its tensors hold NaN or infinity: {_first(bad)}; the training that wrote them "
            "diverged, or the file is damaged: give an earlier checkpoint"
        )


def _finite(value: Tensor) -> bool:
    if not value.is_floating_point():
        return True
    # The eighth-precision types know no such test.
    return bool(torch.isfinite(value if value.element_size() > 1 else value.float()).all())


def match(
    inner: nn.Module, tensors: Mapping[str, Tensor], network: str = "teacher"
) -> tuple[MatchReport, dict[str, Tensor]]:
    """Return how a checkpoint fits a network, and the values that it has for it by the network's names."""
    state = inner.state_dict()
    spellings = [spelled for spell in SPELLINGS if (spelled := spell(tensors, inner))]
    best = max(((_best_prefix(each, state, network), each) for each in spellings), key=lambda found: found[0][1])
    (prefix, _), spelled = best
    candidates = {name.removeprefix(prefix): value for name, value in spelled.items() if name.startswith(prefix)}
    values = {
        name: candidates[name] for name in state if name in candidates and candidates[name].shape == state[name].shape
    }
    report = MatchReport(
        matched=tuple(values),
        missing=tuple(name for name in state if name not in candidates and not name.endswith(DERIVED)),
        unexpected=tuple(sorted(candidates.keys() - state.keys())),
        mismatched=tuple(name for name in state if name in candidates and name not in values),
        prefix=prefix,
        elsewhere=len(tensors) - len(candidates),
    )
    return report, values


def left_over(inner: nn.Module, report: MatchReport) -> list[str]:
    """Return the tensors that the checkpoint's backbone has and `inner` lacks: blocks of a deeper network, biases.

    A name whose first part `inner` does not know is of something else (a head, a projector), and so is one of a layer
    that was taken away, the classifier.
    """
    own = {name.partition(".")[0] for name in inner.state_dict()}
    names = [name for name in report.unexpected if name.partition(".")[0] in own and not name.endswith(DERIVED)]
    return [name for name in names if not _taken_away(inner, name)]


def _taken_away(inner: nn.Module, name: str) -> bool:
    module = inner
    for step in name.split("."):
        child = getattr(module, step, None)
        if not isinstance(child, nn.Module):
            return False
        if isinstance(child, nn.Identity):
            return True
        module = child
    return False


# -- the names of others
HUGGING_FACE = (
    (r"\bembedder\.embedder\.convolution\b", "conv1"),
    (r"\bembedder\.embedder\.normalization\b", "bn1"),
    (r"\bencoder\.stages\.(\d+)\.layers\.(\d+)\.", lambda m: f"layer{int(m[1]) + 1}.{m[2]}."),
    (r"\bshortcut\.convolution\b", "downsample.0"),
    (r"\bshortcut\.normalization\b", "downsample.1"),
    (r"\blayer\.(\d+)\.convolution\b", lambda m: f"conv{int(m[1]) + 1}"),
    (r"\blayer\.(\d+)\.normalization\b", lambda m: f"bn{int(m[1]) + 1}"),
)


def _as_written(tensors: Mapping[str, Tensor], inner: nn.Module) -> Mapping[str, Tensor]:
    return tensors


def _hugging_face(tensors: Mapping[str, Tensor], inner: nn.Module) -> Mapping[str, Tensor]:
    """Give the ResNets of Hugging Face's transformers the names of torchvision's; {} where it is none."""
    if not any("embedder.embedder.convolution" in name for name in tensors):
        return {}
    renamed = {}
    for name, value in tensors.items():
        for pattern, replacement in HUGGING_FACE:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def _numbered(tensors: Mapping[str, Tensor], inner: nn.Module) -> Mapping[str, Tensor]:
    """Give `nn.Sequential(*network.children())`, as lightly keeps it, the names of the network's parts, in order."""
    parts = list(dict.fromkeys(name.partition(".")[0] for name in inner.state_dict()))
    split = {name: found for name in tensors if (found := re.match(r"((?:.*?\.)??)(\d+)\.(.+)", name))}
    numbers: dict[str, set[int]] = {}
    for found in split.values():
        numbers.setdefault(found[1], set()).add(int(found[2]))
    named = {
        prefix: dict(zip(sorted(present), parts, strict=False))
        for prefix, present in numbers.items()
        if len(present) >= len(parts)
    }
    if not named:
        return {}

    def rename(name: str) -> str:
        found = split.get(name)
        part = named.get(found[1], {}).get(int(found[2])) if found else None
        return f"{found[1]}{part}.{found[3]}" if found and part else name

    return {rename(name): value for name, value in tensors.items()}


# An EfficientNet of the package efficientnet-pytorch, which brought TensorFlow's weights over: `_blocks.3._bn1.weight`.
PORTED = re.compile(r"(?P<prefix>.*?)(?:_blocks\.(?P<block>\d+)\.)?(?P<part>_[a-z0-9_]+)\.(?P<leaf>\w+)")
PORTED_ENDS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
# Parts of a block there, in the order of computing, which is timm's too; a block has some of them.
PORTED_PARTS = (
    "_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_se_reduce", "_se_expand", "_project_conv", "_bn2",
)  # fmt: skip


def _ported(tensors: Mapping[str, Tensor], inner: nn.Module) -> Mapping[str, Tensor]:
    """Give EfficientNets of efficientnet-pytorch the names of timm's; {} where it is none.

    Blocks are counted through there, and by stage in timm. TensorFlow pads at the right and below first; a network of
    timm that does not, one without `tf_` in its name, would compute something else with these weights.
    """
    found = {name: match for name in tensors if (match := PORTED.fullmatch(name))}
    if not any(match["part"] == "_depthwise_conv" for match in found.values()):
        return {}
    if type(getattr(inner, "conv_stem", None)).__name__ != "Conv2dSame":
        return {}
    ours: dict[str, dict[str, None]] = {}
    for name in inner.state_dict():
        if block := re.fullmatch(r"(blocks\.\d+\.\d+)\.(.+)\.\w+", name):
            ours.setdefault(block[1], {})[block[2]] = None
    theirs: dict[tuple[str, int], set[str]] = {}
    for match in found.values():
        if match["block"]:
            theirs.setdefault((match["prefix"], int(match["block"])), set()).add(match["part"])
    names = {
        (key, part): f"{block}.{mine}"
        for key, parts in theirs.items()
        for block in list(ours)[key[1] : key[1] + 1]
        for part, mine in zip((of for of in PORTED_PARTS if of in parts), ours[block], strict=False)
    }

    def rename(name: str) -> str:
        match = found.get(name)
        if match is None:
            return name
        if match["block"]:
            key = (match["prefix"], int(match["block"]))
            # What no block of ours has stays under `blocks`, where it counts as left over.
            part = names.get((key, match["part"]), f"blocks.{match['block']}.{match['part']}")
        else:
            part = PORTED_ENDS.get(match["part"], match["part"])
        return f"{match['prefix']}{part}.{match['leaf']}"

    return {rename(name): value for name, value in tensors.items()}


SPELLINGS = (_as_written, _hugging_face, _numbered, _ported)


# -- what would fit
# What libraries raise where a network has no such stem, or cannot be built without values (torchvision's RegNets) or
# with the options of the house; nothing else was seen of them.
BUILD_ERRORS = (ConfigError, RuntimeError, TypeError, ValueError)
NEAR = 12  # names tried after these, the most like the one asked for; all of a library would take a minute
# Tried first, in this order.
COMMON = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2", "wide_resnet101_2",
    "resnext50_32x4d", "resnext101_32x8d", "resnet50_gn", "resnet18d", "resnet26", "resnet26d", "resnet34d",
    "resnet50d", "resnet101d", "convnext_tiny", "convnext_small", "convnext_base", "vit_tiny_patch16_224",
    "vit_small_patch16_224", "vit_base_patch16_224", "vit_small_patch8_224", "vit_base_patch8_224", "vit_b_16",
    "vit_l_16", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "mobilenet_v2",
    "mobilenetv2_100", "mobilenet_v3_large", "mobilenetv3_large_100", "densenet121", "densenet169", "swin_t",
    "swin_tiny_patch4_window7_224", "vgg16", "vgg16_bn",
)  # fmt: skip


def _way_out(backbone: Backbone, tensors: Mapping[str, Tensor], network: str) -> str:
    """Say which architecture the checkpoint fits, of those that are near."""
    library, asked = find_library(backbone.name)
    shapes = _shapes(tensors)
    stems: tuple[Stem, ...] = ("3x3", "published") if backbone.stem == "published" else ("published", "3x3")
    for stem in stems:
        if _fits(library, asked, stem, tensors, shapes, network):
            return f"It fits {backbone.name} with the stem {stem}: --set stem={stem}"
    for name in dict.fromkeys((*COMMON, *_near(library.architecture(asked)))):
        homes = [prefix for prefix, each in BACKBONE_LIBRARIES.items() if name in names_of(each)]
        found = [p for p in homes if _fits(BACKBONE_LIBRARIES[p], name, backbone.stem, tensors, shapes, network)]
        if found:
            # A bare name is the first library's that has it.
            named = name if found[0] == homes[0] else f"{found[0]}/{name}"
            return f"It fits {' or '.join(f'{prefix}/{name}' for prefix in found)}: --backbone {named}"
    return f"Its first names are {', '.join(sorted(tensors)[:SHOWN])}; give the --backbone that it was trained with"


@cache
def _near(name: str) -> tuple[str, ...]:
    """Return the names of all libraries that are the most like `name`: there are a thousand to compare it with."""
    known = sorted(frozenset[str]().union(*map(names_of, BACKBONE_LIBRARIES.values())))
    return tuple(difflib.get_close_matches(name, known, n=NEAR, cutoff=0.0))


def _fits(
    library: Library,
    name: str,
    stem: Stem,
    tensors: Mapping[str, Tensor],
    shapes: Counter[tuple[int, ...]],
    network: str,
) -> bool:
    """Return whether a checkpoint, with these shapes, is of that architecture; nothing is computed."""
    skeleton = _skeleton(library.build, name, stem)
    # What lacks some of a network's shapes cannot fit it, and need not be looked at.
    if skeleton is None or any(shapes[shape] < count for shape, count in skeleton.shapes.items()):
        return False
    inner = skeleton.inner
    report, _ = match(inner, tensors, network)
    return not (report.missing or report.mismatched or left_over(inner, report))


class _Skeleton(NamedTuple):
    """A network without values, and how often it has which shape."""

    inner: nn.Module
    shapes: Counter[tuple[int, ...]]


@cache
def _skeleton(build: Callable[[str, int], nn.Module], name: str, stem: Stem) -> _Skeleton | None:
    """Return a network without values; None where it cannot be built so, and is not offered."""
    try:
        with torch.device("meta"):
            inner = build(name, RGB)
            if stem == "3x3":
                use_small_stem(inner, name)
    except BUILD_ERRORS:
        return None
    return _Skeleton(inner, _shapes(inner.state_dict()))


def _shapes(tensors: Mapping[str, Tensor]) -> Counter[tuple[int, ...]]:
    """Count the shapes of tensors."""
    return Counter(tuple(value.shape) for name, value in tensors.items() if not name.endswith(DERIVED))


def _best_prefix(tensors: Mapping[str, Tensor], state: Mapping[str, Tensor], network: str) -> tuple[str, int]:
    """Return what stands before most names of `state` that come with their shapes, and of how many; ("", 0) of none."""
    fitting: Counter[str] = Counter()
    for name, value in tensors.items():
        starts = [0, *(dot.end() for dot in re.finditer(r"\.", name))]
        for start in starts:
            rest = name[start:]
            if rest in state and state[rest].shape == value.shape:
                fitting[name[:start]] += 1

    def preference(prefix: str) -> tuple[int, bool, bool, int]:
        words = set(re.split(r"[._]", prefix))
        return fitting[prefix], bool(words & MARKS[network]), not words & OTHER_COPY, -len(prefix)

    best = max(fitting, key=preference, default="")
    return best, fitting[best]
