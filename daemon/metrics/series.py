"""All series that the daemon has for Prometheus: the definition that code, docs and tests go by.

Each also has the label `worker`. Figures of workers are not added up here: a worker that died and
was replaced begins anew at nought, and Prometheus takes that for what it is only if it can see each
worker's own counter. `sum without (worker) (rate(...))` adds them up, rightly. In exchange a host
of N workers has N times the series, some 150 each.
"""

from dataclasses import dataclass
from enum import Enum

from botod.daemon.metrics import reading
from botod.daemon.metrics.histogram import BOUNDS_S
from botod.daemon.metrics.job_figures import SIZE_BOUNDS
from botod.daemon.metrics.reading import Reader, at, each, each_of_each, histogram, pools
from botod.daemon.metrics.snapshot import BUILD
from botod.pool.visits import BOUNDS_S as VISIT_BOUNDS_S


class Kind(Enum):
    """What Prometheus calls it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Series:
    """One family of series, by its full name. bounds: of a histogram's buckets."""

    name: str
    kind: Kind
    words: str
    read: Reader
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


COUNTER, GAUGE, HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
HOST = ("host", "profile")

JOBS = (
    Series(
        "botod_jobs_total", COUNTER,
        "Requests for jobs that are over, those that were refused among them.",
        reading.jobs, ("service", "operation", "outcome", "uid"),
    ),
    Series(
        "botod_job_duration_seconds", HISTOGRAM,
        "From a job's start to the last byte of its answer.",
        reading.whole, ("service", "operation"), BOUNDS_S,
    ),
    Series(
        "botod_job_phase_seconds", HISTOGRAM,
        "Where the time of a job that sent anything went, in all its requests: queue (for a "
        "slot), connect (name, connection, TLS; nothing much on a warm one), first_byte (what is "
        "sent, and the service's thinking), body (of the answer).",
        reading.phases, ("service", "phase"), BOUNDS_S,
    ),
    Series(
        "botod_job_attempts_total", COUNTER,
        "Requests made for jobs, retries and parts among them; one that carries several jobs "
        "counts for each.",
        each("jobs_done", "services", of=("attempts_total",)), ("service",),
    ),
    Series(
        "botod_batch_size_jobs", HISTOGRAM,
        "Jobs in a request that carried those of several callers.",
        reading.batches, ("service",), SIZE_BOUNDS,
    ),
    Series(
        "botod_job_sent_bytes_total", COUNTER, "Bytes of bodies sent for jobs.",
        each("jobs_done", "services", of=("sent_bytes",)), ("service",),
    ),
    Series(
        "botod_job_received_bytes_total", COUNTER, "Bytes of bodies received for jobs.",
        each("jobs_done", "services", of=("received_bytes",)), ("service",),
    ),
    Series(
        "botod_jobs_joined_total", COUNTER,
        "Requests that had the outcome of another with their idempotency key.",
        at("status", "jobs", "joined_total"),
    ),
    Series(
        "botod_jobs_running", GAUGE, "Jobs under way, streams of answers among them.",
        at("status", "jobs", "running_num"),
    ),
    Series(
        "botod_polls_running", GAUGE, "Those of them that are long polls.",
        at("status", "jobs", "polling_num"),
    ),
    Series(
        "botod_outcomes_remembered", GAUGE, "Outcomes that are known by their idempotency key.",
        at("status", "jobs", "remembered_num"),
    ),
)  # fmt: skip

PEERS = (
    Series("botod_peers", GAUGE, "Connections of peers.", at("peers_num")),
    Series(
        "botod_requests_in_flight", GAUGE,
        "Requests of peers that are not answered, or whose streams have not ended.",
        at("in_flight_num"),
    ),
    Series(
        "botod_unread_bytes", GAUGE, "Bytes of answers that wait for peers to read them.",
        at("unread_bytes"),
    ),
    Series(
        "botod_buffered_bytes", GAUGE, "Bytes of messages and bodies held for all peers.",
        at("status", "buffered_bytes"),
    ),
    Series(
        "botod_buffered_max_bytes", GAUGE, "How many there may be: [limits] buffered_bytes.",
        at("status", "buffered_max_bytes"),
    ),
    Series(
        "botod_refusals_total", COUNTER,
        "Requests and connections refused or ended by a limit, by the name of its setting.",
        each("status", "refused_by_limit"), ("limit",),
    ),
)  # fmt: skip

POOLS = (
    Series("botod_pool_slots", GAUGE, "Transfers at once to a host.", pools("slots_num"), HOST),
    Series(
        "botod_pool_slots_most", GAUGE, "The same while the host asks for no less.",
        pools("slots_most_num"), HOST,
    ),
    Series("botod_pool_leased", GAUGE, "Slots in use.", pools("leased_num"), HOST),
    Series(
        "botod_pool_polls_leased", GAUGE, "Those in use by long polls.",
        pools("polls_leased_num"), HOST,
    ),
    Series("botod_pool_waiting", GAUGE, "Jobs that wait for a slot.", pools("waiting_num"), HOST),
    Series(
        "botod_pool_polls_waiting", GAUGE, "Those of them that are long polls.",
        pools("polls_waiting_num"), HOST,
    ),
    Series(
        "botod_pool_oldest_wait_seconds", GAUGE,
        "How long the first of them has waited that is no long poll.",
        pools("oldest_wait_s"), HOST,
    ),
    Series(
        "botod_pool_transfers_total", COUNTER, "Requests made: slots that were leased.",
        pools("leases_total"), HOST,
    ),
    Series(
        "botod_pool_held_seconds_total", COUNTER,
        "How long slots were leased, all together; its rate by the slots is the utilisation.",
        pools("held_s_total"), HOST,
    ),
    Series(
        "botod_pool_wait_timeouts_total", COUNTER, "Jobs for which no slot became free in time.",
        pools("timeouts_total"), HOST,
    ),
    Series(
        "botod_pool_wait_refusals_total", COUNTER, "Jobs refused because too many wait.",
        pools("refused_total"), HOST,
    ),
    Series(
        "botod_pool_shrinks_total", COUNTER,
        "How often a host that had too much to do was given a slot less.",
        pools("shrinks_total"), HOST,
    ),
    Series(
        "botod_pool_resting", GAUGE,
        "1: the host takes no connections, and is left alone for a while.", reading.resting, HOST,
    ),
    Series(
        "botod_pool_rests_total", COUNTER, "How often a host was left alone for a while.",
        pools("health", "rests_total"), HOST,
    ),
    Series("botod_sockets_open", GAUGE, "Connections.", pools("sockets", "open_num"), HOST),
    Series(
        "botod_sockets_opened_total", COUNTER, "Connections opened.",
        pools("sockets", "opened_total"), HOST,
    ),
    Series(
        "botod_sockets_reused_total", COUNTER, "Requests on a connection that was there.",
        pools("sockets", "reused_total"), HOST,
    ),
    Series(
        "botod_sockets_closed_total", COUNTER,
        "Connections known to be closed: failed and aborted (their request was), server (idle, and "
        "closed by it), retired (too old, idle for too long, or by an answer's word).",
        reading.closed_sockets, (*HOST, "reason"),
    ),
    Series(
        "botod_retries_total", COUNTER, "Requests tried again, by what they failed from.",
        each_of_each("status", "retries", of=("by_cause",)), ("host", "cause"),
    ),
    Series(
        "botod_retries_refused_total", COUNTER,
        "Retries that there were not, as the host's budget of them was spent.",
        each("status", "retries", of=("refused_total",)), ("host",),
    ),
    Series(
        "botod_retry_budget", GAUGE, "Retries left for a host.",
        each("status", "retries", of=("left_num",)), ("host",),
    ),
)  # fmt: skip

KEYS = (
    Series(
        "botod_keys_present", GAUGE, "1: there are AWS keys for the profile.",
        each("profile_keys", of=("has_keys",)), ("profile",),
    ),
    Series(
        "botod_keys_expire_seconds", GAUGE,
        "Until the keys expire; of keys that stay good there is none.",
        each("profile_keys", of=("expires_in_s",)), ("profile",),
    ),
    Series(
        "botod_keys_failures_total", COUNTER, "Looks for keys that failed.",
        each("profile_keys", of=("failed_total",)), ("profile",),
    ),
)  # fmt: skip

PROCESS = (
    Series(
        "botod_visit_seconds", HISTOGRAM,
        "Stretches in which a job kept the loop, and nobody else was served.",
        reading.visits, bounds=VISIT_BOUNDS_S,
    ),
    Series(
        "botod_visit_longest_seconds", GAUGE, "The longest since the start.",
        at("status", "visits", "longest_s"),
    ),
    Series(
        "botod_loop_lag_seconds", HISTOGRAM,
        "How late the loop was with what was due, twice a second.",
        histogram("loop_lag"), bounds=BOUNDS_S,
    ),
    Series("botod_ready", GAUGE, "1: it takes jobs.", at("is_ready")),
    Series(
        "botod_workers", GAUGE, "Workers that there should be; count(botod_ready) answer.",
        at("workers_num"),
    ),
    Series("botod_uptime_seconds", GAUGE, "Since the start.", at("status", "uptime_s")),
    Series("botod_build_info", GAUGE, "1.", reading.build, tuple(BUILD)),
    Series(
        "botod_resident_bytes", GAUGE,
        "Memory; pages that workers share count in each.", at("process", "resident_bytes"),
    ),
    Series("botod_cpu_seconds_total", COUNTER, "CPU time.", at("process", "cpu_s")),
    Series("botod_descriptors", GAUGE, "Open descriptors.", at("process", "descriptors_num")),
    Series(
        "botod_descriptors_max", GAUGE, "How many there may be.", at("process", "descriptors_max"),
    ),
)  # fmt: skip

SECTIONS = {
    "Jobs": JOBS,
    "Peers": PEERS,
    "Connections to AWS": POOLS,
    "Keys": KEYS,
    "Processes": PROCESS,
}

SERIES = tuple(one for section in SECTIONS.values() for one in section)
