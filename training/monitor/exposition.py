"""The look as Prometheus reads it: a file for node_exporter's textfile collector, and what the service passes on."""

from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily

from features import clock
from features.whole import whole
from training.monitor.report import MonitorReport


class _Collector:
    def __init__(self, report: MonitorReport) -> None:
        self.report = report

    def collect(self) -> list[GaugeMetricFamily]:
        report = self.report
        looked = GaugeMetricFamily(
            "tactful_monitor_timestamp_seconds",
            "when `tactful monitor` looked",
            value=clock.parse_instant(report.created_at) / clock.SECOND,
        )
        alarm = GaugeMetricFamily(
            "tactful_monitor_alarm", "1 where a check rings, 0 where it is well", labels=["check", "subject"]
        )
        value = GaugeMetricFamily("tactful_monitor_value", "what a check measured", labels=["check", "subject"])
        limit = GaugeMetricFamily("tactful_monitor_limit", "beyond what it rings", labels=["check", "subject"])
        for check in report.checks:
            names = [check.check, check.subject]
            if check.status != "unknown":
                alarm.add_metric(names, float(check.status == "alarm"))
            for family, number in ((value, check.value), (limit, check.limit)):
                if number is not None:
                    family.add_metric(names, number)
        psi = GaugeMetricFamily(
            "tactful_monitor_psi", "how far a feature moved since training", labels=["model", "feature"]
        )
        for feature in report.features:
            psi.add_metric([feature.model, feature.feature], feature.psi)
        return [looked, alarm, value, limit, psi]


def text(report: MonitorReport) -> str:
    """In exposition format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(report))
    return generate_latest(registry).decode()


def write(report: MonitorReport, path: Path) -> None:
    """Whole or not at all: a collector may read at any moment."""
    with whole(path) as own:
        own.write_text(text(report), encoding="utf-8")
