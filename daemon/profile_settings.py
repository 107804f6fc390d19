"""The settings of one upstream, with their defaults, bounds and words."""

from collections.abc import Mapping
from dataclasses import dataclass

from botod.daemon.settings import setting, table


@dataclass(frozen=True)
class ProfileSettings:
    """`[profile.NAME]`: an upstream. The one called default serves jobs that name none."""

    region: str = setting(
        "us-east-1",
        "AWS region. It goes into every signature.",
    )
    aws_profile: str = setting(
        "",
        "Whose keys it uses, by the name of a profile in AWS's shared files (~/.aws/config and "
        "~/.aws/credentials, or those that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE "
        'name). Empty: the one of the same name. "default", and the profile default by itself, '
        "is AWS's whole chain: the environment first, at last the container's and the machine's "
        "role. docs/credentials.md has more.",
    )
    endpoint: str = setting(
        "",
        "URL of one server for all services, in place of AWS's, such as "
        '"http://127.0.0.1:9000". Paths are not allowed.',
    )
    endpoints: Mapping[str, str] = table(
        'The same by service, such as { s3 = "http://127.0.0.1:9000" }; it goes before endpoint.'
    )
    addressing: str = setting(
        "auto",
        'Where S3\'s bucket stands: "virtual": in the host\'s name; "path"; "auto": at AWS in the '
        "host's name where the certificate allows that, elsewhere in the path.",
        choices=("auto", "path", "virtual"),
    )
    dual_stack: bool = setting(
        False,
        "AWS's endpoints that have IPv6 beside IPv4 addresses.",
    )
    fips: bool = setting(
        False,
        "AWS's endpoints with FIPS 140 modules.",
    )
    signature: str = setting(
        "v4",
        'Signature Version 4, or "v2" for old servers that know no other. It is about S3 and '
        "SQS; SimpleDB has Version 2 only.",
        choices=("v2", "v4"),
    )
    ca_file: str = setting(
        "",
        "PEM file of the roots that servers are verified against. Empty: that of [pool].",
    )
    client_cert: str = setting(
        "",
        "PEM file of a certificate by which the daemon says who it is, for servers that ask.",
    )
    client_key: str = setting(
        "",
        "PEM file of its key. Empty: it is in client_cert, too.",
    )
    tls_min_version: str = setting(
        "1.2", 'The oldest version of TLS that is spoken: "1.2" or "1.3".', choices=("1.2", "1.3")
    )
    proxy: str = setting(
        "",
        "An HTTP proxy, as http://[user:password@]host:port; for https it opens a tunnel. The "
        "environment's is not looked at.",
    )
    slots_per_host: int = setting(
        0, "Transfers at once to one host {bounds}; 0: as in [pool].", bounds=(0, 10_000)
    )
    retries: int = setting(
        3,
        "Tries after the first, where a failure allows another {bounds}: docs/retries.md says "
        "which do.",
        bounds=(0, 10),
    )
    retry_max_s: float = setting(
        20.0, "Longest pause between two tries, in seconds {bounds}.", bounds=(0.1, 300)
    )
    sqs_batching: bool = setting(
        True,
        "Whether SQS messages that are sent, deleted or changed at the same time travel as one "
        "request: jobs of one user on one queue, while another such job is on its way; a lone one "
        "never waits. A request with the option batch = false goes by itself all the same.",
    )
    user_agent: str = setting(
        "",
        "Said in the User-Agent of each request, beside botod's name and the caller's.",
    )
    warm_sockets: Mapping[str, int] = table(
        "Connections to keep open over quiet spells, by service, such as { sqs = 2 }; each "
        "number from 0 to slots_per_host. They are opened at the start and again when the "
        "server closes them, in the background, each by a request without keys (HEAD /) that "
        "has a slot like any other. s3 needs an endpoint: at AWS each bucket has its own host."
    )
