"""Backbones and classifiers for other programs: ONNX, and folders that timm and transformers load.

Each is loaded or run by the other program and compared with the network itself before it is written.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sightline.errors import ConfigError, RunError, SightlineError
from sightline.files.atomic import atomic_path, write_text
from sightline.models.backbones import Backbone
from sightline.models.classifier import load_classifier
from sightline.models.heads import LinearHead
from sightline.models.libraries import RGB
from sightline.models.parity import OPSET, compare, needs_export, pictures
from sightline.models.weights import load_backbone, read_description
from sightline.runs import RunFolder
from sightline.runs.outputs import Exported
from sightline.runs.verbs import export_outputs

WAY_OUT = "export to ONNX, which holds the network itself"


class Network(nn.Module):
    """A run's backbone, with its linear classifier where it has one.

    Attributes:
        backbone: of a pretrain or classify run.
        head: of a classifier, else None.
        description: the run's model.json.
    """

    def __init__(self, backbone: Backbone, head: LinearHead | None, description: dict[str, Any]) -> None:
        super().__init__()
        self.backbone, self.head, self.description = backbone, head, description

    @property
    def classes(self) -> list[str]:
        """Names of a classifier's classes; [] of a backbone."""
        return self.description.get("classes", [])

    @property
    def input_size(self) -> int:
        """Side of the images that it was trained on, in pixels."""
        return int(self.description["preprocessing"]["input_size"])

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, K), or pooled features (B, dim), of normalised images (B, 3, H, W)."""
        features = self.backbone(images)
        return features if self.head is None else self.head(features)


def load_network(run: RunFolder) -> Network:
    """Load the network of a pretrain or classify run, in evaluation mode.

    Raises:
        RunError: no such run, or an unfinished one.
        WeightsError: damaged weights.
    """
    description = read_description(run)
    if description["kind"] == "classifier":
        classifier = load_classifier(run).classifier
        assert isinstance(classifier.backbone, Backbone)
        assert isinstance(classifier.head, LinearHead)
        return Network(classifier.backbone, classifier.head, description).eval()
    if description["kind"] != "backbone":
        raise RunError(f"{run.path}: holds a {description['kind']}; give the folder of a pretrain or classify run")
    return Network(load_backbone(run.path).backbone, None, description).eval()


def export_run(run: RunFolder, format: str, path: Path) -> Exported:
    """Write the network of a pretrain or classify run as onnx, timm or hf to `path`, a file or a folder."""
    writers = {"onnx": export_network_onnx, "timm": export_timm, "hf": export_transformers}
    with export_outputs(run, format, path).writing():
        return writers[format](load_network(run), path)


def export_network_onnx(network: Network, path: Path) -> Exported:
    """Write an ONNX file: `images` float32 (batch, C, S, S), normalised → `logits` or `features` (batch, D).

    S is the side that the network was trained on; class names, mean and standard deviation, and which bands and values
    were seen, are in its metadata.

    Raises:
        NotAvailable: the extra `export` is not installed.
        SightlineError: torch's exporter cannot write this network, or ONNX Runtime gives other outputs than PyTorch.
    """
    runtime = needs_export()
    side, output = network.input_size, "features" if network.head is None else "logits"
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of the exporter, about itself
        try:
            # A batch that is not one: the exporter takes one for a constant.
            graph = torch.export.export(
                network,
                (torch.zeros(2, network.backbone.in_chans, side, side),),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                strict=False,
            )
            program = torch.onnx.export(
                graph,
                input_names=["images"],
                output_names=[output],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except (RuntimeError, ValueError) as error:  # torch._dynamo's UserError and OnnxExporterError are RuntimeErrors
            raise SightlineError(
                f"export: torch cannot write {network.backbone.name} as ONNX: {str(error).strip().splitlines()[0]}"
            ) from error
    assert program is not None, "torch.onnx.export returns a program where dynamo=True"
    model: Any = program.model_proto
    preprocessing = network.description["preprocessing"]
    for key in ("mean", "std"):
        model.metadata_props.add(key=key, value=json.dumps(preprocessing[key]))
    if "reading" in network.description:
        model.metadata_props.add(key="reading", value=json.dumps(network.description["reading"]))
    if network.classes:
        model.metadata_props.add(key="classes", value=json.dumps(network.classes))
    content = model.SerializeToString()
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    pairs = []
    for batch in (1, 3):
        images = pictures(batch, side, side, in_chans=network.backbone.in_chans)
        with torch.no_grad():
            pairs.append((network(images).numpy(), session.run([output], {"images": images.numpy()})[0]))
    difference, largest = compare(pairs, "ONNX Runtime")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return Exported(path, difference, largest, f'onnxruntime.InferenceSession("{path}")')


def export_timm(network: Network, folder: Path) -> Exported:
    """Write config.json and model.safetensors, tensors named as timm names them, classifier and preprocessing included.

    Raises:
        ConfigError: timm does not have this network.
        SightlineError: timm gives other outputs.
    """

    def load(place: Path) -> Callable[[Tensor], Tensor]:
        return timm.create_model(f"local-dir:{place}", pretrained=True).eval()

    return _written(network, folder, load, "timm", f'timm.create_model("local-dir:{folder}", pretrained=True)')


def export_transformers(network: Network, folder: Path) -> Exported:
    """Write the same folder; transformers loads it through its wrapper of timm's models.

    Raises:
        ConfigError: timm does not have this network.
        SightlineError: transformers gives other outputs.
    """
    import transformers

    name = "AutoModel" if network.head is None else "AutoModelForImageClassification"

    def load(place: Path) -> Callable[[Tensor], Tensor]:
        model = getattr(transformers, name).from_pretrained(str(place)).eval()
        return lambda images: _output(model(images))

    return _written(network, folder, load, "transformers", f'transformers.{name}.from_pretrained("{folder}")')


def _output(outputs: Any) -> Tensor:
    logits = getattr(outputs, "logits", None)
    return outputs.pooler_output if logits is None else logits


def _written(
    network: Network, folder: Path, load: Callable[[Path], Callable[[Tensor], Tensor]], where: str, open_with: str
) -> Exported:
    model = _timm_model(network)
    preprocessing = network.description["preprocessing"]
    side = network.input_size
    config: dict[str, Any] = {
        "architecture": network.backbone.name.rpartition("/")[2].partition(".")[0],
        "num_classes": len(network.classes),
        "num_features": model.num_features,
        "pretrained_cfg": {
            "input_size": [network.backbone.in_chans, side, side],
            "mean": list(preprocessing["mean"]),
            "std": list(preprocessing["std"]),
            "interpolation": "bicubic",  # as `views.Resize`: shorter side to the size, central square
            "crop_pct": 1.0,
            "crop_mode": "center",
            "num_classes": len(network.classes),
            **{key: model.pretrained_cfg.get(key) for key in ("first_conv", "classifier")},
        },
    }
    if network.backbone.in_chans != RGB:
        config["model_args"] = {"in_chans": network.backbone.in_chans}
    if "reading" in network.description:
        config["reading"] = network.description["reading"]
    if network.classes:
        config["label_names"] = network.classes
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.tmp-{os.getpid()}-") as name:
        temporary = Path(name)
        write_text(temporary / "config.json", json.dumps(config, indent=1) + "\n")
        state = {key: value.clone(memory_format=torch.contiguous_format) for key, value in model.state_dict().items()}
        save_file(state, temporary / "model.safetensors", metadata={"format": "pt"})
        images = pictures(2, side, side, in_chans=network.backbone.in_chans)
        with torch.no_grad(), redirect_stdout(io.StringIO()):
            pair = network(images).numpy(), load(temporary)(images).flatten(1).numpy()
        difference, largest = compare([pair], where)
        for file in ("model.safetensors", "config.json"):  # the description last: with it the folder is whole
            with atomic_path(folder / file) as target:
                (temporary / file).rename(target)
    return Exported(folder, difference, largest, open_with)


def _timm_model(network: Network) -> Any:
    """Return timm's own model with this network's tensors.

    Raises:
        ConfigError: the network is another library's, has another stem, or a classifier of another form.
    """
    backbone = network.backbone
    library, _, bare = backbone.name.rpartition("/")
    bare = bare.partition(".")[0]
    if library == "torchvision" or not timm.is_model(bare):
        raise ConfigError(f"export: {backbone.name} is torchvision's, and timm's folders hold timm's models; {WAY_OUT}")
    if backbone.stem != "published":
        raise ConfigError(f"export: stem = {backbone.stem!r} is not in timm's {bare}; {WAY_OUT}")
    model: Any = timm.create_model(bare, pretrained=False, num_classes=len(network.classes), in_chans=backbone.in_chans)
    state = dict(backbone.inner.state_dict())
    if network.head is not None:
        name = model.pretrained_cfg.get("classifier")
        state |= {f"{name}.weight": network.head.weight, f"{name}.bias": network.head.bias}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ConfigError(f"export: timm's {bare} does not take these tensors ({reason}); {WAY_OUT}") from None
    return model.eval()
