# ruff: noqa: INP001, T201 - a program of its own, which talks to a terminal
"""Fetch many URLs at once with urllib and requests, which know nothing of loops.

python examples/fetch_many.py http://localhost:8000/{1..100}
"""

import asyncio
import sys
import urllib.request

import certifi
import requests

from botod.pool import CurlClient, Pool, spawn
from botod.pool.requests_adapter import PooledAdapter
from botod.pool.stand_in import non_blocking_http

TIMEOUT_S = 60.0


def length_by_urllib(url: str) -> int:
    """How long the document is: blocking code, as in any script."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310 - the user's own
        return len(response.read())


def length_by_requests(session: requests.Session, url: str) -> int:
    """The same with requests."""
    return len(session.get(url, timeout=TIMEOUT_S).content)


async def fetch_all(urls: list[str]) -> None:
    """Run one function a URL, all at once on this loop, and print what they found."""
    client = CurlClient(force_instance=True, ca_file=certifi.where())
    pool = Pool(client, slots_per_host=32, max_waiting=10_000, slot_timeout_s=TIMEOUT_S)
    session = requests.Session()
    session.mount("https://", PooledAdapter(pool))
    session.mount("http://", PooledAdapter(pool))
    with non_blocking_http(pool):
        by_urllib = await asyncio.gather(*(spawn(length_by_urllib, url) for url in urls))
        calls = (spawn(length_by_requests, session, url) for url in urls)
        by_requests = await asyncio.gather(*calls)
    for url, *lengths in zip(urls, by_urllib, by_requests, strict=True):
        print(url, *lengths)
    session.close()
    pool.close()


if __name__ == "__main__":
    asyncio.run(fetch_all(sys.argv[1:]))
