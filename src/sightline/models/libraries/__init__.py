"""The libraries that backbones come from. Another library is one module beside these, and one line in the table."""

from sightline.models.libraries.base import RGB, Library, Pyramid
from sightline.models.libraries.timm_models import TIMM
from sightline.models.libraries.torchvision_models import TORCHVISION

# A name without its library before it goes to the first that has it.
BACKBONE_LIBRARIES: dict[str, Library] = {"timm": TIMM, "torchvision": TORCHVISION}

__all__ = ["BACKBONE_LIBRARIES", "RGB", "Library", "Pyramid"]
