"""Which test files go first, for what takes long must not come last, and which of them share a process."""

LONGEST_FIRST = (
    "tests/guests/test_guest.py",  # on a fresh machine it makes the Debian root
    "tests/triggers/test_sweep.py",
    "tests/host/test_queues.py",
    "tests/host/test_workers.py",
    "tests/local/test_demo.py",
    "tests/host/test_startup.py",
    "tests/simulation/test_windows.py",
    "tests/scenarios/test_pace.py",
    "tests/scenarios/test_maintenance_client.py",
    "tests/scenarios/test_official_clients.py",
    "tests/scenarios/test_maintenance_contracts.py",
    "tests/scenarios/test_maintenance_api.py",
    "tests/scenarios/test_runs_api.py",
    "tests/simulation/test_twins.py",
    "tests/local/test_stack.py",
)
"""Files that take twenty seconds or more: few tests, but long ones, most with processes of their own."""

SCENARIOS = "tests/scenarios/"

_PLACES = {file: place for place, file in enumerate(LONGEST_FIRST)}


def place(nodeid: str) -> int:
    """Where a test stands; the files that are not named follow, in the order in which they were found."""
    return _PLACES.get(nodeid.partition("::")[0], len(_PLACES))


def group(nodeid: str) -> str:
    """Tests of a group run in one process: those of a file, and all scenarios, which share one local cloud."""
    file = nodeid.partition("::")[0]
    return SCENARIOS if file.startswith(SCENARIOS) else file
