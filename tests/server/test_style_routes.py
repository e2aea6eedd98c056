"""What there is: styles and their previews, limits; and what monitors ask."""

import re

import pytest

from impasto import catalog, images
from impasto.options import ServeOptions


def test_styles_are_listed_with_their_previews(service):
    styles = service.http.get("/v1/styles").json()["styles"]
    assert {"great-wave", "starry-night"} <= {style["name"] for style in styles}
    for style in styles:
        assert style["artist"] and style["title"] and style["licence"]
        assert style["parameters"] == catalog.find(style["name"]).card.network.parameters
        preview = service.http.get(style["preview"])
        assert images.read(preview.content).format == "JPEG"
        again = service.http.get(
            style["preview"], headers={"If-None-Match": preview.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "no-cache"


def test_limits_are_told_and_no_secret_is(service):
    told = service.http.get("/v1/limits").json()
    assert told["max_bytes"] == ServeOptions.max_bytes
    assert told["jobs"][0] == "stylize"
    assert not {"token", "redis", "state", "host"} & told.keys()


def test_health_and_metrics(service, jpeg):
    assert service.http.get("/healthz").json() == {"status": "ok"}
    service.post(jpeg, style="great-wave", size=64)
    text = service.http.get("/metrics").text
    line = r'impasto_requests_total\{method="POST",route="/v1/stylize",status="200"\} [1-9]'
    assert re.search(line, text)
    assert "impasto_painters_busy 0.0" in text
    assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/docs"])
def test_monitors_ask_with_head(service, path):
    asked, whole = service.http.head(path), service.http.get(path)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-length"] == whole.headers["content-length"]
