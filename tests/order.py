"""Which test files go first, for what takes long must not come last, and which of them share a process."""

SCENARIOS = "tests/scenarios/"

LONGEST_FIRST = (
    SCENARIOS,
    "tests/guests/test_guest.py",  # on a fresh machine it makes the Debian root
    "tests/workflows/test_windows.py",
    "tests/local/test_demo.py",
    "tests/workflows/test_twice.py",
    "tests/triggers/test_sweep.py",
    "tests/workflows/test_identity.py",
    "tests/host/test_queues.py",
    "tests/simulation/test_windows.py",
    "tests/host/test_workers.py",
    "tests/workflows/test_reading.py",
    "tests/workflows/test_window_calls.py",
    "tests/host/test_startup.py",
    "tests/workflows/test_owner.py",
    "tests/local/test_stack.py",
)
"""Groups that take twenty seconds or more, those that mostly wait between those that compute."""

_PLACES = {group: place for place, group in enumerate(LONGEST_FIRST)}


def place(nodeid: str) -> int:
    """Where a test stands; groups that are not named follow, in the order in which they were found."""
    return _PLACES.get(group(nodeid), len(_PLACES))


def group(nodeid: str) -> str:
    """Tests of a group run in one process: those of a file, and all scenarios, which share one local cloud."""
    file = nodeid.partition("::")[0]
    return SCENARIOS if file.startswith(SCENARIOS) else file
