"""The table of prompt engines. To add one: a file with a `PromptEngine`, and a line here."""

from __future__ import annotations

from typing import NamedTuple

from sightline.errors import ConfigError, nearest


class EngineInfo(NamedTuple):
    """One line of the registry.

    Attributes:
        path: "module:Class" of the PromptEngine, imported when it is asked for.
        description: what it is, in words.
        accepts: of "points", "box", "text", "mask_input", "everything".
        weights: hub id, or a name of the file to give; "" for an engine without weights.
        license: of the weights.
        model_types: `model_type` in config.json of weights in transformers' format; the hub's files of SAM 2 and later
            name the video model that holds the image model.
        url: of the weights, where they are a file of no hub.
        gated: whether the hub gives the weights only to who is signed in and has accepted their license.
    """

    path: str
    description: str
    accepts: frozenset[str]
    weights: str = ""
    license: str = ""
    model_types: tuple[str, ...] = ()
    url: str = ""
    gated: bool = False

    @property
    def needs(self) -> str:
        """What must be downloaded before the first answer, in words."""
        return f"weights {self.weights}" if self.weights else "nothing to download"

    @property
    def fetching(self) -> str:
        """The commands that bring the weights, joined by `&&`; "" where there are none."""
        if self.url:
            return f"curl -L -o {self.weights} {self.url}"
        sign_in = ["hf auth login"] if self.gated else []
        return " && ".join(sign_in + [fetch_command(model) for model in self.weights.split("+") if model])


# What transformers reads. The repositories hold the same weights in other formats too, some of them pickles.
HUB_FILES = ("*.json", "*.safetensors", "*.txt")


def fetch_command(model_id: str) -> str:
    """Return the command that brings a model of the hub into its cache, where engines look."""
    return f"hf download {model_id} " + " ".join(f"--include '{pattern}'" for pattern in HUB_FILES)


_POINTED = frozenset({"points", "box", "mask_input", "everything"})
_ROOM = "sightline.models.promptable"

ENGINES: dict[str, EngineInfo] = {
    "graphcut": EngineInfo(
        f"{_ROOM}.graphcut:GraphCut",
        "graph cut on superpixels, after GrabCut and GeoS",
        frozenset({"points", "box", "everything"}),
    ),
    "sam": EngineInfo(
        f"{_ROOM}.sam:Sam", "Segment Anything", _POINTED, "facebook/sam-vit-base", "Apache-2.0", ("sam",)
    ),
    "sam-hq": EngineInfo(
        f"{_ROOM}.sam:SamHQ",
        "SAM-HQ: finer boundaries",
        _POINTED,
        "syscv-community/sam-hq-vit-base",
        "Apache-2.0",
        ("sam_hq",),
    ),
    "sam2": EngineInfo(
        f"{_ROOM}.sam:Sam2",
        "SAM 2.1: better and faster than SAM",
        _POINTED,
        "facebook/sam2.1-hiera-small",
        "Apache-2.0",
        ("sam2", "sam2_video"),
    ),
    "edgetam": EngineInfo(
        f"{_ROOM}.sam:EdgeTam",
        "EdgeTAM: SAM 2 for small devices",
        _POINTED,
        "yonigozlan/EdgeTAM-hf",
        "Apache-2.0",
        ("edgetam", "edgetam_video"),
    ),
    "mobile-sam": EngineInfo(
        f"{_ROOM}.mobile_sam:MobileSam",
        "MobileSAM: SAM for small devices",
        _POINTED,
        "mobile_sam.pt",
        "Apache-2.0",
        url="https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
    ),
    "sam3": EngineInfo(
        f"{_ROOM}.text:Sam3",
        "SAM 3: every instance of some words",
        frozenset({"text", "box"}),
        "facebook/sam3",
        "SAM License",
        ("sam3", "sam3_video"),
        gated=True,
    ),
    "grounded-sam": EngineInfo(
        f"{_ROOM}.text:GroundedSam",
        "Grounding DINO finds boxes for words, SAM 2.1 their masks",
        frozenset({"text"}),
        "IDEA-Research/grounding-dino-tiny+facebook/sam2.1-hiera-small",
        "Apache-2.0",
    ),
}

# It runs anywhere at once: no weights, no GPU.
DEFAULT_ENGINE = "graphcut"


def engine_named(name: str) -> EngineInfo:
    """Return the line of that name.

    Raises:
        ConfigError: no such engine.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine = {name!r}: expected one of {', '.join(ENGINES)}.{nearest(name, ENGINES)}")
    return ENGINES[name]


def engines_text() -> str:
    """Return the registry in one line, for help texts."""
    return "; ".join(f"{name}: {info.description}, {info.needs}" for name, info in ENGINES.items())
