"""Writes metrics as Prometheus reads them: text, or OpenMetrics where the client accepts that.

Needs ``prometheus-client`` (the extra ``[metrics]``), which is imported with this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as FamilyOfClient
from prometheus_client.registry import Collector

from foxtrot_supervisor.report.metric_readers import Histogram
from foxtrot_supervisor.report.metrics import Family

__all__ = ["exposed"]


def exposed(families: Sequence[Family], accept: str) -> tuple[str, bytes]:
    """Return content type and text of `families`, in the best format of the header ``Accept``."""
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(families))
    return content_type, encode(registry)


class _Snapshot(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[FamilyOfClient]:
        for family in self._families:
            yield _family_of_client(family)

    def describe(self) -> Iterator[FamilyOfClient]:
        return iter(())


def _family_of_client(family: Family) -> FamilyOfClient:
    metric = family.metric
    made: FamilyOfClient
    match metric.type:
        case "counter":
            counter = CounterMetricFamily(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
            for sample in family.samples:
                counter.add_metric(sample.labels, _number(sample.value))
            made = counter
        case "gauge":
            gauge = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
            for sample in family.samples:
                gauge.add_metric(sample.labels, _number(sample.value))
            made = gauge
        case "info":
            info = InfoMetricFamily(metric.name.removesuffix("_info"), metric.help, labels=())
            for sample in family.samples:
                info.add_metric((), dict(zip(metric.labels, sample.labels, strict=True)))
            made = info
        case _:
            histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
            for sample in family.samples:
                assert isinstance(sample.value, Histogram)
                bounds = [(repr(bound), float(count)) for bound, count in sample.value.buckets]
                histogram.add_metric(
                    sample.labels, [*bounds, ("+Inf", float(sample.value.count))], sum_value=sample.value.total
                )
            made = histogram
    return made


def _number(value: float | Histogram) -> float:
    assert not isinstance(value, Histogram)
    return float(value)
