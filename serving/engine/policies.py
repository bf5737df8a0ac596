"""The marketer's files in a running service: taken up when they change, as a whole or not at all."""

import hashlib
import logging
from pathlib import Path

from features.workspace import Workspace, WorkspaceError
from serving.decisions import policy
from serving.decisions.policy import Playbook

log = logging.getLogger("tactful.engine")


class Policies:
    """The playbook in use, and what is wrong with the files where they could not be taken up."""

    def __init__(self, workspace: Workspace) -> None:
        """WorkspaceError where they are broken: there is no older playbook to go on with."""
        self._workspace = workspace
        seen = self._digest()
        self.playbook: Playbook = policy.load(workspace)
        self._seen = seen if seen == self._digest() else {}  # as in `poll`
        self.problem: str | None = None

    def poll(self) -> bool:
        """Takes up what changed since the last time; True where anything did, be it for the worse.

        By content, not by time: two writes can share one tick of the file system's clock. What changed while it was
        read, or could not be taken up, is looked at once more: it may have been half of a change that ends where this
        look began, such as a file saved twice.
        """
        digest = self._digest()
        if digest == self._seen:
            return False
        before = self.playbook, self.problem
        try:
            self.playbook = policy.load(self._workspace, blank=False)
            self.problem = None
            log.info("policy %s in use", self.playbook.version)
        except WorkspaceError as error:
            self.problem = f"the old policy stays in use: {error}"
            if self.problem != before[1]:
                log.error(self.problem)
        settled = self.problem in (None, before[1]) and digest == self._digest()
        self._seen = digest if settled else {}
        return self.playbook is not before[0] or self.problem != before[1]

    def _digest(self) -> dict[Path, bytes | None]:
        folder = self._workspace.folder
        files = (self._workspace.actions_file, self._workspace.policy_file, *sorted(folder.glob("language/*.yaml")))
        return {file: _hash(policy.content(file)) for file in files}


def _hash(content: bytes | None) -> bytes | None:
    return None if content is None else hashlib.sha256(content).digest()
