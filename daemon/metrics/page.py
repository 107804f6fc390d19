"""docs/metrics.md: what there is to watch, from the definition of the series.

python -m botod.daemon.metrics.page > docs/metrics.md
"""

import sys
from collections.abc import Iterator

from botod.daemon.metrics.job_figures import OPERATIONS_MAX, SERIES_MAX, UIDS_MAX
from botod.daemon.metrics.outcomes import OUTCOMES
from botod.daemon.metrics.series import SECTIONS
from botod.daemon.metrics.web import CONNECTIONS_MAX

HEAD = f"""\
# Metrics

_Not run by a test: needs a daemon in /run._

```sh
curl --unix-socket /run/botod/admin.sock http://localhost/metrics
```

`admin.sock` is beside the daemon's socket, for its user and root. With `[metrics] port` the same is
on that port of 127.0.0.1 (or ::1), for whoever is on the host; the Host header has to be a name of
this host's. Nothing but GET and HEAD is answered, a connection is for one request, and there are
{CONNECTIONS_MAX} at once.

| path | |
|---|---|
| `/metrics` | for Prometheus |
| `/healthz` | 200 while the process that serves this answers |
| `/readyz` | 200 while a worker takes jobs; 503 at the start, and while all drain |
| `/status.json` | the merged status, counts only |

In Prometheus:

```yaml
scrape_configs:
  - job_name: botod
    static_configs: [{{targets: ["127.0.0.1:9393"]}}]
```

[etc/grafana-dashboard.json](../etc/grafana-dashboard.json) shows them, and
[etc/botod-alerts.yml](../etc/botod-alerts.yml) has rules that wake somebody, each with its reason.

One of several workers, whoever leads, serves the figures of all; when it goes, another one does
within some seconds. Each series has the label `worker`, and nothing is added up before Prometheus
has it: a worker that died and was replaced begins anew at nought, which Prometheus makes nothing of
as long as it sees that worker by itself, where a sum would go back. So:

```text
sum without (worker) (rate(botod_jobs_total[5m]))
```

A worker that does not answer in two seconds is missing; `botod_workers` says how many there should
be. Names of resources, such as buckets, keys and queues, are in no series: a bucket's own host
counts as its endpoint's, and a host that belongs to no endpoint in use as `other`. There are
{OPERATIONS_MAX} operations and {UIDS_MAX} users, and {SERIES_MAX} combinations with an outcome, in
a worker at most; what comes later is counted as `other`. What is no operation of AWS's never has a
series.

`outcome` is one of {", ".join(f"`{word}`" for word in OUTCOMES)}. Those that
[PROTOCOL.md](../ipc/PROTOCOL.md) has as errors mean the same here; of what a service answered with
an error, `throttled` is that it has too much to do, `server_error` that it failed, `client_error`
that it was asked for what it does not do or have, such as an object that is not there.

This page is made from the definition of the series by `make docs`; a test compares.
"""


def page_lines() -> Iterator[str]:
    """The page, line by line."""
    yield HEAD
    for title, section in SECTIONS.items():
        yield f"## {title}\n"
        yield "| series | | labels beside `worker` | |"
        yield "|---|---|---|---|"
        for one in section:
            labels = ", ".join(f"`{label}`" for label in one.labels)
            words = one.words.replace("*", r"\*")
            yield f"| `{one.name}` | {one.kind.value} | {labels} | {words} |"
        yield ""


if __name__ == "__main__":
    sys.stdout.write("\n".join(page_lines()))
