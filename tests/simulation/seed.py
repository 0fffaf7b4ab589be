"""`python -m tests.simulation.seed N [WORD]`: one seed again, with its story (of the invocations that touch WORD)."""

import os
import sys

from tests.simulation.outcome import live, template_of


def main(words: list[str]) -> int:
    """Prints the story, then the laws that broke; exit code 1 when any did."""
    seed, about = int(words[0]), words[1] if len(words) > 1 else ""
    outcome = live(seed, template_of(seed), tell=True)
    lines = outcome.story.splitlines()
    shown = [line for line in lines if about.lower() in line.lower()] if about else lines
    out = sys.stdout.write
    out("\n".join(shown) + "\n")
    for each in outcome.broken:
        out(f"BROKEN {each.law}: {each.what} [{each.about}]\n")
    out(f"seed {seed}: {outcome.steps} steps, {outcome.faults} faults, {outcome.minutes:.0f} simulated minutes, "
        f"{outcome.cpu:.2f} s\n")  # fmt: skip
    return 1 if outcome.broken else 0


def settle_hashes(module: str, words: list[str]) -> None:
    """Starts over with a fixed hash seed: the order of a set of strings must be the same in every process."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, "-m", module, *words], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - our own Python and module


if __name__ == "__main__":
    settle_hashes("tests.simulation.seed", sys.argv[1:])
    sys.exit(main(sys.argv[1:]))
