"""What is said about requests from above boto."""

import asyncio

from botod.pool import Terms, current_terms, on_terms, spawn, use_terms, wait


def test_without_terms_nothing_is_idempotent() -> None:
    """Outside any block requests are made on cautious terms."""
    assert not current_terms().idempotent
    assert current_terms().key is None


def test_terms_hold_in_a_block_and_in_what_it_spawns() -> None:
    """A spawned function works on its spawner's terms, the very object, so that it can count."""

    async def scenario() -> None:
        terms = Terms(key="a peer", idempotent=True)
        with on_terms(terms):
            spawned = spawn(current_terms)
        assert await spawned is terms
        assert current_terms() is not terms

    asyncio.run(scenario())


def test_a_function_may_say_itself_on_which_terms_it_works() -> None:
    """From there on, and for what it spawns then; nobody else does."""

    async def scenario() -> None:
        terms = Terms(key="a peer")

        def job() -> list[Terms]:
            use_terms(terms)
            return [current_terms(), wait(spawn(current_terms))]

        assert await spawn(job) == [terms, terms]
        assert current_terms() is not terms

    asyncio.run(scenario())


def test_a_part_counts_for_the_whole() -> None:
    """It is under the same key, with the same headers; whether it may be repeated is its own."""
    whole = Terms(key="k", idempotent=False, headers={"a": "b"}, user_agent="u")
    part = whole.part(idempotent=True)
    whole.count_attempt()
    part.count_attempt()
    part.part(idempotent=False).count_attempt()
    assert (whole.attempts_num, part.attempts_num) == (3, 2)
    assert (part.key, part.headers, part.user_agent) == ("k", {"a": "b"}, "u")
    assert (whole.idempotent, part.idempotent) == (False, True)
