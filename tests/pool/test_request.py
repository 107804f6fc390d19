"""What stands in the request line."""

import pytest

from botod.pool.origin import Origin, Proxy
from botod.pool.request import Request


@pytest.mark.parametrize(
    ("scheme", "proxy", "target"),
    [
        ("http", None, "/a/../k?x=%2f"),
        ("https", Proxy("proxy", 3128), "/a/../k?x=%2f"),
        ("http", Proxy("proxy", 3128), "http://s3.test:80/a/../k?x=%2f"),
    ],
)
def test_only_a_proxy_that_finds_the_server_is_told_it(
    scheme: str, proxy: Proxy | None, target: str
) -> None:
    """The target is sent as it was given; over http a proxy gets a whole URL, not in a tunnel."""
    request = Request("GET", Origin(scheme, "s3.test", 80), "/a/../k?x=%2f", (), proxy=proxy)
    assert request.wire_target == target
