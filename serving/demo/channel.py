"""A channel system in the demo: it asks for decisions and reports what happened."""

from types import TracebackType
from typing import Any

import httpx

from features.workspace import WorkspaceError


class Channel:
    """One HTTP connection to the service, with an API key."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def __enter__(self) -> "Channel":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def record(self, interactions: list[dict[str, Any]]) -> dict[str, Any]:
        return self._post("/interactions", {"interactions": interactions})

    def decide(self, customer_id: str, channel: str, direction: str = "outbound") -> dict[str, Any]:
        return self._post("/decide", {"customer_id": customer_id, "channel": channel, "direction": direction})

    def contact(self, contact_id: str, step: str) -> dict[str, Any]:
        """`step` is claim, sent or failed."""
        return self._post(f"/contacts/{contact_id}/{step}", None)

    def outcome(self, decision_id: str, outcome: str, value: float | None = None) -> dict[str, Any]:
        body = {"decision_id": decision_id, "outcome": outcome}
        return self._post("/outcomes", body if value is None else {**body, "value": value})

    def _post(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        answer = self._http.post(path, json=body)
        if answer.status_code != 200:
            raise WorkspaceError(f"POST /v1{path} answered {answer.status_code}: {answer.text}")
        found: dict[str, Any] = answer.json()
        return found
