"""How often somebody may try: token buckets per account and per address."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

_MAX_KEYS = 20_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class AttemptLimiter:
    """At most `attempts` at once, and then one more every `window_seconds / attempts`.

    Keeps the keys seen last in bounded memory. Times are of any monotonic clock, in seconds.
    """

    def __init__(self, attempts: int, window_seconds: float, *, max_keys: int = _MAX_KEYS) -> None:
        self._attempts = attempts
        self._per_second = attempts / window_seconds
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Count an attempt. 0 if it is allowed, else the seconds until one will be."""
        bucket = self._buckets.setdefault(key, _Bucket(self._attempts, now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        gained = max(0.0, now - bucket.filled_at) * self._per_second
        bucket.tokens = min(self._attempts, bucket.tokens + gained)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._per_second
        bucket.tokens -= 1
        return 0.0

    def give_back(self, key: str) -> None:
        """Uncount an attempt that was no guess."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.tokens = min(self._attempts, bucket.tokens + 1)


class LoginGuard:
    """Both limits of a login. An attempt is counted before it is tried, and given back if right.

    Counting first is what bounds a thousand guesses sent at once.
    """

    def __init__(
        self, *, account_attempts: int, address_attempts: int, window_seconds: float
    ) -> None:
        self._accounts = AttemptLimiter(account_attempts, window_seconds)
        self._addresses = AttemptLimiter(address_attempts, window_seconds)

    def admit(self, account: str, address: str, now: float) -> float:
        """0 if the login may be tried, else the seconds to wait."""
        network = _network(address)
        wait = self._addresses.take(network, now)
        if wait:
            return wait
        wait = self._accounts.take(account, now)
        if wait:
            self._addresses.give_back(network)
        return wait

    def forgive(self, account: str, address: str) -> None:
        """The attempt was no guess: the password was right, or was never tried."""
        self._accounts.give_back(account)
        self._addresses.give_back(_network(address))


def _network(address: str) -> str:
    """Whoever has one IPv6 address has 2^64 of them: count the /64 as one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return parsed.packed[:8].hex()
    return str(parsed)
