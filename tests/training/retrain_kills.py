"""Processes that retrain, one after the other, each killed by SIGKILL at a point. Arguments: workspace, points.

They are forks of one that has imported everything and trained nothing. What each printed and how it ended goes to
POINT.json in the folder `told` of the workspace, with the journal that it left.
"""

import json
import os
import signal
import sys
from pathlib import Path

from features.workspace import Workspace
from training import evaluate, pipeline, tracking
from training.retrain import journal, parts, run, steps

POINTS = ("features", "logging", "registered", "aliasing", "promoted", "ending", "never")
TREES, REPEATS = 12, 10


def die(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner, name, when=lambda *_: True):
    """Dies once `owner.name` has done its work."""
    plain = getattr(owner, name)

    def work(*arguments, **options):
        result = plain(*arguments, **options)
        if when(*arguments):
            die()
        return result

    setattr(owner, name, work)


def arm(point):
    if point == "features":  # one of four files is written
        after(parts.pq, "write_table")
    elif point == "logging":  # the model lies in MLflow, its run is open and nothing is registered
        after(tracking, "_log_model")
    elif point == "registered":  # nobody has noted it
        after(tracking.Registry, "log")
    elif point == "aliasing":  # the verdict is written down, the alias is not given
        setting = tracking.Registry.appoint

        def appoint(self, *arguments, **options):
            self.client.set_registered_model_alias = die
            setting(self, *arguments, **options)

        tracking.Registry.appoint = appoint
    elif point == "promoted":
        after(steps, "settled")
    elif point == "ending":  # the summary is written, the journal is still there
        journal.Journal.forget = die


def retrain(folder, point):
    made = pipeline.make

    def small(*arguments, **options):
        model = made(*arguments, **options)
        model[-1].rounds = TREES
        with open(os.path.join(folder, "fits"), "a") as file:
            file.write(f"{point}\n")
        return model

    pipeline.make = small
    evaluate.evaluate.__defaults__ = (REPEATS, evaluate.METRICS)
    steps.code_version = lambda: "the code of this test, whatever is committed meanwhile"
    arm(point)
    return run.retrain(Workspace.open(folder), ["churn"]).model_dump()


def main(folder, *points):
    told = Path(folder) / "told"
    told.mkdir()
    for point in points:
        child = os.fork()
        if child == 0:
            (told / f"{point}.json").write_text(json.dumps({"summary": retrain(folder, point)}))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        file, left = told / f"{point}.json", Path(folder) / "state" / "retrain" / "journal.json"
        said = json.loads(file.read_text()) if file.exists() else {}
        said |= {"status": status, "journal": json.loads(left.read_text()) if left.exists() else None}
        file.write_text(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
