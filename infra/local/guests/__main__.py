"""`python -m infra.local.guests --cache DIR`: makes the base of the real guest and prints its folder."""

import argparse
import sys
from pathlib import Path

from infra.local.guests.debian import GuestUnavailable, make_root


def main() -> int:
    """Exit code 0 and the folder on standard output, or 1 and the one-line reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.guests", description="Makes the real guest's base.")
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR", help="where the base is kept between runs")
    try:
        print(make_root(parser.parse_args().cache, lambda line: print(line, file=sys.stderr)))
    except GuestUnavailable as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
