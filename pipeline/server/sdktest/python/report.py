"""Runs the cases that are named on the command line, all at once, and prints a line of JSON for each
as it ends. A case notes what its client showed; what it raises is the client's error. Whether that is
right is decided in Go, in clients_test.go."""

import json
import pathlib
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

# Thirty seconds before the headers, before the first event and inside an answer.
SILENCES = {"silence_headers": "slow-first 30s", "silence_event": "slow-event 30s", "silence_middle": "silence 30s"}

# The ways in which a stream can end before its end.
BREAKS = {"broken_cut": "cut", "broken_eof": "eof", "broken_garbage": "garbage", "broken_event": "error-event", "broken_line": "error-line"}


class Seen(dict):
    """What a client showed in one case."""

    def __init__(self, name):
        super().__init__(case=name, mark=pathlib.Path(sys.argv[0]).stem.removesuffix("_client") + "." + name)
        self.begun = time.monotonic()

    def since(self):
        return time.monotonic() - self.begun

    def arrived(self):
        """Notes the time of the first piece of a stream and counts them."""
        self.setdefault("first", self.since())
        self["chunks"] = self.get("chunks", 0) + 1


def report(cases, describe, warm=None):
    """warm is played before all others, and before any time is taken: a client that builds its types when it first
    needs them takes half a minute for it on a busy machine."""
    line = threading.Lock()
    if warm and not SILENCES.keys().isdisjoint(sys.argv[1:]):
        warm(Seen("warm"))

    def run(name):
        seen = Seen(name)
        try:
            cases[name](seen)
        except Exception as error:
            seen["error"] = {"class": type(error).__name__, "message": str(error), **describe(error)}
        seen["took"] = seen.since()
        with line:
            print(json.dumps(seen), flush=True)

    names = sys.argv[1:]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(run, names))


def broken(fault):
    return f"!fault {fault} # and some more words behind it, so that there are events"
