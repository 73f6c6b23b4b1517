"""The release API: keeps manifests and small parts, and hands them to who may have them.

Start reading at `app`; the rules are in `releases`, what a client sees is in `docs/release-api.md`.
"""
