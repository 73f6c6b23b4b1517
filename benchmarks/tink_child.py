"""Tink's streaming AEAD behind a pipe; runs in the environment that has Tink, without Sealyard.

    seal SOURCE TARGET
    open SOURCE TARGET

Each line of standard input is one file to go through, answered by one line. So Python's start and
the import of Tink are over before anything is timed. The key lives as long as this process.
"""

from __future__ import annotations

import shutil
import signal
import sys

# In an environment of its own, which the type checker does not see.
import tink  # type: ignore[import-not-found]
from tink import streaming_aead

# Of 64 KiB, 1 MiB and 4 MiB, the one with which Tink is fastest: the size of its segments.
_AT_ONCE = 1 << 20


def _main() -> None:
    # Ctrl-C is for who started this, and ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    streaming_aead.register()
    template = streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB
    aead = tink.new_keyset_handle(template).primitive(streaming_aead.StreamingAead)
    print("ready", flush=True)
    for line in sys.stdin:
        action, source, target = line.split()
        with open(source, "rb") as read, open(target, "wb") as written:  # noqa: PTH123 - as given
            if action == "seal":
                with aead.new_encrypting_stream(written, b"") as sealing:
                    shutil.copyfileobj(read, sealing, _AT_ONCE)
            else:
                with aead.new_decrypting_stream(read, b"") as opening:
                    shutil.copyfileobj(opening, written, _AT_ONCE)
        print("done", flush=True)


if __name__ == "__main__":
    _main()
