"""What decides: `reconcile(observed, now) -> Plan` for each kind, and the builders of Jobs.

Nothing here does I/O or reads a clock. Whatever a decision depends on is in `Observed`; whatever
follows from it is in the `Plan`.
"""
