"""What an error of the service looks like."""

from http import HTTPStatus

UNPROCESSABLE = HTTPStatus(422).phrase.replace(" ", "")  # Python 3.13 has another


def assert_problem(found, status, code, words):
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"
    told = found.json()
    assert told.keys() == {"type", "title", "status", "detail", "hint", "code"}
    assert told["status"] == status
    assert told["code"] == code
    assert words in told["detail"] + told["hint"]
