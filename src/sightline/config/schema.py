"""What each part can be told. Defaults carry their reason; named sets of values are in `sightline.recipes`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sightline.config.base import Frozen

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
NonNegative = Annotated[int, Field(ge=0)]
Range = tuple[float, float]

Layout = Literal["auto", "folder", "list", "classes", "styles", "csv"]
Init = str  # "none", "reference", a run folder, a checkpoint file, or a timm / hub id
SETTINGS = ("A", "B", "C", "D", "E")


class SplitConfig(Frozen):
    """A stratified split, a function of sample ids and `seed` only."""

    val: Share = 0.15  # enough to see the plateau of ReduceLROnPlateau
    test: Share = 0.15
    seed: int = 0  # fixed apart from the run's seed: every seed and every arm is judged on the same images

    @model_validator(mode="after")
    def _room_for_training(self) -> SplitConfig:
        if self.val + self.test >= 1:
            raise ValueError(f"val + test = {self.val + self.test} leaves nothing to train on; keep it below 1")
        return self


class DataConfig(Frozen):
    """Which images, how they are laid out, and how they are stored."""

    source: str
    layout: Layout = "auto"
    style: str = "all"  # of style/class folders: one style's name, or all
    image_size: Annotated[int, Field(ge=8)] | None = None  # shorter side in the decoded cache; None: see `stored_for`
    max_bad_share: Share = 0.01  # a few broken files are normal in a found folder, one in a hundred is a warning
    split: SplitConfig = SplitConfig()

    def stored_for(self, input_size: int) -> DataConfig:
        """Return this with `image_size` settled: if not given, 8/7 of what a network sees (256 for 224 is usual)."""
        if self.image_size is not None:
            return self
        return self.model_copy(update={"image_size": round(input_size * 8 / 7)})


class ViewsConfig(Frozen):
    """The multi-crop of DINO (Caron et al. 2021, section 3.1 and the official code's DataAugmentationDINO)."""

    global_size: Positive = 224
    local_size: Positive = 96
    local_crops: NonNegative = 6
    global_scale: Range = (0.14, 1.0)  # share of the source's area
    local_scale: Range = (0.05, 0.14)
    ratio: Range = (3 / 4, 4 / 3)
    flip: Share = 0.5
    jitter: Share = 0.8  # probability of colour jitter
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1  # turns
    grey: Share = 0.2
    blur: tuple[Share, Share, Share] = (1.0, 0.1, 0.5)  # first global, second global, locals
    blur_sigma: Range = (0.1, 2.0)  # pixels of a 224-pixel view; scaled with the view's size
    solarize: Share = 0.2  # of the second global view only
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # ImageNet's, as every published backbone expects
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class DinoConfig(Frozen):
    """Head, loss and teacher of DINO; the defaults are the paper's for ResNet-50."""

    prototypes: Positive = 65536  # K, the output dimension
    hidden: Positive = 2048
    bottleneck: Positive = 256
    head_batch_norm: bool = False
    bottleneck_batch_norm: bool = False  # without it features of an untrained network all point one way
    student_temperature: float = 0.1
    teacher_temperature: float = 0.04
    teacher_temperature_start: float = 0.04
    teacher_temperature_epochs: float = 0
    centering: Literal["mean", "sinkhorn"] = "mean"  # sinkhorn: as SwAV and DINOv2; needs no memory, so it acts at once
    center_momentum: Share = 0.9
    koleo: Annotated[float, Field(ge=0)] = 0.0  # weight of DINOv2's spreading term; 0 is DINO as published
    momentum: Share = 0.996  # of the teacher at the first step, by cosine to momentum_end at the last
    momentum_end: Share = 1.0
    momentum_half_life: float | None = None  # epochs; takes the place of `momentum`, so it holds for any data size
    freeze_last_layer_epochs: float = 1


class OptimConfig(Frozen):
    """Optimiser, learning rate and its course."""

    name: Literal["sgd", "adamw", "lars"] = "sgd"
    lr: float = 0.03  # at `lr_batch` images a step
    lr_batch: NonNegative = 256  # linear scaling: lr × batch / lr_batch; 0 takes lr as it is
    momentum: Share = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    weight_decay_end: float | None = None  # by cosine; None keeps it constant
    warmup_epochs: float = 10
    final_lr: float = 1e-6
    clip: Annotated[float, Field(ge=0)] = 3.0  # norm; 0 turns clipping off
    clip_per_tensor: bool = False  # as the official DINO code does


class RunConfig(Frozen):
    """What every kind of training run has."""

    seed: int = 0
    device: str = "auto"  # auto | cpu | cuda | mps
    devices: Positive = 1
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"  # auto measures both once and says which won
    # Threads that prepare batches ahead; 0 prepares them in the loop. auto: 1 beside a GPU; 0 where the CPU trains, as
    # all its cores are busy then, and one thread more holds up each product that they share (docs/log.md).
    workers: NonNegative | Literal["auto"] = "auto"
    threads: NonNegative = 0  # of torch on a CPU; 0 leaves torch's own choice
    checkpoint_minutes: float = 5.0  # at most this much work is lost to a crash
    log_every: Positive = 10  # steps


class MonitorConfig(Frozen):
    """k-NN accuracy on labelled images during pretraining. For looking only: no gradient and no choice uses it."""

    data: DataConfig | None = None
    every_epochs: Positive = 5
    neighbours: Positive = 20


class PretrainConfig(RunConfig):
    """A DINO run."""

    kind: Literal["pretrain"] = "pretrain"
    recipe: str = ""
    data: DataConfig
    backbone: str = "resnet50"
    stem: Literal["published", "3x3"] = "published"  # 3x3, stride 2: for inputs of 64 px and less
    init: Init = "none"
    head_warmup_epochs: float = 0  # with init: the backbone stands still while the head learns
    views: ViewsConfig = ViewsConfig()
    views_on: Literal["auto", "cpu", "device"] = "auto"  # auto: a GPU gets source images, a hundredth of their crops
    dino: DinoConfig = DinoConfig()
    optim: OptimConfig = OptimConfig()
    monitor: MonitorConfig = MonitorConfig()
    epochs: Positive = 100
    batch_size: Positive = 128
    accumulate: Positive = 1  # batches a step


class ClassifyConfig(RunConfig):
    """One of the five settings, or any other mix of where weights come from and what is trained."""

    kind: Literal["classify"] = "classify"
    data: DataConfig
    backbone: str = "resnet50"  # used with init none and reference; a run brings its own
    stem: Literal["published", "3x3"] = "published"
    init: Init = "none"
    network: Literal["teacher", "student"] = (
        "teacher"  # of a checkpoint file that holds both; the teacher is the better
    )
    reference: str = "dino-resnet50"  # what init "reference" means: a name, timm tag, hub id, file or run
    freeze: bool = False
    labels: Annotated[float, Field(gt=0, le=1)] = 1.0  # share of the training labels used, stratified
    input_size: Positive = 64  # pixels of the side fed to the backbone
    augment: Literal["none", "flip", "crop"] = "crop"
    crop_scale: Range = (0.5, 1.0)  # of `augment: crop`; milder than ImageNet's 0.08, which suits few labels
    cached_views: Positive = 2  # frozen only: augmented copies whose features are computed once; 4 were no better (log)
    feature_cache: bool = True  # frozen only; False runs the backbone every epoch, to check the cache against
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = 1e-4
    weight_decay: float = 1e-4
    epochs: Positive = 25
    batch_size: Positive = 32
    plateau_patience: NonNegative = 3
    plateau_factor: Share = 0.1
    keep_features: NonNegative = 0  # training samples whose features are kept at the first and the last epoch
    tune: tuple[float, ...] = ()  # learning rates tried on validation; () takes lr as it is


# Images at a time where nothing is trained: near the fastest on a CPU at 64 px and at 224 (docs/log.md).
FEATURE_BATCH = 96


class EmbedConfig(Frozen):
    """Features of a run on a data set, and their picture."""

    kind: Literal["embed"] = "embed"
    run: str
    data: DataConfig
    split: Literal["train", "val", "test", "all"] = "all"
    tsne: bool = False
    perplexity: float = 30.0
    seed: int = 0
    device: str = "auto"
    batch_size: Positive = FEATURE_BATCH
