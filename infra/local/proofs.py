"""The long proofs, by name: what each shows and the tests it runs. Standard library only: listed before set-up."""

from typing import NamedTuple


class Proof(NamedTuple):
    """What it shows, in one line, and the arguments of pytest that run it."""

    shows: str
    arguments: tuple[str, ...]


PROOFS = {
    "benchmark": Proof("what importing and indexing the app costs, beside its parts", ("tests/benchmarks", "-s")),
    "fan-out": Proof(
        "machines per second of our dispatch, of a plain SDK loop and of the Azure CLI in a loop",
        ("-m", "proof", "-s", "tests/benchmarks/test_fan_out.py"),
    ),
    "fleet": Proof(
        "1,000 machines assessed, none lost, calls and storage of each counted; then 100,000 in storage, read",
        ("-m", "proof", "-s", "tests/scenarios/test_fleet.py", "tests/benchmarks/test_reading.py"),
    ),
    "guest": Proof("a real Debian root really assessed and really upgraded by apt", ("-m", "guest", "tests")),
    "kills": Proof(
        "200 machines assessed while workers, hosts and the storage die in named steps: nothing twice, nothing lost",
        ("-m", "proof", "-s", "tests/scenarios/test_kills.py"),
    ),
    "large-window": Proof(
        "1,000 machines in one window: paced as Azure allows, none twice, none outside, none forgotten",
        ("-m", "proof", "-s", "tests/scenarios/test_large_window.py"),
    ),
    "nights": Proof(
        "20 windows in a row while workers die at random: nothing twice, nothing outside, nothing forgotten",
        ("-m", "proof", "-s", "tests/scenarios/test_nights.py"),
    ),
    "openings": Proof(
        "how soon after its window opens Azure accepts the first installation: 20 windows, at most 5 s for 95 of 100",
        ("-m", "proof", "-s", "tests/scenarios/test_openings.py"),
    ),
    "pace": Proof(
        "Azure's throttle is used up and never exceeded: 600 real starts, 3,000 and 10,000 in simulated time",
        ("-m", "proof", "-s", "tests/scenarios/test_pace.py"),
    ),
    "reading": Proof(
        "100,000 machines in storage: how long pages and the summary take, what they cost, what a worker holds",
        ("-m", "proof", "-s", "tests/benchmarks/test_reading.py"),
    ),
    "simulation": Proof(
        "10,000 days on which everything goes wrong break no law",
        ("-m", "proof", "-s", "tests/simulation/test_proof.py"),
    ),
    "workflows": Proof(
        "every test of a workflow on the storage emulator, where `dev.py test` has a twin of it for most",
        ("--azurite", "-n", "3", "--dist", "loadscope", "--no-loadscope-reorder", "tests/workflows"),
    ),
    "windows": Proof(
        "10,000 days with a maintenance window, everything going wrong around its opening, break no law",
        ("-m", "proof", "-s", "tests/simulation/test_window_proof.py"),
    ),
}


def listing() -> str:
    """One line a proof."""
    return "\n".join(f"{name:<14}{proof.shows}" for name, proof in sorted(PROOFS.items()))
