"""Processes that the kernel kills when they open a socket to other machines.

What they start is killed, too. Native code is seen, which a guard in Python would miss.
"""

import ctypes
import platform
import signal
import socket
import struct

import pytest

KILLED = -signal.SIGSYS
"""What such a process ends with."""

_SOCKET = {"x86_64": 41, "aarch64": 198}.get(platform.machine())
_ARGUMENTS = 16  # of a call, in what a filter is given
_LOAD, _EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06
_KILL, _ALLOW = 0x80000000, 0x7FFF0000

needed = pytest.mark.skipif(
    platform.system() != "Linux" or not _SOCKET, reason="needs seccomp of Linux"
)


def no_sockets():
    """For ``preexec_fn``: no sockets of the internet at all."""
    family = [
        (_LOAD, 0, 0, _ARGUMENTS),
        (_EQUAL, 2, 0, socket.AF_INET),
        (_EQUAL, 1, 0, socket.AF_INET6),
    ]
    _install(family)


def no_names():
    """For ``preexec_fn``: nothing can be asked of a name server; services may listen."""
    family = [
        (_LOAD, 0, 0, _ARGUMENTS),
        (_EQUAL, 1, 0, socket.AF_INET),
        (_EQUAL, 0, 3, socket.AF_INET6),
        (_LOAD, 0, 0, _ARGUMENTS + 8),
        (_AND, 0, 0, 0xF),
        (_EQUAL, 1, 0, socket.SOCK_DGRAM),
    ]
    _install(family)


def _install(on_socket):
    """Steps of a filter that look at the arguments of socket(): the next allows, the one after
    that kills."""
    steps = [
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, len(on_socket), _SOCKET),
        *on_socket,
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(38, 1, 0, 0, 0) or prctl(22, 2, program, 0, 0):  # no new privileges, the filter
        raise OSError(ctypes.get_errno(), "no filter")
