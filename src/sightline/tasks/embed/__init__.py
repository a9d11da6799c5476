"""Features and their maps."""

from sightline.tasks.embed.embed import embed, embed_part
from sightline.tasks.embed.tsne import first_and_last, tsne

__all__ = ["embed", "embed_part", "first_and_last", "tsne"]
