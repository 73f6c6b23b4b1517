"""Formats, split, keyring and manifest: bytes in, bytes out. Start reading at `formats`."""
