"""`bentoml build` packs the service without asking anybody, and what it packed serves."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import market
import psutil
import pytest
from running import READY_WITHIN, free_port

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_bento_is_built_offline_and_serves(tmp_path):
    """BentoML looks for `uv` even where nothing is to be locked; one that cannot run shows that it is not run."""
    stub = tmp_path / "bin" / "uv"
    stub.parent.mkdir()
    stub.write_text(f"#!/bin/sh\ntouch {tmp_path}/uv-was-run\nexit 1\n")
    stub.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{stub.parent}:{os.environ['PATH']}",
        "BENTOML_HOME": str(tmp_path / "home"),
        "PIP_NO_INDEX": "1",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE),
    }
    words = [sys.executable, "-m", "bentoml"]
    built = subprocess.run([*words, "build", ".", "--output", "tag"], cwd=ROOT, env=environment, capture_output=True)
    assert built.returncode == 0, built.stderr.decode()[-2000:]
    assert not (tmp_path / "uv-was-run").exists()
    tag = built.stdout.decode().strip().rpartition("__tag__:")[2]
    (bento,) = (tmp_path / "home" / "bentos" / "tactful").glob("*/")
    assert {each.name for each in (bento / "src").iterdir()} >= {"features", "serving", "training"}
    assert not (bento / "src" / "tests").exists()
    assert (bento / "src" / "serving" / "api_page.html").is_file()
    assert "://" not in (bento / "env" / "python" / "requirements.txt").read_text(), "no index is named"
    port = free_port()
    shop = market.found(tmp_path / "shop")
    environment |= {"TACTFUL_WORKSPACE": str(shop.folder), "NO_PROXY": "127.0.0.1"}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([*words, "serve", tag, "--port", str(port)], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + READY_WITHIN
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200:
                    break
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-2000:]
            time.sleep(0.3)
        assert "/v1/decide" in httpx.get(f"http://127.0.0.1:{port}/v1/docs", timeout=60).text
        assert httpx.post(f"http://127.0.0.1:{port}/v1/decide", json={}, timeout=60).status_code == 401
    finally:
        family = [*psutil.Process(server.pid).children(recursive=True), server]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        server.wait()
