"""Types that several configurations share, each under one name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Fraction = Annotated[float, Field(ge=0, le=1)]
# Of a whole, of which something must be left.
Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
NonNegative = Annotated[int, Field(ge=0)]
# Of a machine's processor: no machine has more cores, and torch crashes where it is given many more threads.
Threads = Annotated[int, Field(ge=0, le=1024)]
# A float of zero or more, for example a weight of a loss.
Weight = Annotated[float, Field(ge=0)]
Range = tuple[float, float]
# A float above zero, for example a temperature.
Above = Annotated[float, Field(gt=0)]
# An averaging factor: at 1 nothing new would count.
Factor = Annotated[float, Field(ge=0, lt=1)]
# Parts of a turn of the color circle.
Hue = Annotated[float, Field(ge=0, le=0.5)]

# Index of the pixels of a mask that neither teach nor count, as in PASCAL VOC and Cityscapes: the largest uint8, so no
# class of a mask has it.
IGNORE_INDEX = 255

# "none", "reference", a run folder, a checkpoint file, or a timm or hub id.
Init = str
Layout = Literal["auto", "folder", "list", "classes", "styles", "csv"]
MaskLayout = Literal["auto", "project", "pairs", "folders", "labelme", "coco", "yolo"]
# What the pixels of predicted masks are: colors, values of the classes, or values with a table of colors.
MaskForm = Literal["rgb", "index", "palette"]
Stem = Literal["published", "3x3"]
# Which of the two networks of a self-distillation checkpoint.
Network = Literal["teacher", "student"]
DropMode = Literal["zero", "structural"]
# What of a classifier is trained.
Train = Literal["head", "last-stage", "all"]
# How a head on a frozen backbone is trained.
HeadSolver = Literal["gradient", "lbfgs"]
Precision = Literal["auto", "32-true", "bf16-mixed"]
Device = Literal["auto", "cpu", "cuda", "mps"]
# What a network can be written as, for other programs.
ExportFormat = Literal["onnx", "timm", "hf", "smp"]
Schedule = Literal["cosine", "poly", "plateau", "constant"]
