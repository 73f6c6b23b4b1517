"""A target's trust as Kubernetes has it: the chain in a ConfigMap, each online key in a Secret."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Final

from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.errors import InvalidError

_CHAIN_OBJECT: Final = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}-root
data:
{data}"""
_KEY_OBJECT: Final = """\
apiVersion: v1
kind: Secret
metadata:
  name: {name}-{purpose}
type: Opaque
data:
  {key}: {content}
"""


def check_name(name: str) -> None:
    """Refuse what no objects can be named after.

    Raises:
        InvalidError: says how it must be.
    """
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,230}[a-z0-9])?", name):
        raise InvalidError(f"--name: {name!r} must be of a-z, 0-9, '-' and '.'")


def manifests_of(name: str, roots: Mapping[str, bytes], keys: Mapping[Purpose, bytes]) -> str:
    """The objects as one YAML stream.

    Args:
        name: what their names begin with.
        roots: the whole chain, by name; no ConfigMap if there is none.
        keys: PEM files by their purpose.
    """
    documents = []
    if roots:
        # JSON in single quotes: it has none of its own, since its strings are ids, times and hex.
        data = "".join(
            f"  {file}: '{roots[file].decode()}'\n" for file in sorted(roots, key=_number)
        )
        documents.append(_CHAIN_OBJECT.format(name=name, data=data))
    for purpose, pem in keys.items():
        (key,) = SECRET_USES[purpose].keys
        content = base64.b64encode(pem).decode()
        documents.append(_KEY_OBJECT.format(name=name, purpose=purpose, key=key, content=content))
    return "---\n".join(documents)


def _number(file: str) -> int:
    return int(file.partition(".")[0])
