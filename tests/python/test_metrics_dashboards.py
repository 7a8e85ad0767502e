"""Metrics as others read them: the published parsers take every page, and dashboards find what they ask for.

`metrics_dashboards.txt` says for each of the reference's Grafana dashboards which metrics its panels query and by which
labels they choose or join; what is marked with `-` is not served, for the reason that follows.
"""
import re
from pathlib import Path

import pytest
from prometheus_client import parser as text_format
from prometheus_client.openmetrics import parser as open_metrics
from test_metrics import OPEN_METRICS, PAGES, busy, fetch  # noqa: F401 (a fixture)

TABLE = Path(__file__).with_name("metrics_dashboards.txt")


def parsed(path, accept):
    status, headers, body = fetch(path, Accept=accept)
    assert status == 200
    is_open = headers["Content-Type"].startswith("application/openmetrics-text")
    assert is_open == (accept == OPEN_METRICS), headers["Content-Type"]
    read = open_metrics if is_open else text_format
    return list(read.text_string_to_metric_families(body.decode()))


@pytest.mark.parametrize("accept", [OPEN_METRICS, "text/plain"])
@pytest.mark.parametrize("page", PAGES)
def test_published_parsers_take_every_page(broker, busy, page, accept):  # noqa: F811
    families = parsed(PAGES[page], accept)
    assert len(families) == len({family.name for family in families}) > 1
    samples = [(sample.name, tuple(sorted(sample.labels.items()))) for family in families for sample in family.samples]
    assert len(samples) == len(set(samples)) > len(families) / 2
    if page != "memory-breakdown" and page != "aggregated":
        # What needs escapes comes back as it was.
        assert any(sample.labels.get("queue") == 'quo"te\\back' for family in families for sample in family.samples)


def dashboards():
    """Dashboard, metric, labels, and why it is not served."""
    for line in TABLE.read_text().splitlines():
        if line.startswith("["):
            dashboard = line.strip("[]")
        elif line and not line.startswith("#"):
            metric, *labels = line.removeprefix("- ").split(":")[0].split()
            yield dashboard, metric, labels, line.partition(": ")[2] if line.startswith("- ") else None


def test_dashboards_find_every_metric_and_label_they_ask_for(broker, busy):  # noqa: F811
    served = {}
    for accept in (OPEN_METRICS, "text/plain"):
        for family in parsed("/metrics", accept):
            for sample in family.samples:
                served.setdefault(sample.name, []).append(sample.labels)
    rows = list(dashboards())
    assert len({dashboard for dashboard, *_ in rows}) > 3
    for dashboard, metric, labels, reason in rows:
        prefix = metric.removesuffix("*")
        found = [sample for name in served if name == metric or name.startswith(prefix) and prefix != metric
                 for sample in served[name]]
        # A label is wanted with a value (le=100.0), or at all.
        has = all(any(re.fullmatch(re.escape(label), f"{name}={value}" if "=" in label else name)
                      for sample in found for name, value in sample.items()) for label in labels)
        if reason is None:
            assert found and has, f"{dashboard}: {metric} {labels}"
        else:
            assert not (found and has), f"{dashboard}: {metric} is served after all"
