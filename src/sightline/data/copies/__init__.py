"""Copies of a picture within a data set and between data sets, found from the pixels alone.

Every picture is kept as a thumbnail of 1 kB and as hashes of 64 bits of what is seen through several windows, so that a
picture cropped to 90 % meets its original. Pairs whose hashes are near are laid over each other and compared pixel by
pixel. The same for photographs, tiles and unlabelled images.
"""

from sightline.data.copies.find import FLIPS, TURNS, Copies, confirmed, find_copies
from sightline.data.copies.fingerprint import Fingerprints, fingerprints

__all__ = ["FLIPS", "TURNS", "Copies", "Fingerprints", "confirmed", "find_copies", "fingerprints"]
