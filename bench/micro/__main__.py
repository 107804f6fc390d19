"""Print a line a piece; status 1 if one is over its budget."""

import argparse
import sys

import micro
from micro import carrying, codec, decisions, keeping, operations, signer
from micro.piece import took_us


def main() -> int:
    """All pieces, in the order in which a job meets them."""
    parser = argparse.ArgumentParser(
        description=micro.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rounds, number = (3, 1_000) if quick else (5, 20_000)
    over = False
    print(f"{'':<42}{'us':>8}{'budget':>9}")
    for module in (codec, decisions, keeping, operations, signer):
        for piece in module.pieces():
            piece.call()
            over |= _line(piece.name, took_us(piece.call, rounds, number), piece.budget_us)
    for name, (us, budget_us) in carrying.measured(rounds, number).items():
        over |= _line(name, us, budget_us)
    return int(over)


def _line(name: str, us: float, budget_us: float) -> bool:
    """Whether it is over."""
    is_over = us > budget_us
    budget = f"{budget_us:>9.1f}" if budget_us < float("inf") else f"{'-':>9}"
    print(f"{name:<42}{us:>8.2f}{budget}{'  over' if is_over else ''}", flush=True)
    return is_over


if __name__ == "__main__":
    sys.exit(main())
