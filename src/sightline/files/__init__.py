"""Files and folders that are written whole or not at all, outputs, locks, checksums, and where caches are kept."""

from sightline.files.atomic import atomic_path, json_text, sweep, write_bytes, write_json, write_text
from sightline.files.checksum import file_sha256, text_digest
from sightline.files.faults import TRACEBACK, explained, keep_traceback, log_folder, named
from sightline.files.homes import at_home, cache_home, data_home
from sightline.files.lock import check_free, in_turn, locked, wait_until_free
from sightline.files.outputs import Outputs, check_writable, is_output
from sightline.files.seal import flaw, seal
from sightline.files.staging import kept, staged

__all__ = [
    "TRACEBACK",
    "Outputs",
    "at_home",
    "atomic_path",
    "cache_home",
    "check_free",
    "check_writable",
    "data_home",
    "explained",
    "file_sha256",
    "flaw",
    "in_turn",
    "is_output",
    "json_text",
    "keep_traceback",
    "kept",
    "locked",
    "log_folder",
    "named",
    "seal",
    "staged",
    "sweep",
    "text_digest",
    "wait_until_free",
    "write_bytes",
    "write_json",
    "write_text",
]
