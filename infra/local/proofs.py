"""The long proofs, by name: what each shows and the tests it runs. Standard library only: listed before set-up."""

from typing import NamedTuple


class Proof(NamedTuple):
    """What it shows, in one line, and the arguments of pytest that run it."""

    shows: str
    arguments: tuple[str, ...]


PROOFS = {
    "benchmark": Proof("what importing and indexing the app costs, beside its parts", ("tests/benchmarks", "-s")),
    "simulation": Proof(
        "10,000 days on which everything goes wrong break no law", ("-m", "proof", "-s", "tests/simulation")
    ),
    "guest": Proof("a real Debian root really assessed and really upgraded by apt", ("-m", "guest", "tests")),
    "reading": Proof(
        "100,000 machines in storage: how long pages and the summary take, what they cost, what a worker holds",
        ("-m", "proof", "-s", "tests/benchmarks/test_reading.py"),
    ),
}


def listing() -> str:
    """One line a proof."""
    return "\n".join(f"{name:<12}{proof.shows}" for name, proof in sorted(PROOFS.items()))
