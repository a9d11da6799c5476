"""Click to segment without a trained model: a graph cut on superpixels, after GrabCut and GeoS."""

from sightline.models.promptable.graphcut.graphcut import GraphCut

__all__ = ["GraphCut"]
