"""Modules that compute the same numbers faster on CPUs, put into a finished network last.

On any other device a network stays as timm, torchvision or `sightline.models.segmentation` built it. On a CPU `for_cpu`
exchanges modules, and each of those that it puts in shares the tensors and their names with the module before it; so
checkpoints, exports and resumed runs know nothing of it.
"""

from sightline.models.cpu.swap import FORMS, for_cpu, place

__all__ = ["FORMS", "for_cpu", "place"]
