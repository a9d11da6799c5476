"""Labels of a data set that are likely wrong, by features of any network or by plain descriptors of the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sightline.config import DataConfig, RunConfig
from sightline.config.types import Device
from sightline.data.images.cache import Images, Say, load_images
from sightline.data.images.descriptor import describe_picture
from sightline.data.labelled.check import ImageCheck, Rows
from sightline.metrics.confident import FOLDS, Doubts, doubt_labels

SHOWN = 10
# Images × classes up to which labels are judged unasked by plain descriptors: a minute on two cores.
CHEAP = 200_000
# Share of the labels that plain descriptors must name; below it most of what they doubt is theirs, not the labels'.
TRUSTED = 0.7
INPUT = 224  # pixels of a side, of published weights that do not say it


@dataclass(frozen=True)
class LabelCheck:
    """Labels that are likely wrong.

    Attributes:
        doubts: about the labels of `chosen`, with classes numbered among `classes`.
        chosen: indices of the images judged, int64 (N,).
        ids: of these.
        classes: names, of those with images enough.
        labels: class of each image judged, int64 (N,), an index of `classes`.
        features: what they were judged by, in words.
        asked: whether these features were asked for.
    """

    doubts: Doubts
    chosen: np.ndarray
    ids: list[str]
    classes: list[str]
    labels: np.ndarray
    features: str
    asked: bool

    def rows(self) -> Rows:
        """Return how many labels are likely wrong, and the least believable of them."""
        accuracy, doubts = self.doubts.accuracy, self.doubts
        by: Rows = [{"what": f"labels that {self.features} name right, cross-validated", "value": accuracy}]
        if not self.asked and accuracy < TRUSTED:
            return [*by, {"what": "likely wrong labels", "value": "not judged; --features RUN judges by a network"}]
        by.append({"what": "likely wrong labels", "value": len(doubts.wrong)})
        for i in doubts.wrong[:SHOWN]:
            suggested = doubts.suggested[i]
            text = f"{self.ids[i]}: {self.classes[self.labels[i]]}, rather {self.classes[suggested]}"
            by.append({"what": "likely wrong", "value": f"{text} ({doubts.probabilities[i, suggested]:.2f})"})
        return by


def check_labels(
    found: ImageCheck, features: str = "", device: Device = "auto", say: Say | None = None
) -> LabelCheck | None:
    """Judge the labels of a data set that was checked.

    Args:
        found: of the data set; its copies are judged together, for they would confirm each other's labels.
        features: a run or a published name of weights, whose features are used; "" for plain descriptors.
        device: auto, cpu, cuda or mps.
        say: called with lines of text.

    Returns:
        None where there are fewer than two classes of FOLDS images, or, without `features`, more than is cheap.

    Raises:
        WeightsError, NotAvailable: as of the weights.
    """
    listing = found.images.listing
    counts = np.bincount(listing.labels[listing.labels >= 0], minlength=len(listing.classes))
    large = np.flatnonzero(counts >= FOLDS)
    chosen = np.flatnonzero(np.isin(listing.labels, large))
    if len(large) < 2 or (not features and len(chosen) * len(large) > CHEAP):
        return None
    if features:
        values, name = _network_features(found.config, features, chosen, listing.ids, device, say or (lambda _: None))
    else:
        values, name = np.stack([describe_picture(found.images[int(i)]) for i in chosen]), "plain descriptors"
    labels = np.searchsorted(large, listing.labels[chosen])
    return LabelCheck(
        doubts=doubt_labels(values, labels, found.copies.groups[chosen]),
        chosen=chosen,
        ids=[listing.ids[i] for i in chosen],
        classes=[listing.classes[i] for i in large],
        labels=labels,
        features=name,
        asked=bool(features),
    )


def _network_features(
    data: DataConfig, source: str, chosen: np.ndarray, ids: list[str], device: Device, say: Say
) -> tuple[np.ndarray, str]:
    # Imported here: plain descriptors do without torch.
    from sightline.config import ClassifyConfig
    from sightline.engine import make_fabric
    from sightline.models import InitialBackbone, reading_of
    from sightline.models.features import FeatureMaker

    config = ClassifyConfig.build({"data": data.to_dict(), "init": source})
    start = InitialBackbone.of(config, data.channels, say)
    size = start.preprocessing.input_size or INPUT
    sized = data.stored_for(size).model_copy(update={"max_bad_fraction": 1.0})
    images: Images = load_images(sized, progress=say, earlier=reading_of(config))
    at = {identity: i for i, identity in enumerate(images.listing.ids)}
    wanted = np.array([at[ids[i]] for i in chosen])
    fabric = make_fabric(RunConfig(device=device))
    features = FeatureMaker(start.backbone, start.preprocessing, fabric, size)(images.gather, wanted)
    return features, f"features of {source}"
