"""The port that the demo's service is given."""

import random
import socket

import pytest

from features.workspace import WorkspaceError
from serving.demo.shell import _free_port


def test_no_port_that_the_system_may_have_handed_out_before_the_service_is_up():
    assert {_free_port() < 32_768 for _ in range(50)} == {True}


def test_a_port_that_is_taken_is_not_given(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr(random, "sample", lambda _range, _number: [port])
        with pytest.raises(WorkspaceError, match="no port is free; name one with --port"):
            _free_port()
