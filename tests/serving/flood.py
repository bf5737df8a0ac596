"""Many connections that ask again as soon as they are answered: `python flood.py PORT KEY CONNECTIONS SECONDS`.

A process of its own, so that its clock is not the server's. Prints a JSON object: {status: [milliseconds]}, and how
many refusals came without Retry-After.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import defaultdict


async def flood(port: int, key: str, connections: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of every answer, by status; refusals without Retry-After are listed once more, as "bare"."""
    took: dict[str, list[float]] = defaultdict(list)
    end = time.perf_counter() + seconds

    async def connection(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turn = 0
        while (start := time.perf_counter()) < end or not turn:  # once, however busy the machine is
            turn += 1
            content = b'{"customer_id":"C%d","channel":"email","direction":"inbound"}' % ((number * 7 + turn) % 60)
            head = (
                f"POST /v1/decide HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            )
            writer.write(head.encode() + content)
            header = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(header.split(b"content-length:")[1].split(b"\r\n")[0]))
            status = header[9:12].decode()
            took[status].append((time.perf_counter() - start) * 1e3)
            if status == "429" and b"retry-after:" not in header:
                took["bare"].append(0.0)
        writer.close()

    await asyncio.gather(*(connection(number) for number in range(connections)))
    return took


def flooding(port: int, key: str, connections: int, seconds: float) -> "subprocess.Popen[str]":
    """The same beside this process; `json.loads(p.communicate()[0])` is what it measured."""
    words = [sys.executable, __file__, str(port), key, str(connections), str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(flood(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))))
