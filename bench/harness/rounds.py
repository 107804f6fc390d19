"""All contenders in turn, round by round: what slows the machine for a while slows them alike."""

import sys
from collections.abc import Mapping

from harness.figures import Row, row_of
from harness.work import Contender, Figures, NotMeasuredError


def measured(contenders: Mapping[str, Contender], rounds_num: int) -> list[Row]:
    """A row for each; who cannot be measured in one round is not asked again."""
    rounds: dict[str, list[Figures]] = {name: [] for name in contenders}
    why_not: dict[str, str] = {}
    for number in range(rounds_num):
        for name, contender in contenders.items():
            if name in why_not:
                continue
            print(f"  round {number + 1}: {contender.label}", file=sys.stderr, flush=True)
            try:
                rounds[name].append(contender.run())
            except NotMeasuredError as error:
                why_not[name] = str(error)
                print(f"  not measured: {error}", file=sys.stderr, flush=True)
    return [
        row_of(name, contender, rounds[name], why_not.get(name, ""))
        for name, contender in contenders.items()
    ]
