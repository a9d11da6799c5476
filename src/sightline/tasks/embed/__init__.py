"""Features and their maps."""

from sightline.tasks.embed.embed import embed
from sightline.tasks.embed.tsne import first_and_last, tsne

__all__ = ["embed", "first_and_last", "tsne"]
