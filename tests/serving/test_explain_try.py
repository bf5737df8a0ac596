"""`tactful policy try`: explains from the store as it is, and leaves it so."""

import json

import pytest
from store_contents import contents
from typer.testing import CliRunner

import tactful
from features import clock
from serving.engine import Engine


def test_policy_try_explains_and_changes_nothing(shop):
    with_store = Engine.open(shop)
    with_store.close()
    before = contents(shop)
    run = CliRunner().invoke(
        tactful.app, ["policy", "try", "--customer", "C1", "--channel", "email", "--workspace", str(shop.folder)]
    )
    assert run.exit_code == 0, run.output
    assert "voucher on email" in run.output
    later = clock.isoformat(clock.parse_instant("2026-06-01T00:00:00Z"))
    told = ["policy", "try", "--customer", "C1", "--inbound", "--at", later, "--json", "--workspace", str(shop.folder)]
    run = CliRunner().invoke(tactful.app, told)
    assert run.exit_code == 0, run.output
    answer = json.loads(run.stdout)
    assert clock.parse_instant(answer["at"]) == clock.parse_instant(later)
    assert answer["agent"] is not None
    assert contents(shop) == before


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--at", "soon"], "--at"),
        (["--at", "2001-01-01"], "--at: lies before what is known"),
        (["--channel", "hologram"], "--channel: 'hologram' is no channel here"),
        (["--context", "[1]"], "--context: should be an object"),
        (["--context", "{"], "--context: is not JSON"),
    ],
)
def test_what_policy_try_cannot_take_is_one_line(shop, wrong, told):
    Engine.open(shop).close()
    run = CliRunner().invoke(
        tactful.app, ["policy", "try", "--customer", "C1", *wrong, "--workspace", str(shop.folder)]
    )
    assert run.exit_code == 2
    assert told in " ".join((run.stderr or run.output).split())
    assert "Traceback" not in run.output
