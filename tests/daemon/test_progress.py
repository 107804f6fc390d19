"""Progress: told when something changed, and not after the end."""

import asyncio
from typing import Any

from botod.daemon.progress import Progress


def test_only_changes_are_told() -> None:
    """A look that shows what was told already is not told again."""

    async def main() -> None:
        now: dict[str, Any] = {"bytes_sent": 0}
        told: list[dict[str, Any]] = []
        one = Progress(lambda: dict(now), told.append)
        one._tick()
        assert told == []
        now["bytes_sent"] = 7
        one._tick()
        one._tick()
        assert told == [{"bytes_sent": 7}]
        one.stop()

    asyncio.run(main())


def test_it_goes_on_until_it_is_stopped() -> None:
    """Stopped, it leaves no timer; stopped before it began, it is nothing."""

    async def main() -> None:
        one = Progress(dict, lambda _value: None)
        one.stop()
        one.start()
        timer = one._timer
        assert timer is not None
        timer.cancel()
        one._tick()
        again = one._timer
        assert again is not None
        assert not again.cancelled()
        one.stop()
        assert again.cancelled()
        assert one._timer is None

    asyncio.run(main())
