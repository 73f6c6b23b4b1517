"""Which Jobs have which PersistentVolumeClaims, those that are about to be created among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sealyard.controller.store import Name
from sealyard.core.observed import ClaimUse


class ClaimUses:
    """The uses of all claims, each under a key of whoever puts it."""

    def __init__(self) -> None:
        self._by_claim: defaultdict[Name, dict[str, ClaimUse]] = defaultdict(dict)
        self._claims: dict[str, tuple[Name, ...]] = {}

    def put(self, key: str, namespace: str, use: ClaimUse) -> None:
        """Take a use in; one of the same key is replaced."""
        self.drop(key)
        self._claims[key] = tuple((namespace, claim) for claim in sorted(use.claims))
        for claim in self._claims[key]:
            self._by_claim[claim][key] = use

    def drop(self, key: str) -> tuple[Name, ...]:
        """Forget a use, if there is one. Gives its claims."""
        claims = self._claims.pop(key, ())
        for claim in claims:
            del self._by_claim[claim][key]
            if not self._by_claim[claim]:
                del self._by_claim[claim]
        return claims

    def are_of(self, owner_uid: str, claim: Name) -> bool:
        """Whether a Job of this object uses a claim."""
        return any(use.owner_uid == owner_uid for use in self._by_claim.get(claim, {}).values())

    def of_others(self, owner_uid: str, claims: Iterable[Name]) -> tuple[ClaimUse, ...]:
        """The uses of some claims by the Jobs of other objects, each once."""
        found = (use for claim in claims for use in self._by_claim.get(claim, {}).values())
        return tuple({use: None for use in found if use.owner_uid != owner_uid})
