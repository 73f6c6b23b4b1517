"""The one error tree. Each class is an exit code of a Job and of the `sealyard` command.

The message of an error is shown to a user as it stands, in one line: it names the field or file,
the value and what would be right. It never holds a secret, a token or a piece of plaintext.
"""

from __future__ import annotations

from typing import ClassVar


class SealyardError(Exception):
    """A failure that Sealyard understands. `exit_code` follows sysexits.h where it can."""

    exit_code: ClassVar[int] = 70


class InvalidError(SealyardError):
    """The input is wrong, and no retry can mend it (exit code 64)."""

    exit_code = 64


class IntegrityError(SealyardError):
    """An artifact, digest, tag or signature is not what was promised (exit code 65)."""

    exit_code = 65


class MissingError(SealyardError):
    """A Secret, a key in it, a claim or a file is not there yet (exit code 66)."""

    exit_code = 66


class UnavailableError(SealyardError):
    """A remote cannot be reached, or does not answer as it should (exit code 69)."""

    exit_code = 69


class RefusedError(SealyardError):
    """A remote refused the credentials (exit code 77)."""

    exit_code = 77
