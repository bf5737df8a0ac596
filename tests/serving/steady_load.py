"""A connection that asks the running service for one decision after the other, while something is changed under it."""

import threading
from collections import Counter


class SteadyLoad(threading.Thread):
    """`status` counts how answers ended; a subclass says what it wants to know of one, `seen` is there to count it."""

    def __init__(self, service, number):
        super().__init__(daemon=True)
        self.service, self.number = service, number
        self.status, self.seen = Counter(), Counter()
        self.done = threading.Event()

    def run(self):
        with self.service.client() as client:
            asked = 0
            while not self.done.is_set():
                asked += 1
                body = {"customer_id": f"C{(7 * asked + self.number) % 60}", "request_id": f"r-{self.number}-{asked}"}
                answer = client.post("/v1/decide", json=body)
                self.status[answer.status_code] += 1
                if answer.status_code == 200:
                    self.look(answer.json())

    def look(self, answer):
        raise NotImplementedError
