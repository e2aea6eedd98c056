"""Errors as problems: without places of the machine, in letters that can be sent."""

import errno
import json

import pytest

from impasto.errors import DeviceError, OptionError
from impasto.server.problems import answer, from_system, problem
from problems import assert_problem


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        *(OSError(number, "no") for number in (errno.EAGAIN, errno.EMFILE, errno.ENOMEM)),
    ],
)
def test_a_machine_that_has_nothing_left_says_so(error):
    refusal = from_system(error)
    assert (refusal.http_status, refusal.headers) == (503, {"Retry-After": "5"})
    assert refusal.message == "the machine has nothing left to do it with"


def test_a_full_disk_says_so_and_a_fault_is_none_of_these():
    assert from_system(OSError(errno.ENOSPC, "no")).message == "the disk of the service is full"
    for fault in (RuntimeError("a fault"), KeyError("x"), OSError(errno.ENOENT, "no"), OSError()):
        assert from_system(fault) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "nothing left"),
        (RuntimeError("can't start new thread"), "nothing left"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk of the service is full"),
    ],
)
def test_no_route_calls_that_a_fault(asking, monkeypatch, logged, jpeg, error, words):
    client = asking()

    async def starved(_):
        raise error

    monkeypatch.setattr(client.app.state.painters, "paint", starved)
    found = client.post("/v1/stylize?style=udnie", content=jpeg)
    assert_problem(found, 503, "ServiceUnavailable", words)
    assert found.headers["retry-after"] == "5"
    assert not [line for line in logged if "Traceback" in line]


def test_halves_of_characters_can_be_told(asking, jpeg):
    told = problem(OptionError("there is no '\ud800'", hint="see \udcff"))
    assert (told["detail"], told["hint"]) == ("there is no '?'", "see ?")
    assert json.loads(answer(DeviceError("\ud800")).body)["detail"] == "?"
    body = b'--x\r\nContent-Disposition: form-data; name="style"\r\n\r\n\\ud800\r\n--x--\r\n'
    client = asking()
    for charset in ("unicode_escape", "utf-7", "idna", "punycode", "hex", "nothing", "utf-16"):
        kind = f"multipart/form-data; boundary=x; charset={charset}"
        for path in ("/v1/stylize", "/v1/jobs"):
            found = client.post(path, content=body, headers={"Content-Type": kind})
            assert 400 <= found.status_code < 500, (charset, found.text)
            assert found.json()["detail"]


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("make room in /var/tmp, or set TMPDIR", "make room in its folder, or set TMPDIR"),
        ("34 MB are free in /home/me/.cache/impasto/jobs", "34 MB are free in its folder"),
        (r"see 'C:\Users\me'", "see 'its folder'"),
        ("give a smaller size, or use POST /v1/jobs", "give a smaller size, or use POST /v1/jobs"),
        ("GET /docs says what is there", "GET /docs says what is there"),
        ("use 1/2 and/or more", "use 1/2 and/or more"),
    ],
)
def test_no_hint_names_a_folder_of_the_machine(hint, told):
    assert problem(DeviceError("it cannot", hint=hint))["hint"] == told
