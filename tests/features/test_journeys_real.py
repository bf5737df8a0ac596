"""Journeys of real logs equal a naive count of the same rows: Starbucks and Complete Journey."""

from collections import Counter

import journeys_checked
import pytest

from features.history import History
from features.ingest import ingest_dataset
from features.journeys import build, summary
from features.journeys.asking import Question
from features.scaffold import init_workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SETTINGS = "channels: [web, store, social, phone, mobile_app, email, chat, advertising, mail]"


@pytest.mark.parametrize(("name", "needs"), [("starbucks", "starbucks_transcript.json.gz"), ("complete_journey", None)])
def test_every_count_of_a_real_log(name, needs, real_data, tmp_path):
    workspace = init_workspace(tmp_path / "shop", {"tactful.yaml": SETTINGS})
    ingest_dataset(workspace, name, [real_data(needs).parent] if needs else [])
    found = build.up_to_date(workspace)
    everyone = journeys_checked.naively(found, journeys_checked.rows(History(workspace).interactions()))
    assert len(everyone) > 10_000
    journeys_checked.check(found, summary.figures(found), everyone)
    touched = Counter(channel for j in everyone for channel in {step["key"][1] for step in j["steps"]})
    channel = touched.most_common()[-1][0]
    some = [journey for journey in everyone if any(step["key"][1] == channel for step in journey["steps"])]
    assert 0 < len(some) < len(everyone)
    journeys_checked.check(found, summary.figures(found, Question(channel=channel)), some, everyone)
