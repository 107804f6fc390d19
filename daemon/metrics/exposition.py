"""What Prometheus reads, out of what the workers tell.

prometheus_client takes 4 MB and 60 ms to import: only who serves somebody that scrapes pays them,
and in a thread.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from botod.daemon.metrics.series import SERIES, Kind, Series


class Workers(Collector):
    """Collects what workers told."""

    def __init__(self, snapshots: Sequence[Mapping[str, Any]]) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterator[Metric]:
        for series in SERIES:
            yield self._family(series)

    def _family(self, series: Series) -> Metric:
        labels = ("worker", *series.labels)
        if series.kind is Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(series.name, series.words, labels=labels)
            for values, counted in self._samples(series):
                histogram.add_metric(values, _buckets(series.bounds, counted), counted["total"])
            return histogram
        kind = CounterMetricFamily if series.kind is Kind.COUNTER else GaugeMetricFamily
        family = kind(series.name, series.words, labels=labels)
        for values, value in self._samples(series):
            family.add_metric(values, value)
        return family

    def _samples(self, series: Series) -> Iterator[tuple[tuple[str, ...], Any]]:
        for snapshot in self._snapshots:
            for values, value in series.read(snapshot):
                yield (str(snapshot["worker"]), *values), value


def _buckets(bounds: Sequence[float], counted: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Prometheus's buckets: each holds those below it, too."""
    below = 0.0
    buckets = []
    names = [*(str(bound) for bound in bounds), "+Inf"]
    for name, number in zip(names, counted["counts"], strict=True):
        below += number
        buckets.append((name, below))
    return buckets


def exposition(snapshots: Sequence[Mapping[str, Any]], accept: str) -> tuple[bytes, str]:
    """The whole page, and its content type: what `accept`, the request's header, asks for."""
    registry = CollectorRegistry()
    registry.register(Workers(snapshots))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
