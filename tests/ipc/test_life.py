"""The life of a connection, as a table."""

from botod.ipc.life import READING, TRANSITIONS, Life


def test_a_life_goes_one_way() -> None:
    """No state comes again, and each can end."""
    order = list(Life)
    for life, following in TRANSITIONS.items():
        assert all(order.index(one) > order.index(life) for one in following)
        assert Life.CLOSED in following or life is Life.CLOSED
    assert TRANSITIONS.keys() == set(Life)


def test_what_was_closed_is_not_read() -> None:
    """Half or whole."""
    assert {Life.OPEN, Life.FINISHING} == READING
