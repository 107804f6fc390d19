"""obstore's store: a library in Rust. It verifies no certificate here, which saves it something."""

from obstore.store import S3Store

from load.task import Task


def store_for(task: Task) -> S3Store:
    return S3Store(
        "put" if task.kind == "put" else "bucket",
        endpoint=task.url,
        region="us-east-1",
        access_key_id="access",
        secret_access_key="secret",
        client_options={"allow_invalid_certificates": True, "allow_http": True},
    )
