"""Lanes: connections of several users to one host, each as its owner says."""

import asyncio
import ssl
from pathlib import Path

import pytest

from botod.pool import CertificateError, NotSent, OutcomeUnknown, spawn, wait
from botod.pool.connection import HTTPConnection
from botod.pool.lane import COMMON_LANE, Lane, Tls, TlsVersion
from botod.pool.origin import Origin
from botod.pool.pool import Pool
from support.certificates import Authority, new_authority
from support.http_server import http_server
from support.loops import run
from support.pools import open_pool


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whom this test trusts."""
    return new_authority(tmp_path)


def ask(pool: Pool, port: int, lane: Lane) -> bytes:
    """One request under a lane."""
    connection = HTTPConnection(pool, Origin("https", "localhost", port, lane))
    connection.request("GET", "/")
    answer: bytes = connection.getresponse().read()
    return answer


def served(authority: Authority, *, asks_who: bool = False) -> ssl.SSLContext:
    """TLS for localhost; asks_who: clients have to prove who they are."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.ca.issue_cert("localhost").configure_cert(context)
    if asks_who:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.ca.configure_trust(context)
    return context


def test_each_lane_trusts_its_own_roots(authority: Authority) -> None:
    """Also when another one's connection to the same server lies there, warm."""

    async def scenario() -> None:
        trusting = Lane("a", Tls(ca_file=authority.ca_file))
        with http_server(tls=served(authority)) as server:
            async with open_pool() as pool:
                assert await spawn(ask, pool, server.port, trusting) == b"fine"
                with pytest.raises(CertificateError):
                    await spawn(ask, pool, server.port, COMMON_LANE)
                assert await spawn(ask, pool, server.port, trusting) == b"fine"
                assert len(server.requests) == 2

    run(scenario)


def test_a_lane_says_who_it_is(authority: Authority, tmp_path: Path) -> None:
    """By its certificate; a lane to the same server without one has no use of that connection."""
    who = authority.ca.issue_cert("client@example.org")
    pem = tmp_path / "client.pem"
    who.private_key_and_cert_chain_pem.write_to_path(str(pem))

    async def scenario() -> None:
        named = Lane("named", Tls(ca_file=authority.ca_file, cert_file=str(pem)))
        nameless = Lane("nameless", Tls(ca_file=authority.ca_file))
        with http_server(tls=served(authority, asks_who=True)) as server:
            async with open_pool() as pool:
                assert await spawn(ask, pool, server.port, named) == b"fine"
                # TLS 1.3 says what is missing after the request was sent, and closes at once.
                with pytest.raises(OutcomeUnknown):
                    await spawn(ask, pool, server.port, nameless)
                assert await spawn(ask, pool, server.port, named) == b"fine"
                assert len(server.requests) == 2

    run(scenario)


def test_a_lane_speaks_no_older_tls_than_it_may(authority: Authority) -> None:
    """A server that knows only an older version is not spoken to."""
    old = served(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    async def scenario() -> None:
        usual = Lane("usual", Tls(ca_file=authority.ca_file))
        strict = Lane("strict", Tls(ca_file=authority.ca_file, min_version=TlsVersion.TLS_1_3))
        with http_server(tls=old) as server:
            async with open_pool() as pool:
                assert await spawn(ask, pool, server.port, usual) == b"fine"
                with pytest.raises(NotSent):
                    await spawn(ask, pool, server.port, strict)

    run(scenario)


def test_each_lane_has_slots_of_its_own() -> None:
    """As many as it says: what one has under way keeps nobody of another waiting."""

    async def scenario() -> None:
        released = asyncio.Event()
        small, other = Lane("small", slots=1), Lane("other")
        async with open_pool(slots=8) as pool:
            small_origin = Origin("http", "127.0.0.1", 1, small)

            async def waits() -> None:
                await released.wait()

            def hold() -> None:
                lease = pool.lease(small_origin)
                try:
                    wait(waits())
                finally:
                    lease.release()

            holders = [spawn(hold) for _ in range(3)]
            lease = await spawn(pool.lease, Origin("http", "127.0.0.1", 1, other))
            lease.release()
            slots = {stats.origin.lane.name: stats.slots for stats in pool.stats()}
            assert (slots["small"].slots_num, slots["small"].waiting_num) == (1, 2)
            assert slots["other"].slots_num == 8
            pool.resize(slots_per_host=4, total_slots=None)
            slots = {stats.origin.lane.name: stats.slots for stats in pool.stats()}
            assert (slots["small"].slots_num, slots["other"].slots_num) == (1, 4)
            released.set()
            await asyncio.gather(*holders)

    run(scenario)
