"""The local page: segment by clicking, embedding maps, mask progress, reports. Imports no torch."""

from sightline.web.server import serve
from sightline.web.settings import Settings
from sightline.web.site import Site

__all__ = ["Settings", "Site", "serve"]
