"""The policy page over a live service: what holds, which versions there were, what a change changed, what is wrong."""

import asyncio
import shutil

import console_world
import pytest

from serving.console import standalone
from serving.console.blocks import Code, Details, Form, Section, Sentences, table
from serving.console.look import Look
from serving.console.views import Ask, action, policy
from serving.engine import Engine

EASED = console_world.POLICY.replace("max: 2, window: 7d", "max: 5, window: 7d")
EASED = EASED.replace("holdout: {share: 0.1}", "holdout: {share: 0.2}")


@pytest.fixture(scope="module")
def look(world_template, tmp_path_factory):
    """A service under the second of two policies."""
    folder = tmp_path_factory.mktemp("policy") / "world"
    shutil.copytree(world_template, folder)
    engine = Engine.open(console_world.Workspace.open(folder))
    engine.warm()
    (folder / "contact_policy.yaml").write_text(EASED)
    assert engine.refresh()
    yield Look(engine, "anna", frozenset({"marketer"}))
    engine.close()


def shown(look, **query):
    return asyncio.run(policy.page(look, Ask(query=query)))


def walk(blocks, kind):
    for block in blocks:
        if isinstance(block, kind):
            yield block
        if isinstance(block, Section | Details):
            yield from walk(block.blocks, kind)


def test_it_says_what_holds_now(look):
    page = shown(look)
    assert "at most 5 contacts in all in any 7 days" in page.lead
    assert "20% of customers are never sold to" in page.lead
    said = [text for block in walk(page.blocks, Sentences) for text in block.items if isinstance(text, str)]
    assert "At most 5 contacts in all in any 7 days." in said
    assert any("Offered on email" in text for text in said), "actions are put into words, too"


def test_it_says_what_the_last_version_changed(look):
    page = shown(look)
    changes = next(block for block in page.blocks if isinstance(block, Section) and block.id == "changes")
    told = [(item.verdict.words, item.text) for block in walk([changes], Sentences) for item in block.items]
    assert ("no longer", "At most 2 contacts in all in any 7 days.") in told
    assert ("now", "At most 5 contacts in all in any 7 days.") in told
    diff = next(walk([changes], Code))
    assert diff.kind == "diff"
    assert "+holdout: {share: 0.2}" in diff.text.splitlines()


def test_an_old_version_can_be_read_and_compared(look):
    versions = [row[0].text for row in table(shown(look), "versions").rows]
    assert len(versions) == 2
    old = shown(look, version=versions[1])
    assert old.title == f"Policy, version {versions[1]}"
    assert "at most 2 contacts in all in any 7 days" in old.lead
    assert "Not in use now" in old.lead
    assert any("first version that was kept" in str(block) for block in walk(old.blocks, Section))
    both = shown(look, version=versions[1], against=versions[0])
    told = [item for block in walk(both.blocks, Sentences) for item in block.items if not isinstance(item, str)]
    assert told
    form = next(walk(both.blocks, Form))
    assert {value for value, _ in form.fields[0].options} == set(versions)


@pytest.mark.parametrize("version", ["nobody", "../../..", "<script>"])
def test_a_version_that_was_not_kept_says_so(look, version):
    page = shown(look, version=version)
    assert page.lead == f"Version {version} is not known here."
    assert "<script>nobody" not in standalone.file(page)


def test_files_that_cannot_be_used_are_an_alarm(look):
    file = look.workspace.policy_file
    file.write_text("caps: wrong")
    try:
        look.engine.refresh()
        page = shown(look)
        assert page.alarm is not None
        assert "the old policy stays in use" in page.alarm.sentences[0]
        assert "at most 5 contacts" in page.lead
    finally:
        file.write_text(EASED)
        look.engine.refresh()


def test_one_action_without_a_report_says_what_makes_one(look):
    page = asyncio.run(action.page(look, Ask(path={"action": "voucher"})))
    assert page.title == "Ten percent off your next basket"
    assert "tactful report actions" in standalone.file(page)
    assert "Offered on chat" in standalone.file(page)
    none = asyncio.run(action.page(look, Ask(path={"action": console_world.EVIL})))
    assert "There is no action" in none.lead
    assert console_world.EVIL not in standalone.file(none)


@pytest.fixture
def report(look):
    """What went out by action; gone afterwards."""
    from training.reports import jobs, keep

    yield jobs.make(look.workspace, "actions").artefact
    keep.place(look.workspace, "actions").unlink()


def test_one_action_with_a_report_shows_what_went_out(look, report):
    mine = [each for each in report.treatments if each.action == "voucher"]
    page = asyncio.run(action.page(look, Ask(path={"action": "voucher"})))
    assert f"went out in {sum(each.contacts for each in mine):,} contacts" in page.lead
    assert [row[1] for row in table(page, "treatments").rows] == [each.contacts for each in mine]
    versions = table(shown(look), "versions").rows
    counts = {each.version: each.decisions for each in report.policies}
    assert {row[0].text: row[2] for row in versions if row[2] is not None} == counts
