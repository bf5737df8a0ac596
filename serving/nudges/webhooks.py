"""One call of a webhook: signed, to an address that was looked at first, answered within seconds or failed."""

import http.client
import ipaddress
import os
import random
import socket
import ssl
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from features import clock
from features.workspace import Webhook, WorkspaceError
from serving.nudges import signing

#: Seconds for each step of a call: to connect, to send, to be answered.
PATIENCE = 10.0
FIRST_WAIT, LONGEST_WAIT = 30 * clock.SECOND, clock.HOUR
#: Shorter ones could be guessed.
SHORTEST_SECRET = 16


class Undelivered(Exception):
    """Why a call failed, in words without the customer."""


@dataclass(frozen=True)
class Receiver:
    """A channel system that is called: the settings' webhook and its secret."""

    webhook: Webhook
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, webhook: Webhook) -> "Receiver":
        """Raises WorkspaceError where the secret is not in the environment."""
        secret = os.environ.get(webhook.secret_env, "")
        if len(secret) < SHORTEST_SECRET:
            raise WorkspaceError(
                f"tactful.yaml: `webhooks`: {webhook.url}: the environment variable {webhook.secret_env} should hold"
                f" the shared secret, at least {SHORTEST_SECRET} characters; set it where `tactful nudge` runs"
            )
        return cls(webhook, secret.encode())

    def takes(self, channel: str | None) -> bool:
        return self.webhook.channels is None or channel in self.webhook.channels

    def call(self, delivery: str, body: bytes, timestamp: int | None = None) -> None:
        """Returns once a 2xx was answered. Raises Undelivered; the receiver may have got it all the same."""
        at = int(time.time()) if timestamp is None else timestamp
        where = urlsplit(self.webhook.url)
        host, secure = str(where.hostname), where.scheme == "https"
        port = where.port or (443 if secure else 80)
        address = allowed_address(host, port, self.webhook.private)
        connection = _Connection(host, port, address, secure)
        try:
            path = (where.path or "/") + (f"?{where.query}" if where.query else "")
            connection.request("POST", path, body, signing.headers(self.secret, at, delivery, body))
            answer = connection.getresponse()
            answer.read(1024)
        except (OSError, http.client.HTTPException, ssl.SSLError) as error:
            raise Undelivered(f"{host}: {type(error).__name__}: {error}"[:200]) from None
        finally:
            connection.close()
        if not 200 <= answer.status < 300:  # a redirect, too: it could lead to an address nobody looked at
            raise Undelivered(f"{host} answered {answer.status}")


def wait(tries: int, jitter: float | None = None) -> int:
    """Microseconds until the next try after `tries` failures: 30 s, doubled each time up to an hour, give or take a
    fifth, so that what failed together does not come back together."""
    spread = random.uniform(0.8, 1.2) if jitter is None else jitter
    return int(min(FIRST_WAIT * 2 ** min(tries - 1, 20), LONGEST_WAIT) * spread)


def allowed_address(host: str, port: int, private: bool) -> str:
    """The address to call. Raises Undelivered where the name leads nowhere, or into our own network unasked.

    All its addresses are looked at and one of them is connected to: a name that changes between the look and the call
    gains nothing.
    """
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise Undelivered(f"{host} is not known") from None
    for text in found:
        if not private and not public(text):
            raise Undelivered(f"{host} is {text}, a private address; `private: true` at the webhook would allow it")
    return found[0]


def public(text: str) -> bool:
    """Whether an address is one of the open internet's: none of ours, of this machine's, of a cloud's own."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None and not public(str(inner)):
            return False
        if address in _NAT64:
            return public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        if address.ipv4_mapped is not None:
            return True
    return address.is_global and not address.is_multicast and not address.is_unspecified


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class _Connection(http.client.HTTPConnection):
    """A connection to the address that was looked at; over TLS, by the certificate of the name."""

    def __init__(self, host: str, port: int, address: str, secure: bool) -> None:
        super().__init__(host, port, timeout=PATIENCE)
        self._address, self._secure = address, secure

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), PATIENCE)
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
