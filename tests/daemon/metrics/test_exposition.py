"""What Prometheus reads, by prometheus_client's own parser."""

import subprocess
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from botod.daemon.metrics.exposition import exposition
from botod.daemon.metrics.series import SERIES, Kind
from support.expositions import Exposition
from support.tellers import told


def test_each_worker_has_its_own_series() -> None:
    """Nothing is added up, so that a new worker's nought is nobody's loss."""
    text, content_type = exposition([told(0, 1), told(1, 2)], "")
    assert content_type.startswith("text/plain; version=0.0.4")
    found = Exposition(text.decode())
    name = "botod_jobs_total"
    assert [found.total(name, worker=str(number), outcome="ok") for number in (0, 1)] == [1, 2]
    assert found.total("botod_job_duration_seconds_count", operation="get_object") == 3
    assert found.total("botod_job_duration_seconds_bucket", le="+Inf") == 3
    assert found.total("botod_job_phase_seconds_count", phase="first_byte") == 3
    assert found.total("botod_pool_transfers_total") == 3
    assert found.total("botod_build_info") == 2


def test_each_series_is_announced() -> None:
    """With its kind and its words, though there may be nothing to tell yet."""
    text, _content_type = exposition([told(0, 0)], "")
    families = Exposition(text.decode()).families
    for series in SERIES:
        family = families[series.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (series.kind.value, series.words)


def test_buckets_hold_those_below_them() -> None:
    """The last is the count."""
    text, _content_type = exposition([told(0, 3)], "")
    buckets = Exposition(text.decode()).found("botod_job_duration_seconds_bucket")
    values = [sample.value for sample in buckets]
    assert values == sorted(values)
    assert values[-1] == 3


def test_openmetrics_for_who_asks_for_it() -> None:
    """As Prometheus itself does."""
    text, content_type = exposition([told(0, 1)], "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    names = {one.name for one in text_string_to_metric_families(text.decode())}
    assert len(names) == len(SERIES)


def test_who_is_not_scraped_does_not_import_it() -> None:
    """prometheus_client comes with the first scrape."""
    script = "import sys, botod.daemon.service; print('prometheus_client' in sys.modules)"
    command = [sys.executable, "-c", script]
    assert subprocess.check_output(command, text=True).strip() == "False"


def test_histograms_have_seconds() -> None:
    """Whose names say so."""
    for series in SERIES:
        if series.kind is Kind.HISTOGRAM:
            assert series.name.endswith(("_seconds", "_jobs"))
