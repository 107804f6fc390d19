"""What a peer is told of how its request ended, also where a handler failed. No I/O."""

import logging

from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange, Outcome
from botod.ipc.protocol import encode_error, encode_result

logger = logging.getLogger(__name__)


def internal_error(error: BaseException) -> RpcError:
    """What a peer is told of a bug; the log has it."""
    logger.error("a handler failed", exc_info=error)
    return RpcError(Code.INTERNAL_ERROR, "internal error; the daemon's log has more")


def encode_outcome(exchange: Exchange, outcome: Outcome) -> list[bytes]:
    """The answer to a request, also where the handler gave what JSON does not have."""
    number = exchange.request.request_id
    try:
        if outcome.error is not None:
            return encode_error(number, outcome.error)
        return encode_result(number, outcome.result, outcome.streams)
    except (TypeError, ValueError, RecursionError) as error:
        failed = internal_error(error)
        for stream in outcome.streams:  # of which the peer never heard
            stream.break_off(failed)
        return encode_error(number, failed)
