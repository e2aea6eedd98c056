"""What OpenAPI says: every field that is taken and no other, bodies, errors, examples."""

import json
import re

from impasto.options import OptimizeOptions, StylizeOptions, WriteOptions
from impasto.server import fields


def form_of(operation):
    """The schema of a form that an operation takes."""
    content = operation.get("requestBody", {}).get("content", {})
    return content.get("multipart/form-data", {}).get("schema", {"properties": {}})


def test_the_fields_are_the_options(service):
    """No knob is defined twice: what the API takes comes from the options."""
    assert set(fields.Stylize.model_fields) == {
        "style",
        "shares",
        "format",
        "boldness",
        "style_size",
        "style_crop",
        *vars(StylizeOptions()),
        *vars(WriteOptions()),
    }
    allowed = set(fields.Optimize.model_fields)
    assert {"size", "steps", "style_weight", "colors", "optimizer"} <= allowed
    # Texts name files, networks and devices of the machine.
    assert not allowed & {
        "weights",
        "init",
        "start",
        "loss_network",
        "device",
        "style_crop",
        "loss",
    }
    assert "network" not in allowed
    assert fields.Optimize.model_fields["size"].default == OptimizeOptions.size


def test_no_route_takes_an_address(service):
    """Nothing is ever fetched for a client."""
    paths = service.http.get("/openapi.json").json()["paths"]
    operations = [each for item in paths.values() for each in item.values()]
    parameters = [
        each["name"] for operation in operations for each in operation.get("parameters", ())
    ]
    fields = [name for operation in operations for name in form_of(operation)["properties"]]
    assert {"id", "name", "strength"} <= {*parameters}
    assert {"image", "painting", "strength"} <= {*fields}
    assert not [name for name in parameters + fields if re.search("url|uri|href|link", name)]
    assert '"format": "uri"' not in json.dumps(paths).lower()


def test_forms_take_the_fields_that_are_documented_and_no_others(service, jpeg):
    stylize, submit = (
        service.http.get("/openapi.json").json()["paths"][path]["post"]
        for path in ("/v1/stylize", "/v1/jobs")
    )
    queried = {each["name"] for each in stylize["parameters"]}
    assert queried == set(fields.Stylize.model_fields)
    assert {*form_of(stylize)["properties"]} == queried | {"image", "mask"}
    jobs = {*fields.Styled.model_fields, *fields.Optimize.model_fields}
    assert {*form_of(submit)["properties"]} == jobs | {"image", "mask", "painting"}
    assert "parameters" not in submit

    def refusal(path, files, fields):
        sent = {"files": {"image": jpeg, **files}, "data": {"size": "?", **fields}}
        return service.http.post(path, **sent).json()["detail"]

    forms = {"/v1/stylize": [{}], "/v1/jobs": [{}, {"painting": jpeg}]}
    for path, operation in (("/v1/stylize", stylize), ("/v1/jobs", submit)):
        documented = form_of(operation)["properties"]
        every = {*documented, *jobs, "init", "start", "network", "device", "url"}
        for name in every - {"image", "mask", "painting"}:
            said = [refusal(path, files, {name: "?"}) for files in forms[path]]
            taken = [each for each in said if f"{name}: Extra inputs" not in each]
            assert bool(taken) == (name in documented), (path, name, said)
        for name in ("painting", "mask", "film", "style"):
            said = refusal(path, {name: jpeg}, {})
            taken = f"no field {name!r} for a file" not in said
            kinds = [about := documented.get(name, {}), *about.get("anyOf", ())]
            files = [kind for kind in kinds if kind.get("format") == "binary"]
            assert taken == bool(files), (path, name, said)


def test_openapi_tells_of_bodies_errors_and_examples(service):
    told = service.http.get("/openapi.json").json()
    stylize = told["paths"]["/v1/stylize"]["post"]
    form = stylize["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["image"]["format"] == "binary"
    assert (
        form["properties"]["strength"]["description"] == "How much of the painting: 0 none, 1 all."
    )
    assert "image/jpeg" in stylize["requestBody"]["content"]
    assert stylize["responses"]["default"]["content"].keys() == {"application/problem+json"}
    assert told["components"]["schemas"]["Problem"]["properties"]["hint"]["examples"]
    assert "HTTPValidationError" not in told["components"]["schemas"]
    assert service.http.get("/docs").status_code == 200
