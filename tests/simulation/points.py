"""Crash points: every function with every kind of I/O step it takes, as `function place.verb`."""

COMMON: tuple[str, ...] = ()
RARE: tuple[str, ...] = ()
