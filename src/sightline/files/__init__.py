"""Files and folders that are written whole or not at all, checksums, and where caches and data sets are kept."""

from sightline.files.atomic import atomic_path, json_text, sweep, write_bytes, write_json, write_text
from sightline.files.checksum import file_sha256, text_digest
from sightline.files.homes import cache_home, data_home
from sightline.files.outputs import check_outputs, one_name_each
from sightline.files.staging import staged

__all__ = [
    "atomic_path",
    "cache_home",
    "check_outputs",
    "data_home",
    "file_sha256",
    "json_text",
    "one_name_each",
    "staged",
    "sweep",
    "text_digest",
    "write_bytes",
    "write_json",
    "write_text",
]
