"""Published weights by name: what arms B and D start from. They need a network once; without it they are not run."""

from __future__ import annotations

import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from huggingface_hub import constants
from torch import Tensor

from sightline.errors import ConfigError, NotAvailable, WeightsError, nearest
from sightline.files import file_sha256
from sightline.files.atomic import atomic_path, write_text
from sightline.models.backbones import build_backbone
from sightline.models.foreign import load_matching, read_foreign
from sightline.models.weights import Loaded

TIMEOUT = 15  # seconds without a byte
HUB_PREFIXES = ("hf-hub:", "hf_hub:")


class Release(NamedTuple):
    """Weights that their authors publish at an address."""

    url: str
    architecture: str


# As in hubconf.py of facebookresearch/dino, whose code itself is not run. The authors publish no checksum.
RELEASES = {
    "dino-resnet50": Release(
        "https://dl.fbaipublicfiles.com/dino/dino_resnet50_pretrain/dino_resnet50_pretrain.pth",
        "torchvision/resnet50",
    ),
}


def is_published(name: str) -> bool:
    """Return whether weights of that name are published: a release, a timm name or tag, or a hub id."""
    bare = name.removeprefix("timm/")
    return name in RELEASES or bare.startswith(HUB_PREFIXES) or bare in _timm_names()


def published_network(name: str) -> str | None:
    """Return the backbone that published weights bring, without loading them; None where only they say."""
    if name in RELEASES:
        return RELEASES[name].architecture
    return name if is_published(name) and not name.removeprefix("timm/").startswith(HUB_PREFIXES) else None


def load_published(name: str) -> Loaded:
    """Load published weights: `dino-resnet50`, a timm tag ("timm/TAG") or "hf-hub:ID".

    Raises:
        NotAvailable: the weights are neither here nor can be fetched; the reason is the first line of the cause.
        ConfigError: no such weights.
        WeightsError: they were read and do not fit.
    """
    return _from_release(name) if name in RELEASES else _from_timm(name)


def _from_release(name: str) -> Loaded:
    release = RELEASES[name]
    path = Path(torch.hub.get_dir()) / "checkpoints" / release.url.rpartition("/")[2]  # where torch.hub puts it too
    if not path.is_file():
        _download(release.url, path, name)
    _check_unchanged(path)
    backbone = build_backbone(release.architecture)
    return Loaded(backbone, load_matching(backbone, read_foreign(path), name), {})


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
        choices = [*RELEASES, *_timm_names()]
        raise ConfigError(
            f"reference = {name!r}: no such weights, file or run.{nearest(bare, choices)} "
            f"Give {', '.join(RELEASES)}, a timm tag, hf-hub:ID, a checkpoint file or a run folder"
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


def _answers(address: str) -> bool:
    request = urllib.request.Request(address, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT).close()
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
