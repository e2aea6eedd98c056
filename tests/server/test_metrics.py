"""Numbers for Prometheus: counts of what was asked, under names that no client chooses."""

from starlette.routing import Route

from impasto.server.metrics import Metrics


def lines(metrics):
    return metrics.text()[0].decode().splitlines()


def asked(metrics, method="GET", route=None, status=200):
    scope = {"method": method, "path": "/x", "route": route and Route(route, lambda _: None)}
    metrics.observe(scope, status, 0.1)


def test_requests_are_counted_by_route_method_and_status():
    metrics = Metrics()
    for _ in range(2):
        asked(metrics, "POST", "/v1/stylize")
    asked(metrics, "POST", "/v1/stylize", 429)
    found = [line for line in lines(metrics) if line.startswith("impasto_requests_total")]
    assert found == [
        'impasto_requests_total{method="POST",route="/v1/stylize",status="200"} 2.0',
        'impasto_requests_total{method="POST",route="/v1/stylize",status="429"} 1.0',
    ]


def test_methods_of_a_clients_own_make_no_labels():
    metrics = Metrics()
    for number in range(1000):
        asked(metrics, f"BREW{number}")
    asked(metrics, "get")
    found = [line for line in lines(metrics) if line.startswith("impasto_requests_total")]
    assert found == ['impasto_requests_total{method="other",route="",status="200"} 1001.0']
