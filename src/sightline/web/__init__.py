"""The local page: segment by clicking, embedding maps, mask progress, reports. Imports no torch."""

from sightline.web.live import Found, Predictor, Question
from sightline.web.server import serve
from sightline.web.settings import Settings
from sightline.web.site import Site

__all__ = ["Found", "Predictor", "Question", "Settings", "Site", "serve"]
