"""The Spark session: one that is there, one of a cluster, or one of this machine; and its errors in one line."""

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from features.workspace import WorkspaceError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Of a session on this machine only.
_LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.log.level": "OFF",
}


def session(master: str | None = None, memory: str = "2g") -> "SparkSession":
    """The Spark session that is there; else of spark-submit or $SPARK_REMOTE; else on `master`; else on this machine.

    $TACTFUL_SPARK_MASTER stands for a `master` that is not given. `memory` is what Spark's own process on this machine
    may take. Raises WorkspaceError where Spark or Java is missing.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise WorkspaceError("the Spark engine needs pyspark: pip install 'tactful[spark]'") from None
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    elsewhere = any(name in os.environ for name in ("PYSPARK_GATEWAY_PORT", "SPARK_REMOTE", "SPARK_CONF_DIR"))
    if not elsewhere:
        master = master or os.environ.get("TACTFUL_SPARK_MASTER") or "local[*]"
    builder: Any = SparkSession.builder
    builder = builder.appName("tactful").config("spark.sql.session.timeZone", "UTC")
    if master is not None:
        builder = builder.master(master)
    if master is not None and master.startswith("local"):
        if not java():
            raise WorkspaceError("the Spark engine needs Java 17: install openjdk-17-jre-headless, or set JAVA_HOME")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else workers take whichever python3 comes first
        for key, value in {**_LOCAL, "spark.driver.memory": memory}.items():
            builder = builder.config(key, value)
    with one_line("Spark cannot be started"), _silent_stderr(master):
        return builder.getOrCreate()


def java() -> bool:
    """Whether there is a Java that runs."""
    home = os.environ.get("JAVA_HOME")
    program = os.path.join(home, "bin", "java") if home else shutil.which("java")
    if not program or not os.path.exists(program):
        return False
    return subprocess.run([program, "-version"], capture_output=True, check=False).returncode == 0


@contextmanager
def _silent_stderr(master: str | None) -> Iterator[None]:
    """A local JVM keeps the standard error that it was started with, and is talkative: it gets none."""
    if master is None or not master.startswith("local"):
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Spark's errors are a page of Java: the first line says what happened."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
            yield
    except (PySparkException, Py4JError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = next((line for line in reversed(lines) if "Error:" in line), lines[0] if lines else repr(error))
        raise WorkspaceError(f"{what}: {told}") from None
