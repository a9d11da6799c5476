"""Pictures of results: panels of data, rendered to inline SVG for the page and to PNG for anything else."""

from sightline.figures.architecture import architecture_panel
from sightline.figures.confusion import confusion_panel, reliability_panel
from sightline.figures.curves import learning_panels
from sightline.figures.health import health_panels, schedule_panels
from sightline.figures.interventions import intervention_panel
from sightline.figures.labels import label_panel
from sightline.figures.style import Key, Panel, png, svg
from sightline.figures.transfer import arm_panel, difference_panel
from sightline.figures.tsne import class_keys, tsne_panels

__all__ = [
    "Key",
    "Panel",
    "architecture_panel",
    "arm_panel",
    "class_keys",
    "confusion_panel",
    "difference_panel",
    "health_panels",
    "intervention_panel",
    "label_panel",
    "learning_panels",
    "png",
    "reliability_panel",
    "schedule_panels",
    "svg",
    "tsne_panels",
]
