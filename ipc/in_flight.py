"""The requests of one connection that are not done, and what may come beside them. No I/O."""

from botod.ipc.errors import Code, RpcError
from botod.ipc.exchange import Exchange
from botod.ipc.limits import Account, Refusals, ServerLimits

RequestId = str | int | None


class InFlight:
    """The exchanges of one connection. account: its user's."""

    def __init__(self, account: Account, limits: ServerLimits, refusals: Refusals) -> None:
        self.requests_total = 0
        self._account = account
        self._limits = limits
        self._refusals = refusals
        self._exchanges: set[Exchange] = set()
        self._by_id: dict[RequestId, Exchange] = {}

    def __len__(self) -> int:
        return len(self._exchanges)

    def add(self, exchange: Exchange, *, unread_bytes: int, now: float) -> None:
        """One more begins, and is counted against the rate. Raises RpcError if it may not.

        unread_bytes: what the peer has not read yet.
        """
        number = exchange.request.request_id
        if number is not None and number in self._by_id:
            raise RpcError(
                Code.INVALID_REQUEST, f"a request with the id {number!r} is in flight already"
            )
        limits, error, account = self._limits, self._refusals.error, self._account
        if len(self._exchanges) >= limits.in_flight_per_peer:
            most = limits.in_flight_per_peer
            raise error("in_flight_per_peer", f"{most} requests of this connection are in flight")
        if account.in_flight_num >= limits.in_flight_per_uid:
            most = limits.in_flight_per_uid
            raise error("in_flight_per_uid", f"{most} requests of this user are in flight")
        if unread_bytes >= limits.unread_bytes:
            raise error("unread_bytes", f"{unread_bytes} bytes wait to be read")
        if exchange.brought.descriptors and account.descriptors_num > limits.descriptors_per_uid:
            most = limits.descriptors_per_uid
            raise error("descriptors_per_uid", f"{most} descriptors of this user are open")
        rate = limits.requests_per_s_per_uid
        if rate and not account.take_turn(rate, now=now):
            raise error("requests_per_s_per_uid", f"more than {rate} requests a second")
        self.requests_total += 1
        account.in_flight_num += 1
        self._exchanges.add(exchange)
        if number is not None:
            self._by_id[number] = exchange

    def remove(self, exchange: Exchange) -> None:
        """It is done; its id may be used again."""
        self._account.in_flight_num -= 1
        self._exchanges.discard(exchange)
        self._by_id.pop(exchange.request.request_id, None)

    def cancel(self, number: RequestId) -> None:
        """End the one with this id, if there is one."""
        exchange = self._by_id.get(number)
        if exchange is not None:
            exchange.cancel()

    def hang_up(self) -> None:
        """End all, but for what is to be done although the peer is gone."""
        for exchange in list(self._exchanges):
            if not exchange.goes_on_after_hang_up:
                exchange.cancel()
