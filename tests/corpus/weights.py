"""Checkpoints of others: how their names are found, and what is refused because it is of another network.

The files hold every name and shape of real networks, but one number a tensor, repeated: they are small, and quick.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from corpus.case import Case, Refused


@cache
def network(name: str, stem: str = "published") -> Any:
    """Return a backbone without values."""
    import torch

    from sightline.models.backbones import Backbone, find_library, use_small_stem

    library, bare = find_library(name)
    with torch.device("meta"):
        inner = library.build(bare, 3)
        if stem == "3x3":
            use_small_stem(inner, name)
    return Backbone(inner, name, stem, 0)  # pyright: ignore[reportArgumentType]


def tensors(name: str, stem: str = "published", value: float = 0.5) -> dict[str, Any]:
    """Return names and shapes of a network, each tensor one number repeated."""
    import torch

    state = network(name, stem).inner.state_dict()
    return {key: torch.tensor(value).to(of.dtype).expand(of.shape) for key, of in state.items()}


def one(*shape: int, value: float = 0.5) -> Any:
    """Return a tensor of one number repeated."""
    import torch

    return torch.tensor(value).expand(shape)


State = dict[str, Any]
Change = Callable[[State], Any]


def file(name: str, change: Change = lambda state: state, stem: str = "published") -> Callable[[Path], object]:
    """Return what writes x.pth: a network's tensors, changed."""

    def write(folder: Path) -> None:
        import torch

        torch.save(change(tensors(name, stem)), folder / "x.pth")

    return write


def into(name: str, stem: str = "published") -> Callable[[Path], str]:
    """Return what loads x.pth into a network and returns what was used, in words."""

    def look(folder: Path) -> str:
        from sightline.models.foreign import load_matching, read_foreign

        tensors = read_foreign(folder / "x.pth")
        with warnings.catch_warnings():
            # A network without values takes none.
            warnings.filterwarnings("ignore", message=".*meta parameter in the current model, which is a no-op")
            return str(load_matching(network(name, stem), tensors, "x.pth"))

    return look


def under(prefix: str) -> Change:
    return lambda state: {prefix + name: value for name, value in state.items()}


def without(pattern: str) -> Change:
    return lambda state: {name: value for name, value in state.items() if not re.search(pattern, name)}


def plus(**more: tuple[int, ...]) -> Change:
    return lambda state: {**state, **{name.replace("__", "."): one(*shape) for name, shape in more.items()}}


def with_value(name: str, value: float) -> Change:
    return lambda state: {**state, name: one(*state[name].shape, value=value)}


def with_shape(name: str, *shape: int) -> Change:
    return lambda state: {**state, name: one(*shape)}


def numbered(*parts: str) -> Change:
    """Return nn.Sequential's numbers in the place of the names of parts; "" is a part without tensors."""
    numbers = {part: str(number) for number, part in enumerate(parts)}
    return lambda state: {
        f"{numbers[name.partition('.')[0]]}.{name.partition('.')[2]}": value for name, value in state.items()
    }


def hugging_face(state: State) -> State:
    rules = (
        (r"^conv1\.", "embedder.embedder.convolution."),
        (r"^bn1\.", "embedder.embedder.normalization."),
        (r"^layer(\d)\.(\d+)\.", lambda m: f"encoder.stages.{int(m[1]) - 1}.layers.{m[2]}."),
        (r"\.downsample\.0\.", ".shortcut.convolution."),
        (r"\.downsample\.1\.", ".shortcut.normalization."),
        (r"\.conv(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.convolution."),
        (r"\.bn(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.normalization."),
    )
    renamed = {}
    for name, value in state.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        renamed[f"resnet.{name}"] = value
    return renamed


def both(student: str, teacher: str, apart: Change = lambda state: state) -> Change:
    return lambda state: {**under(student)(apart(state)), **under(teacher)(state)}


ALL18 = "120 of 120 tensors used; not used: none; missing: none"
ALL50 = "318 of 318 tensors used; not used: none; missing: none"
LIGHTLY = ("conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4")
CIFAR = ("conv1", "bn1", "", "layer1", "layer2", "layer3", "layer4")
PREFIXES = (
    "module.", "backbone.", "module.backbone.", "model.", "net.", "encoder.", "module.encoder_q.", "_orig_mod.",
    "trunk._feature_blocks.", "teacher.backbone.", "teacher_backbone.", "momentum_encoder.", "_model.", "0.backbone.",
    "lightly_train_model._model.", "student_embedding_model.wrapped_model._model.",
)  # fmt: skip
DEEPER = (
    ("resnet34", "resnet18"), ("resnet18", "resnet34"), ("resnet50", "resnet18"), ("resnet101", "resnet50"),
    ("resnet50", "resnet101"), ("resnet152", "resnet101"), ("wide_resnet50_2", "resnet50"), ("resnet26", "resnet50"),
    ("resnet50d", "resnet50"), ("resnext50_32x4d", "resnet50"),
)  # fmt: skip

CASES = [
    Case("torchvision's state dict with its classifier",
         file("resnet18", plus(fc__weight=(1000, 512), fc__bias=(1000,))), into("resnet18"),
         "120 of 122 tensors used; not used: fc.bias, fc.weight; missing: none", "Weights",
         "the backbone; the classifier is left out, and said so"),
    Case("backbone only", file("resnet18"), into("resnet18"), ALL18, "Weights"),
    Case("a ResNet-50 of torchvision into timm's", file("torchvision/resnet50"), into("timm/resnet50"), ALL50),
    Case("a ResNet-50 of timm into torchvision's", file("timm/resnet50"), into("torchvision/resnet50"), ALL50),
    *(Case(f"under the prefix {prefix}", file("resnet18", under(prefix)), into("resnet18"),
           f"{ALL18}; found under {prefix}") for prefix in PREFIXES),
    Case("nested in state_dict", file("resnet18", lambda s: {"state_dict": s, "epoch": 3}), into("resnet18"),
         f"{ALL18}; found under state_dict.", "Weights"),
    Case("nested five deep", file("resnet18", lambda s: {"a": {"b": {"c": {"d": {"e": s}}}}}), into("resnet18"),
         f"{ALL18}; found under a.b.c.d.e."),
    Case("DINO's teacher and student", file("resnet18", both("student.module.backbone.", "teacher.backbone.")),
         into("resnet18"), "120 of 240 tensors used; not used: 120 under other names; missing: none; found under "
         "teacher.backbone.", "Weights", "the teacher, unless --network student"),
    Case("MoCo's two encoders", file("resnet18", both("module.encoder_k.", "module.encoder_q.")), into("resnet18"),
         "120 of 240 tensors used; not used: 120 under other names; missing: none; found under module.encoder_q."),
    Case("a student of another depth beside the teacher",
         file("resnet18", both("student.", "teacher.", without(r"layer4"))), into("resnet18"),
         "120 of 210 tensors used; not used: 90 under other names; missing: none; found under teacher."),
    Case("lightly's numbered ResNet-18", file("resnet18", numbered(*LIGHTLY)), into("resnet18"), ALL18, "Weights"),
    Case("lightly's numbered ResNet-50 under a prefix",
         file("resnet50", lambda s: under("backbone.")(numbered(*LIGHTLY)(s))), into("resnet50"),
         f"{ALL50}; found under backbone."),
    Case("a numbered ResNet with its classifier",
         file("resnet18", lambda s: {**numbered(*LIGHTLY)(s), "9.weight": one(10, 512), "9.bias": one(10)}),
         into("resnet18"), "120 of 122 tensors used; not used: 9.bias, 9.weight; missing: none"),
    Case("a numbered ResNet without max-pool and with a 3×3 stem", file("resnet18", numbered(*CIFAR), "3x3"),
         into("resnet18", "3x3"), ALL18),
    Case("a numbered ResNet-101 into a ResNet-50", file("resnet101", numbered(*LIGHTLY)), into("resnet50"),
         Refused("left over: layer3.10", "--backbone resnet101")),
    Case("Hugging Face's ResNet-18", file("resnet18", hugging_face), into("resnet18"), f"{ALL18}; found under resnet.",
         "Weights"),
    Case("Hugging Face's ResNet-50", file("resnet50", hugging_face), into("torchvision/resnet50"),
         f"{ALL50}; found under resnet."),
    Case("Hugging Face's ResNet-50 into a ResNet-101", file("resnet50", hugging_face), into("resnet101"),
         Refused("--backbone resnet50")),
    *(Case(f"a {given} into a {asked}", file(given), into(asked), Refused("does not fit", f"--backbone {given}"),
           "Weights" if (given, asked) == ("resnet101", "resnet50") else "") for given, asked in DEEPER),
    Case("the published stem into the 3×3 one", file("resnet18"), into("resnet18", "3x3"),
         Refused("conv1.weight", "--set stem=published"), "Weights"),
    Case("the 3×3 stem into the published one", file("resnet18", stem="3x3"), into("resnet18"),
         Refused("conv1.weight", "--set stem=3x3")),
    Case("without batch norm's statistics", file("resnet18", without(r"running_")), into("resnet18"),
         Refused("missing: bn1.running_mean"), "Weights"),
    Case("without one running variance", file("resnet18", without(r"^layer2\.1\.bn2\.running_var")), into("resnet18"),
         Refused("missing: layer2.1.bn2.running_var")),
    Case("without the counts of batches", file("resnet18", without("num_batches_tracked")), into("resnet18"),
         "100 of 100 tensors used; not used: none; missing: none"),
    Case("without a convolution", file("resnet18", without(r"^layer3\.0\.conv2")), into("resnet18"),
         Refused("missing: layer3.0.conv2.weight")),
    Case("without a stage", file("resnet18", without(r"^layer4")), into("resnet18"), Refused("missing: layer4.0.")),
    Case("a convolution of another shape", file("resnet18", with_shape("layer1.0.conv1.weight", 64, 64, 1, 1)),
         into("resnet18"), Refused("other shape: layer1.0.conv1.weight"), "Weights"),
    Case("a batch norm of another width", file("resnet18", with_shape("bn1.weight", 32)), into("resnet18"),
         Refused("other shape: bn1.weight")),
    Case("a stem of one band", file("resnet18", with_shape("conv1.weight", 64, 1, 7, 7)), into("resnet18"),
         Refused("other shape: conv1.weight")),
    Case("a block more", file("resnet18", plus(layer4__2__conv1__weight=(512, 512, 3, 3))), into("resnet18"),
         Refused("left over: layer4.2.conv1.weight")),
    Case("a bias more", file("resnet18", plus(conv1__bias=(64,))), into("resnet18"), Refused("left over: conv1.bias")),
    Case("a projector beside the backbone", file("resnet18", plus(projector__0__weight=(8, 512))), into("resnet18"),
         "120 of 121 tensors used; not used: projector.0.weight; missing: none"),
    Case("an optimizer's moments beside the backbone",
         file("resnet18", lambda s: {"model": s, "optimizer": {"state": {0: {"exp_avg": one(64, 3, 7, 7)}}}}),
         into("resnet18"), "120 of 121 tensors used; not used: 1 under other names; missing: none; found under model."),
    Case("half precision", file("resnet18", lambda s: {n: v.half() for n, v in s.items()}), into("resnet18"), ALL18),
    Case("bfloat16", file("resnet18", lambda s: {n: v.bfloat16() for n, v in s.items()}), into("resnet18"), ALL18),
    Case("NaN in a convolution", file("resnet18", with_value("layer1.0.conv1.weight", float("nan"))), into("resnet18"),
         Refused("x.pth", "NaN or infinity: layer1.0.conv1.weight"), "Weights"),
    Case("infinity in a running variance", file("resnet18", with_value("bn1.running_var", float("inf"))),
         into("resnet18"), Refused("NaN or infinity: bn1.running_var")),
    Case("NaN in what is not used", file("resnet18", lambda s: {**s, "fc.weight": one(9, 512, value=float("nan"))}),
         into("resnet18"), "120 of 121 tensors used; not used: fc.weight; missing: none"),
    Case("a ViT with its classifier", file("vit_tiny_patch16_224", plus(head__weight=(1000, 192), head__bias=(1000,))),
         into("vit_tiny_patch16_224"), "150 of 152 tensors used; not used: head.bias, head.weight; missing: none"),
    Case("MAE's decoder beside a ViT",
         file("vit_tiny_patch16_224", plus(mask_token=(1, 1, 64), decoder_embed__weight=(64, 192))),
         into("vit_tiny_patch16_224"),
         "150 of 152 tensors used; not used: decoder_embed.weight, mask_token; missing: none"),
    Case("a ViT-S into a ViT-Ti", file("vit_small_patch16_224"), into("vit_tiny_patch16_224"),
         Refused("--backbone vit_small_patch16_224")),
    Case("a ResNet into a ViT", file("resnet50"), into("vit_tiny_patch16_224"), Refused("--backbone resnet50")),
    Case("a ViT into a ResNet", file("vit_tiny_patch16_224"), into("resnet50"),
         Refused("--backbone vit_tiny_patch16_224")),
    Case("a ConvNeXt into a ResNet", file("timm/convnext_tiny"), into("resnet50"), Refused("--backbone convnext_tiny")),
    Case("a VGG with the classifier's last layer",
         file("torchvision/vgg11", plus(classifier__6__weight=(1000, 4096), classifier__6__bias=(1000,))),
         into("torchvision/vgg11"),
         "20 of 22 tensors used; not used: classifier.6.bias, classifier.6.weight; missing: none"),
    Case("of no network at all", file("resnet18", lambda s: {"a": one(3), "b.c": one(4)}), into("resnet18"),
         Refused("0 of 2 tensors used", "first names are a, b.c")),
    Case("no tensors", file("resnet18", lambda s: {"epoch": 3}), into("resnet18"), Refused("holds no tensors by name")),
    Case("a list", file("resnet18", lambda s: [1, 2]), into("resnet18"), Refused("holds no tensors by name", "list")),
    Case("sparse tensors", file("resnet18", lambda s: {n: one(2, 2).clone().to_sparse() for n in s}), into("resnet18"),
         Refused("x.pth", "not readable")),
    Case("an empty file", lambda folder: (folder / "x.pth").write_bytes(b""), into("resnet18"),
         Refused("x.pth", "not readable"), "Weights"),
    Case("an error page instead of a file", lambda folder: (folder / "x.pth").write_text("<html>404</html>"),
         into("resnet18"), Refused("x.pth", "not readable")),
    Case("a folder in place of a file", lambda folder: (folder / "x.pth").mkdir(), into("resnet18"),
         Refused("x.pth", "not readable")),
]  # fmt: skip
