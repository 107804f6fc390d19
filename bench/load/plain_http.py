"""The requests with nothing signed, for what only carries them."""

from urllib.parse import urlencode

from load.task import MESSAGE, Task


def plain(task: Task) -> tuple[str, str, bytes | None]:
    """Method, URL and body."""
    if task.kind == "sqs":
        params = {"Action": "SendMessage", "MessageBody": MESSAGE, "DelaySeconds": "0"}
        return "POST", f"{task.url}/1/q", urlencode(params).encode()
    if task.kind == "put":
        return "PUT", f"{task.url}/put/plain", task.body
    return "GET", f"{task.url}/bucket/{task.key}", None
