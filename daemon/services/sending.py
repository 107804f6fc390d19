"""Bodies that are not at hand when their request is begun."""

from typing import Any

from botod.daemon.services.operation import Source


def send_source(
    source: Source, connection: Any, method: str, path: str, _data: bytes, headers: dict[str, str]
) -> Any:
    """What boto's loop calls for each try to send a body that is not at hand."""
    try:
        connection.request(method, path, source.blocks(), headers)
        return connection.getresponse()
    except BaseException:
        connection.close()  # or the service would wait for the rest
        raise
