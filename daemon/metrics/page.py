"""docs/metrics.md: what there is to watch, from the definition of the series.

python -m botod.daemon.metrics.page > docs/metrics.md
"""

import sys
from collections.abc import Iterator

from botod.daemon.metrics.history import SAMPLES_MAX, STEP_S
from botod.daemon.metrics.job_figures import ERRORS_MOST, OPERATIONS_MAX, SERIES_MAX, UIDS_MAX
from botod.daemon.metrics.outcomes import OUTCOMES
from botod.daemon.metrics.series import SECTIONS
from botod.daemon.metrics.web import CONNECTIONS_MAX
from botod.pool.slow_visits import SLOW_KEPT

MINUTES = SAMPLES_MAX * STEP_S // 60

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
| `/readyz` | 200 while a worker takes jobs; 503 at the start, and while none does |
| `/status.json` | the merged status, counts only |
| `/` | a page for a person |

A daemon that stops takes no jobs, nor does one after `botod drain`; one after `botod pause` takes
them and has them wait.

## The page

![A daemon at work: what wants a look, plots, tables of what there is below](images/page.png)

`http://127.0.0.1:9393/` with `port = 9393`; or from another machine, port or not, as root or the
daemon's user:

_Not run by a test: needs another host._

```sh
ssh -L 9393:/run/botod/admin.sock host
```

It is for reading only, asks for `/status.json` each 5 seconds, loads nothing from elsewhere, and
begins with what wants a look: workers that do not answer or take no jobs, hosts that rest, jobs
that have waited for a slot for over a second, profiles without keys, and that more than 5 % of the
last minute's jobs failed.

![Jobs a second, all and failed, and how long they took, over the last minutes](images/plots.png)

- The plots have the last {MINUTES} minutes as it is opened, a point each {STEP_S} s. Each worker
  keeps what it did itself, so its part ends with it. `95 % within` is the upper bound of a bucket
  of `botod_job_duration_seconds`. Long polls count, too, with the time that they waited.
- Operations and errors are since the start, of all users; of errors, an operation's outcome each,
  there are the {ERRORS_MOST} kinds that came last.
- Slow visits are the last {SLOW_KEPT} of each worker over `visit_warn_s`, with their stack: names
  of files and functions, never a value.
- Of peers there are counts: on a port anybody on the host may look, and `admin.sock` serves the
  same. Their pids and users are in `botod show peers`, for whom `botod.status` is allowed.

`/status.json` and `botod status --json` have the same as `history`, `operations`, `errors` and
`slow_visits`. `took_by_s` says how many jobs took so many seconds at most and more than the bound
before.

## In Prometheus

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
