"""Whom requests go to, in words: in messages, in URLs, and for curl."""

from botod.pool.origin import Origin, Proxy


def test_an_origin_is_written_as_a_url() -> None:
    """Messages name the host pool by scheme, host and port."""
    assert str(Origin("https", "s3.amazonaws.com", 443)) == "https://s3.amazonaws.com:443"


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    """Else its last part would be read as the port."""
    assert str(Origin("http", "::1", 80)) == "http://[::1]:80"


def test_a_proxy_s_secrets_are_for_curl_only() -> None:
    """Its URL has them, quoted; what a log or a message would show does not."""
    proxy = Proxy("proxy", 3128, "us@er", "p:ss/")
    assert proxy.url == "http://us%40er:p%3Ass%2F@proxy:3128"
    assert repr(proxy) == "<Proxy proxy:3128>"
    assert Proxy("proxy", 3128).url == "http://proxy:3128"
