"""A daemon whose loop has a heartbeat: how late it comes is how long everybody waits.

    python tests/support/heartbeat.py --config botod.toml

At the end the log says how late the beats came.
"""

import argparse
import asyncio
import contextlib
import logging
from time import perf_counter

from botod.daemon.config import load
from botod.daemon.handed import listening
from botod.daemon.service import Service

BEAT_S = 0.001

logger = logging.getLogger("heartbeat")


async def beat(late_s: list[float]) -> None:
    """Sleep for a millisecond again and again; note by how much it was longer."""
    while True:
        began = perf_counter()
        await asyncio.sleep(BEAT_S)
        late_s.append(perf_counter() - began - BEAT_S)


async def serve(path: str) -> None:
    """Run the daemon, and the heartbeat beside it."""
    late_s: list[float] = []
    heartbeat = asyncio.create_task(beat(late_s))
    config = load(path)
    listener = listening(config.daemon.socket, int(config.daemon.socket_mode, 8))
    await Service(config, listener, read_config=lambda: load(path)).run()
    heartbeat.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await heartbeat
    late_s.sort()
    p50, p99 = late_s[len(late_s) // 2], late_s[len(late_s) * 99 // 100]
    logger.info(
        "%d beats, late by %.2f ms (p50), %.2f ms (p99), %.2f ms (most)",
        len(late_s), p50 * 1000, p99 * 1000, late_s[-1] * 1000,
    )  # fmt: skip


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(serve(parser.parse_args().config))


if __name__ == "__main__":
    main()
