"""The implementation table: what was run, from configurations and run.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sightline.report.document import Table
from sightline.report.sentences import count, plain

Config = Mapping[str, Any]
Rows = list[tuple[str, str]]
# Of no use to a reader of the table: where files were, and what the machine was told to do beside the training.
APART = ("kind", "data", "init", "recipe", "monitor", "workers", "threads", "checkpoint_minutes", "log_every", "device")


def pretrain_rows(config: Config) -> Rows:
    """Return the recipe of a DINO run in the terms of its paper."""
    views, dino, optim = config["views"], config["method"], config["optim"]
    crops = (
        f"2 × {views['global_size']} px (scale {plain(views['global_scale'])}), "
        f"{views['local_crops']} × {views['local_size']} px (scale {plain(views['local_scale'])})"
    )
    batch = config["batch_size"] * config["accumulate"]
    scaled = f", × {batch} / {optim['lr_batch']}" if optim["lr_batch"] else ""
    decay_end = optim.get("weight_decay_end")
    momentum = (
        f"half-life {plain(dino['momentum_half_life'])} epochs"
        if dino.get("momentum_half_life") is not None
        else plain(dino["momentum"])
    )
    return [
        ("Method", "DINO" + (f", recipe {config['recipe']}" if config.get("recipe") else "")),
        ("Backbone", f"{config['backbone']}, stem {config['stem']}, {_start(config)}"),
        ("Crops", crops),
        ("Optimiser", f"{optim['name']}, learning rate {plain(optim['lr'])}{scaled}, "
                      f"cosine to {plain(optim['final_lr'])}, warm-up {plain(optim['warmup_epochs'])} epochs"),
        ("Weight decay", plain(optim["weight_decay"]) + (f" → {plain(decay_end)}" if decay_end is not None else "")),
        ("Epochs, batch", f"{config['epochs']} epochs of batches of {batch}"),
        ("Output", f"{count(dino['prototypes'])} prototypes, bottleneck {dino['bottleneck']}, "
                   f"head batch norm {plain(dino['head_batch_norm'])}"),
        ("Teacher", f"momentum {momentum} → {plain(dino['momentum_end'])}, temperature "
                    f"{plain(dino['teacher_temperature_start'])} → {plain(dino['teacher_temperature'])}"),
        ("Clipping", f"norm {plain(optim['clip'])}{' per tensor' if optim['clip_per_tensor'] else ''}, last layer "
                     f"frozen until epoch {plain(dino['freeze_last_layer_epochs'])}"),
        ("Seed", plain(config["seed"])),
    ]  # fmt: skip


def classify_rows(config: Config) -> Rows:
    """Return the settings of a classification that all its arms share."""
    optim = config["optim"]
    return [
        ("Backbone", f"{config['backbone']}, stem {config['stem']}"),
        ("Input", f"{config['input_size']} px, augmentation {config['augment']}"),
        ("Optimiser", f"{optim['name']}, learning rate {plain(optim['lr'])}, weight decay "
                      f"{plain(optim['weight_decay'])}"),
        ("Schedule", f"× {plain(optim['plateau_factor'])} when the validation loss has not fallen for "
                     f"{optim['plateau_patience']} epochs" if optim["schedule"] == "plateau" else optim["schedule"]),
        ("Epochs, batch", f"{config['epochs']} epochs of batches of {config['batch_size']}; the epoch best on "
                          "validation is judged"),
        ("Labels used", f"{100 * config['labels']:g} % of the training split"),
    ]  # fmt: skip


def segment_rows(config: Config) -> Rows:
    """Return the settings of a segmentation that all its arms share."""
    augment, optim = config["augment"], config["optim"]
    turned = " and turns" if augment["turns"] else ""
    average = f", weights averaged with momentum {plain(config['ema'])}" if config["ema"] else ""
    return [
        ("Encoder", f"{config['backbone']}, stem {config['stem']}"),
        ("Crops", f"{config['crop']} px, scale {plain(augment['scale'])}, flips{turned}, colour jitter"),
        ("Loss", f"{config['loss']}, class weights {config['class_weights']}"),
        ("Optimiser", f"{optim['name']}, learning rate {plain(optim['lr'])}, weight decay "
                      f"{plain(optim['weight_decay'])}, schedule {optim['schedule']}{average}"),
        ("Epochs, batch", f"{config['epochs']} epochs of batches of {config['batch_size']}; the epoch best on "
                          "validation by mean IoU is judged"),
    ]  # fmt: skip


def provenance_rows(info: Mapping[str, Any]) -> Rows:
    """Return versions and hardware, from run.json or the provenance of a study."""
    rows: Rows = []
    if hardware := info.get("hardware"):
        memory = f", {hardware['memory_gib']} GiB" if hardware.get("memory_gib") else ""
        rows.append(("Hardware", f"{hardware.get('processor', '')}, {hardware.get('cores', '?')} cores{memory}"))
        rows.append(("Platform", plain(hardware.get("platform"))))
    if versions := info.get("versions"):
        rows.append(("Versions", plain(versions)))
    return rows


def table(caption: str, rows: Rows, *, folded: bool = False, header: tuple[str, str] = ("What", "Value")) -> Table:
    """Return two columns of text."""
    return Table(caption, header, rows, (False, False), folded)


def every_setting(caption: str, config: Config) -> Table:
    """Return all hyper-parameters of a run, one a row, under the names the configuration knows them by."""
    rows = [(key, plain(value)) for key, value in _flat({k: v for k, v in config.items() if k not in APART})]
    return table(caption, rows, folded=True, header=("Key", "Value"))


def _flat(config: Config, prefix: str = "") -> Rows:
    rows: list[tuple[str, Any]] = []
    for key, value in config.items():
        name = f"{prefix}{key}"
        rows += _flat(value, f"{name}.") if isinstance(value, Mapping) else [(name, value)]
    return rows


def _start(config: Config) -> str:
    return "random weights" if config["init"] == "none" else f"from {config['init']}"
