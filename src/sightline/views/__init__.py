"""Random views of images: the fastest multi-crop we know of on a CPU, and the same views on a device.

`MultiCrop`, `RandomCrop`, `Flip` and `Resize` take HWC uint8 RGB images and return uint8 batches; what they draw is
a function of each image's key alone. `sightline.views.device` (the only module here that imports torch) moves uint8
batches to a device and normalises them there, or makes the views there.
"""

from sightline.views.joint import JointCrop
from sightline.views.multicrop import Crops, MultiCrop
from sightline.views.single import Flip, RandomCrop, Resize

__all__ = ["Crops", "Flip", "JointCrop", "MultiCrop", "RandomCrop", "Resize"]
