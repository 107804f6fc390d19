"""docs/operations.md says what the tables of operations say."""

from pathlib import Path

from botod.daemon.operation_table import lines

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_page_is_what_the_tables_say() -> None:
    """Else: `make docs`."""
    assert PAGE.read_text(encoding="utf-8") == "\n".join(lines())


def test_what_it_says() -> None:
    """Of each kind: safe, unsafe, and safe on a condition."""
    page = "\n".join(lines())
    for row in (
        "| `s3.get_object` | a bucket/key | yes | any failure that may pass |",
        "| `sqs.send_message` | a queue's name | no | only what was refused, or not sent |",
        "| `sdb.select` | a domain | yes | any failure that may pass |",
        "| `sdb.put_attributes` | a domain | yes, but not with `Expected` | any failure that may",
    ):
        assert row in page
