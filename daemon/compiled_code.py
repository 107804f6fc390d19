"""The compiled modules of the distribution botod-compiled, which need not be there."""

from functools import cache
from typing import NamedTuple


class Outcome(NamedTuple):
    """modules_num: how many this process imports compiled.

    refusal: why none, although they are there.
    """

    modules_num: int = 0
    refusal: str = ""


@cache
def use_compiled_code() -> Outcome:
    """Have this process import what is compiled, before it imports anything else of botod's.

    The first call does it, later ones tell what came of it.
    """
    try:
        from botod import compiled  # noqa: PLC0415 - need not be there
    except ImportError:
        return Outcome()
    try:
        return Outcome(compiled.use())
    except compiled.NotUsable as error:
        return Outcome(refusal=str(error))
