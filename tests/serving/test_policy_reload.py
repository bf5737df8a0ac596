"""A running service takes up changed policy files as a whole or not at all."""

import importlib
import threading
import time

import pytest

from features.workspace import Workspace, WorkspaceError
from serving.decisions import policy
from serving.decisions.policy import load
from serving.engine.policies import Policies

loading = importlib.import_module("serving.decisions.policy.load")  # the package shows its function by that name
CAP = "caps: [{{scope: group, name: g{0}, max: {0}, window: 7d}}]\nnot_contacts: [{1}]\n"
ACTION = "actions:\n  - {{name: a, issue: grow, group: g{0}, channels: [email], value: 1}}\n"
PADDING = ", ".join(f"type_{i}" for i in range(200))


def write(workspace: Workspace, number: int) -> None:
    workspace.actions_file.write_text(ACTION.format(number))
    text = CAP.format(number, PADDING)
    with workspace.policy_file.open("w") as file:  # as editors do: emptied, then filled piece by piece
        for i in range(0, len(text), 500):
            file.write(text[i : i + 500])
            file.flush()


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "tactful.yaml").write_text("name: test\n")
    opened = Workspace.open(tmp_path)
    write(opened, 1)
    return opened


def test_a_broken_file_keeps_the_old_policy_and_the_next_good_one_is_taken_up(workspace):
    policies = Policies(workspace)
    before = policies.playbook
    assert not policies.poll()
    good = workspace.policy_file.read_text()
    workspace.policy_file.write_text(good.replace("window: 7d", "window: 7 days"))
    assert policies.poll()
    assert policies.playbook is before
    assert policies.problem is not None
    assert "the old policy stays in use" in policies.problem
    assert "contact_policy.yaml" in policies.problem
    assert not policies.poll()
    workspace.policy_file.write_text(good.replace("max: 1", "max: 5"))
    assert policies.poll()
    assert policies.problem is None
    assert policies.playbook.policy.caps[0].max == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [x, x, x, x, x, x]\n" + "".join(f"{i}: &{i} [*{p}, *{p}, *{p}, *{p}, *{p}, *{p}]\n"
                                                  for p, i in zip("abcdefgh", "bcdefghi", strict=True)),
         "more than 200,000 values once aliases are written out"),
        ("caps: []\n" + "# no end in sight\n" * 60_000, "longer than 1,000,000 bytes"),
        ("zone: 2026-13-45", "month must be in 1..12"),
    ],
    ids=["aliases", "long", "no date"],
)  # fmt: skip
def test_a_file_that_says_too_much_keeps_the_old_policy_too(workspace, text, message):
    policies = Policies(workspace)
    before = policies.playbook
    workspace.policy_file.write_text(text)
    began = time.process_time()
    assert policies.poll()
    assert time.process_time() - began < 60  # a hang is all that takes so long
    assert policies.playbook is before
    assert "the old policy stays in use" in str(policies.problem)
    assert message in str(policies.problem)


def test_a_file_that_is_saved_again_while_the_first_is_read_is_in_use_in_the_end(workspace, monkeypatch):
    understood = loading._understood

    def between(*arguments):
        write(workspace, 3)
        return understood(*arguments[:2], *loading._written(workspace))

    write(workspace, 2)
    with monkeypatch.context() as patched:
        patched.setattr(loading, "_understood", between)
        policies = Policies(workspace)
    write(workspace, 2)
    policies.poll()
    assert policies.playbook.version == policy.load(workspace).version
    assert not policies.poll(), "and that is that"


@pytest.mark.parametrize("half", ["", "not_contacts: [type_0, ", None], ids=["empty", "cut short", "another"])
def test_a_file_that_is_saved_again_while_it_is_read_is_in_use_in_the_end(workspace, monkeypatch, half):
    """What it holds in the end was there already when the look began."""
    policies, understood = Policies(workspace), loading._understood
    write(workspace, 2)
    whole = workspace.policy_file.read_text()

    def between(*arguments):
        if half is None:
            write(workspace, 3)
        else:
            workspace.policy_file.write_text(half)
        return understood(*arguments[:2], *loading._written(workspace))

    with monkeypatch.context() as patched:
        patched.setattr(loading, "_understood", between)
        policies.poll()
    write(workspace, 2)
    assert workspace.policy_file.read_text() == whole
    policies.poll()
    assert policies.problem is None
    assert policies.playbook.version == policy.load(workspace).version
    policies.poll()
    assert not policies.poll(), "and that is that"


def test_a_file_that_vanishes_keeps_the_old_policy(workspace):
    policies = Policies(workspace)
    workspace.actions_file.unlink()
    assert policies.poll()
    assert "no such file" in str(policies.problem)
    assert policies.playbook.actions.by_name


def test_a_file_that_changes_while_it_is_read_is_read_again(workspace, monkeypatch):
    """The second file is written between the reading of both and the end of understanding them."""
    original, calls = loading.misfits, []

    def slow(*arguments):
        found = original(*arguments)
        calls.append(found)
        if len(calls) == 1:
            write(workspace, 2)
        return found

    monkeypatch.setattr(loading, "misfits", slow)
    book = load(workspace)
    assert (len(calls), book.policy.caps[0].max, book.actions.actions[0].group) == (2, 2, "g2")


def test_files_that_never_rest_are_refused(workspace, monkeypatch):
    numbers = iter(range(2, 100))
    original = loading.misfits
    monkeypatch.setattr(loading, "misfits", lambda *given: (original(*given), write(workspace, next(numbers)))[0])
    with pytest.raises(WorkspaceError, match="keeps changing"):
        load(workspace)


def test_while_both_files_are_rewritten_all_the_time_no_half_is_ever_in_use(workspace):
    """A cap names the group of the action: files of two generations do not fit, nor does a file cut short."""
    policies, stop, seen = Policies(workspace), threading.Event(), set()

    def scribble() -> None:
        number, pause = 1, 0.05
        while not stop.is_set():
            number = number % 9 + 1
            write(workspace, number)
            stop.wait(pause)
            if len(seen) < 2:  # a machine that is too busy to read both files in a pause
                pause = min(1.2 * pause, 2.0)

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        started = time.monotonic()
        while time.monotonic() < started + (2.0 if len(seen) > 1 else 60.0):
            policies.poll()
            book = policies.playbook
            (cap,), (action,) = book.policy.caps, book.actions.actions
            assert cap.name == action.group == f"g{cap.max}"
            assert len(book.policy.not_contacts) == 200
            seen.add(cap.max)
    finally:
        stop.set()
        writer.join()
    policies.poll()
    assert policies.playbook.version == policy.load(workspace).version
    assert len(seen) > 1


def test_a_changed_language_file_is_taken_up(workspace):
    policies = Policies(workspace)
    (workspace.folder / "language").mkdir()
    (workspace.folder / "language" / "en.yaml").write_text("generic: Hello. {stop}\n")
    assert policies.poll()
    assert policies.playbook.languages["en"].generic == "Hello. {stop}"
