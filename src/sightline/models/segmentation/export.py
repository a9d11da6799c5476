"""Segmentation networks for other programs: ONNX, and folders that segmentation-models-pytorch loads.

Both are run and compared with the network itself before they are written.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sightline.errors import ConfigError, SightlineError
from sightline.files.atomic import atomic_path, write_text
from sightline.models.parity import OPSET, compare, needs_export, pictures
from sightline.models.segmentation.build import plain_name
from sightline.models.segmentation.files import load_segmenter
from sightline.models.segmentation.library import ARCHITECTURES, encoder_key
from sightline.models.segmentation.library_encoder import is_registered
from sightline.models.segmentation.segmenter import Segmenter
from sightline.models.segmentation.unet import Unet
from sightline.runs import RunFolder
from sightline.runs.outputs import Exported
from sightline.runs.verbs import export_outputs

NOTED = ("preprocessing", "reading", "classes")  # of model.json: what a reader of the file needs beside the network
LARGEST_SIDE = 8192  # pixels; the bound under which the exporter reasons about sizes


@dataclass(frozen=True)
class OnnxReport:
    """A written ONNX file.

    Attributes:
        path: of the file: input `images` float32 (batch, C, height, width), normalised; output `logits`
            (batch, classes, height, width).
        smallest: least height and width that it takes, in pixels.
        sizes: (batch, height, width) that it was checked on.
        max_difference: largest absolute difference of a logit between ONNX Runtime and PyTorch there.
        largest_logit: largest absolute logit there.
    """

    path: Path
    smallest: int
    sizes: tuple[tuple[int, int, int], ...]
    max_difference: float
    largest_logit: float


@dataclass(frozen=True)
class LibraryReport:
    """A written folder for `segmentation_models_pytorch.from_pretrained`.

    Attributes:
        folder: with config.json and model.safetensors.
        architecture: that library's class.
        encoder: that library's name of the encoder.
        max_difference: largest absolute difference of a logit between that library and ours.
        largest_logit: largest absolute logit there.
    """

    folder: Path
    architecture: str
    encoder: str
    max_difference: float
    largest_logit: float


class _Core(nn.Module):
    """A network on images whose sides are multiples of its stride: no arithmetic on sizes but halving and doubling."""

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, images: Tensor) -> Tensor:
        return self.segmenter.run(images)[0]


def export_run(run: RunFolder, format: str, path: Path) -> Exported:
    """Write the network of a segment run as onnx, smp or hf to `path`, a file or a folder; smp and hf are the same."""
    with export_outputs(run, format, path).writing():
        loaded = load_segmenter(run.path)
        segmenter = loaded.segmenter
        if format == "onnx":
            written = export_onnx(segmenter, path, loaded.description)
            open_with = f'onnxruntime.InferenceSession("{path}")'
        else:
            written = export_library(segmenter, path)
            open_with = f'segmentation_models_pytorch.from_pretrained("{path}")'
    return Exported(path, written.max_difference, written.largest_logit, open_with)


def export_onnx(segmenter: Segmenter, path: Path, description: Mapping[str, Any] | None = None) -> OnnxReport:
    """Write an ONNX file that takes any batch and any size from `smallest` up, padding included.

    Args:
        segmenter: the network.
        path: to write.
        description: model.json of its run, of which preprocessing, reading and classes go into the file's metadata.

    Raises:
        NotAvailable: the extra `export` is not installed.
        SightlineError: torch's exporter cannot write this network, or ONNX Runtime gives other logits than PyTorch.
    """
    runtime = needs_export()
    training = segmenter.training
    smallest = 2 * segmenter.stride  # below it padding would need more than reflection gives
    sizes = ((1, smallest, smallest), (2, smallest + 7, 2 * smallest - 3), (1, 3 * smallest, smallest + 1))
    try:
        segmenter.eval()
        program = _core_program(segmenter)
        for key in NOTED:
            if key in (description or {}):
                program.metadata_props.add(key=key, value=json.dumps((description or {})[key]))
        content = _any_size(program, segmenter.stride, segmenter.in_chans)
        session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
        pairs = [_run_both(segmenter, session, size) for size in sizes]
    finally:
        segmenter.train(training)
    difference, largest = compare(pairs, "ONNX Runtime")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return OnnxReport(path, smallest, sizes, difference, largest)


def _core_program(segmenter: Segmenter) -> Any:
    """Return the ONNX model of the network on multiples of its stride."""
    sides = {
        axis: segmenter.stride * torch.export.Dim(name, min=2, max=LARGEST_SIDE // segmenter.stride)
        for axis, name in ((2, "rows"), (3, "columns"))
    }
    dimensions = ({0: torch.export.Dim("batch", min=1), **sides},)
    # Unequal sides, and a batch that is not one: the exporter takes equal sizes for one size, and one for a constant.
    example = torch.zeros(2, segmenter.in_chans, 2 * segmenter.stride, 4 * segmenter.stride).contiguous(
        memory_format=torch.channels_last
    )
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of the exporter, about itself
        try:
            graph = torch.export.export(_Core(segmenter).eval(), (example,), dynamic_shapes=dimensions, strict=False)
            program = torch.onnx.export(
                graph,
                input_names=["padded"],
                output_names=["padded_logits"],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except (RuntimeError, ValueError) as error:  # torch._dynamo's UserError and OnnxExporterError are RuntimeErrors
            raise SightlineError(
                f"export: torch cannot write {segmenter.name} on {segmenter.encoder_name} as ONNX for any size: "
                f"{str(error).strip().splitlines()[0]}"
            ) from error
    assert program is not None, "torch.onnx.export returns a program where dynamo=True"
    return program.model_proto


def _any_size(model: Any, stride: int, in_chans: int) -> bytes:
    """Put the padding before, and the cutting after, a model that takes multiples of `stride`; return the file."""
    import onnx

    helper: Any = onnx.helper
    graph = model.graph
    constants = {"zeros": [0] * 6, "stride": [stride], "from": [0, 0], "axes": [2, 3]}
    graph.initializer.extend(
        onnx.numpy_helper.from_array(np.array(values, np.int64), f"size_{name}") for name, values in constants.items()
    )
    before = [
        helper.make_node("Shape", ["images"], ["size"], start=2, end=4),
        helper.make_node("Neg", ["size"], ["size_negative"]),
        helper.make_node("Mod", ["size_negative", "size_stride"], ["size_missing"]),  # has the sign of the divisor
        helper.make_node("Concat", ["size_zeros", "size_missing"], ["size_pads"], axis=0),
        helper.make_node("Pad", ["images", "size_pads"], ["padded"], mode="reflect"),
    ]
    after = helper.make_node("Slice", ["padded_logits", "size_from", "size", "size_axes"], ["logits"])
    nodes = [*before, *graph.node, after]
    classes = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    images = helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["batch", in_chans, "height", "width"])
    logits = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", classes, "height", "width"])
    for field, values in ((graph.node, nodes), (graph.input, [images]), (graph.output, [logits])):
        copies = list(values)
        del field[:]
        field.extend(copies)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@torch.no_grad()
def _run_both(segmenter: Segmenter, session: Any, size: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    images = pictures(*size, in_chans=segmenter.in_chans)
    (outputs,) = session.run(["logits"], {"images": images.numpy()})
    return segmenter(images).numpy(), outputs


def export_library(segmenter: Segmenter, folder: Path) -> LibraryReport:
    """Write a folder that `segmentation_models_pytorch.from_pretrained(folder)` loads, with the same logits.

    A skip that was zeroed becomes one whose weights are zero.

    Raises:
        ConfigError: that library cannot build this network: a 3×3 stem, a skip dropped by structure, an encoder whose
            tensors it names otherwise.
        SightlineError: it gives other logits.
    """
    if segmenter.stem != "published":
        raise ConfigError(f"export: stem = {segmenter.stem!r} is not in segmentation-models-pytorch; export to ONNX")
    architecture = ARCHITECTURES["smp-unet" if segmenter.name == "unet" else segmenter.name]
    key = encoder_key(segmenter.encoder_name)
    if is_registered(key):
        raise ConfigError(
            f"export: segmentation-models-pytorch has no encoder {segmenter.encoder_name}; export to ONNX"
        )
    network = architecture(
        encoder_name=key, encoder_weights=None, in_channels=segmenter.in_chans, classes=segmenter.classes
    )
    state = _renamed(segmenter, network.state_dict())
    config = {
        "_model_class": architecture.__name__,
        "encoder_name": key,
        "encoder_weights": None,
        "in_channels": segmenter.in_chans,
        "classes": segmenter.classes,
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.tmp-{os.getpid()}-") as name:
        temporary = Path(name)
        write_text(temporary / "config.json", json.dumps(config, indent=1) + "\n")
        save_file(state, temporary / "model.safetensors")
        pair = _load_and_run(segmenter, temporary)
        difference, largest = compare([pair], "segmentation-models-pytorch")
        for file in ("model.safetensors", "config.json"):  # the description last: with it the folder is whole
            with atomic_path(folder / file) as target:
                (temporary / file).rename(target)
    return LibraryReport(folder, architecture.__name__, key, difference, largest)


def _renamed(segmenter: Segmenter, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return our tensors under the library's names; each must exist there with the same shape."""
    tensors = {_plain(name): value for name, value in _folded(segmenter).items()}
    wrong = [name for name, value in theirs.items() if tensors.get(_plain(name), torch.empty(0)).shape != value.shape]
    if wrong:
        raise ConfigError(
            f"export: segmentation-models-pytorch's {segmenter.name} on {segmenter.encoder_name} has "
            f"{len(wrong)} tensors that this network lacks or has in another shape ({', '.join(wrong[:3])}); "
            "export to ONNX"
        )
    return {name: tensors[_plain(name)].detach().cpu().clone(memory_format=torch.contiguous_format) for name in theirs}


def _folded(segmenter: Segmenter) -> dict[str, Tensor]:
    """Return the network's tensors, the weights that read a zeroed skip set to zero."""
    state = dict(segmenter.state_dict())
    if isinstance(segmenter, Unet):
        for number, plan in enumerate(segmenter.decoder.plans):
            if plan.index in segmenter.dropped and plan.skip_channels:
                name = f"decoder.blocks.{number}.conv1.0.weight"
                state[name] = state[name].clone()
                state[name][:, plan.channels :] = 0
    return state


def _plain(name: str) -> str:
    part, _, rest = name.partition(".")
    return f"{part}.{plain_name(rest)}" if part == "encoder" else name


@torch.no_grad()
def _load_and_run(segmenter: Segmenter, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    training = segmenter.training
    with redirect_stdout(io.StringIO()):
        network: Any = smp.from_pretrained(str(folder), strict=True).eval()
    side = 2 * segmenter.stride
    images = pictures(2, side, 2 * side, in_chans=segmenter.in_chans)
    try:
        return segmenter.eval()(images).numpy(), network(images).numpy()
    finally:
        segmenter.train(training)
