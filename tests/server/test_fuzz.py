"""Everything that the OpenAPI document allows, and much that it does not, is asked."""

import pytest
from hypothesis import HealthCheck, settings

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")

pytestmark = pytest.mark.filterwarnings("ignore")  # schemathesis's and its libraries' own


@pytest.fixture(scope="module")
def schema(server):
    return schemathesis.openapi.from_url(f"{server}/openapi.json")


METHODS = [
    ("POST", "/v1/stylize"),
    ("POST", "/v1/jobs"),
    ("POST", "/v1/styles"),
    ("POST", "/v1/faces"),
    ("GET", "/v1/jobs/{id}"),
    ("DELETE", "/v1/jobs/{id}"),
    ("POST", "/v1/jobs/{id}/stop"),
    ("GET", "/v1/jobs/{id}/events"),
    ("GET", "/v1/jobs/{id}/preview"),
    ("GET", "/v1/jobs/{id}/result"),
    ("GET", "/v1/jobs/{id}/style"),
    ("GET", "/v1/styles"),
    ("GET", "/v1/styles/{name}/preview"),
    ("GET", "/v1/limits"),
]


def test_every_route_is_asked(service):
    paths = service.http.get("/openapi.json").json()["paths"]
    assert sorted(METHODS) == sorted(
        (method.upper(), path) for path, item in paths.items() for method in item
    )


@pytest.mark.parametrize(("method", "path"), METHODS)
def test_no_answer_is_a_fault(schema, service, method, path):
    """What the document allows, and, where anything but a name is taken, what it does not."""
    ask(schema[path][method], "POSITIVE", 40)
    if method == "POST" and "{" not in path:
        ask(schema[path][method], "NEGATIVE", 60)
    assert service.http.get("/healthz").status_code == 200


@pytest.mark.parametrize(("method", "path"), METHODS[:2])
def test_no_option_of_a_real_picture_is_a_fault(schema, jpeg, method, path):
    def put(case):
        if isinstance(case.body, dict):
            case.body["image"] = jpeg
        else:
            case.body = jpeg

    ask(schema[path][method], "POSITIVE", 25, put)


def ask(operation, mode, times, put=lambda case: None):
    from hypothesis import given
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = (
        not_a_server_error,
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    @given(case=operation.as_strategy(generation_mode=GenerationMode[mode]))
    @settings(max_examples=times, deadline=None, suppress_health_check=list(HealthCheck))
    def each(case):
        put(case)
        case.validate_response(case.call(timeout=60), checks=checks)

    each()
