"""The file of an engine: what it is, in JSON, and then the engine's own bytes.

An engine has no room for metadata. As ultralytics does it, four bytes with the length of the JSON
(little-endian) and the JSON itself come first; its own tools read such files as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

LENGTH_BYTES = 4


def joined(metadata: Mapping[str, str], engine: bytes) -> bytes:
    """The file. The same metadata and engine give the same bytes."""
    header = json.dumps(dict(metadata), sort_keys=True, separators=(",", ":")).encode()
    return len(header).to_bytes(LENGTH_BYTES, "little") + header + engine


def parted(content: bytes) -> tuple[dict[str, str], bytes]:
    """Metadata and engine of a file that `joined` made."""
    end = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "little")
    return json.loads(content[LENGTH_BYTES:end]), content[end:]
