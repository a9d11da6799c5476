"""The losses of segmentation by name, as configuration, help and errors know them. A loss is a function and a line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LossEntry:
    """A loss of segmentation.

    Attributes:
        function: dotted path of the function, Pixels → scalar; loaded when it is used, as this room imports no torch.
        words: what it is, for help.
        weighted: whether it uses class weights; the others weigh classes alike by themselves.
    """

    function: str
    words: str
    weighted: bool = False


_ROOM = "sightline.tasks.segment.losses"
LOSSES: dict[str, LossEntry] = {
    "ce": LossEntry(f"{_ROOM}:cross_entropy", "cross-entropy", weighted=True),
    "dice": LossEntry(f"{_ROOM}:dice", "Dice"),
    "focal": LossEntry(f"{_ROOM}:focal", "focal", weighted=True),
    "jaccard": LossEntry(f"{_ROOM}:jaccard", "Jaccard"),
    "lovasz": LossEntry(f"{_ROOM}:lovasz", "Lovász-softmax"),
    "tversky": LossEntry(f"{_ROOM}:tversky", "Tversky, which pays more for missed pixels than for false ones"),
}


def loss_words() -> str:
    """Return all losses by name, with what they are: for help."""
    return ", ".join(f"{name} ({entry.words})" for name, entry in LOSSES.items())
