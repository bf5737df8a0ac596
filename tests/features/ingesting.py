"""What the tests of ingest share: a workspace, files written by hand, and processes that are killed."""

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from features.history import History, Receipt
from features.ingest import Ingested, ingest_files
from features.scaffold import init_workspace
from features.workspace import Workspace

#: A table as an online retailer exports it: day first, local time, cancelled lines, repeated lines.
RETAIL = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,01/12/2010 08:26,2.55,17850,United Kingdom
536365,71053,"WHITE METAL, LANTERN",6,01/12/2010 08:26,3.39,17850,United Kingdom
536365,71053,"WHITE METAL, LANTERN",6,01/12/2010 08:26,3.39,17850,United Kingdom
C536379,22752,SET 7 BABUSHKA,-2,13/07/2010 09:41,7.65,14527,France
536381,22139,RETROSPOT TEA SET,1,01/12/2010 09:41,4.25,,United Kingdom
"""

RETAIL_MAP = {
    "zone": "Europe/London",
    "columns": {
        "customer_id": "CustomerID",
        "occurred_at": {"column": "InvoiceDate", "format": "%d/%m/%Y %H:%M"},
        "channel": {"constant": "web"},
        "type": {"cases": [{"when": "Quantity < 0", "then": "refund"}], "otherwise": "purchase"},
        "value": {"expression": "Quantity * UnitPrice"},
        "topic": "Country",
    },
}

PLAIN = ("interaction_id,customer_id,occurred_at,channel,type,value\n"
         "a,c1,2024-05-01T10:00:00Z,web,purchase,1.5\nb,c2,2024-05-02,store,purchase,2\n")  # fmt: skip


#: What is imported takes longer than what is killed: each dies in a fork of one process that has imported it.
_FORKS = """
import os, signal, sys
exec({imports!r})

def die(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

for folder in sys.argv[1:]:
    child = os.fork()
    if not child:
        exec({program!r})
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def killed(imports: str, program: str, *folders: Path) -> None:
    """Runs `program` in a process of its own for each of these, its `folder`; by its `die` each must end."""
    script = _FORKS.format(imports=imports, program=program)
    done = subprocess.run([sys.executable, "-c", script, *map(str, folders)], capture_output=True, text=True)
    assert done.stdout.split() == [str(-signal.SIGKILL)] * len(folders), done.stderr


def shop(folder: Path, settings: str = "") -> Workspace:
    """A workspace whose clock is the system's unless `settings` say otherwise."""
    return init_workspace(folder / "shop", {"tactful.yaml": settings})


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """A file, gzipped where its name says so."""
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def write_map(folder: Path, content: dict | str, name: str = "map.yaml") -> Path:
    return write(folder, name, content if isinstance(content, str) else yaml.safe_dump(content))


def ingest(workspace: Workspace, *paths: Path, map: dict | str | None = None) -> Ingested:
    """Ingests, and holds the one equation that must always hold."""
    done = ingest_files(workspace, paths, write_map(workspace.folder, map) if map is not None else None)
    for source in done.sources:
        balanced(source.receipt)
    return done


def balanced(receipt: Receipt) -> None:
    assert receipt.received == receipt.accepted + receipt.duplicates + receipt.quarantined


def rows(workspace: Workspace) -> list[dict]:
    """Everything in history, oldest first."""
    return History(workspace).interactions().sort_by([("occurred_at", "ascending")]).to_pylist()


def refused(workspace: Workspace) -> list[dict]:
    """Everything in quarantine."""
    files = sorted(workspace.quarantine.glob("*")) if workspace.quarantine.exists() else []
    return [json.loads(line) for path in files for line in path.read_bytes().splitlines()]


def content(workspace: Workspace) -> dict[str, bytes]:
    """Every file of history and quarantine with its bytes."""
    folders = (workspace.history, workspace.quarantine)
    return {
        str(path.relative_to(workspace.folder)): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
