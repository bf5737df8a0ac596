"""What `tactful monitor` found is among the service's metrics."""

from types import SimpleNamespace

from prometheus_client.parser import text_string_to_metric_families

from serving import metrics


def test_the_service_passes_on_what_the_monitor_found(tmp_path):
    engine = SimpleNamespace(
        workspace=SimpleNamespace(folder=tmp_path),
        policy_problem=None,
        readiness=lambda: {"ready": True, "versions": {"policy": "p1", "models": {"churn": {"version": "3"}}}},
    )

    def told():
        families = list(text_string_to_metric_families(metrics.exposition(engine).decode()))
        names = [family.name for family in families]
        assert len(names) == len(set(names))
        return {family.name: family.samples for family in families}

    assert "tactful_monitor_alarm" not in told()  # nobody looked yet
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "monitor.prom").write_text(
        "# HELP tactful_monitor_alarm 1 where a check rings\n# TYPE tactful_monitor_alarm gauge\n"
        'tactful_monitor_alarm{check="auc",subject="churn"} 1.0\n'
    )
    [alarm] = told()["tactful_monitor_alarm"]
    assert (alarm.labels, alarm.value) == ({"check": "auc", "subject": "churn"}, 1.0)
