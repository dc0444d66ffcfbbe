"""What a server is asked in one short episode, as a file: `python -m` this module writes it anew.

The file shows every change of what the source says to CARLA, which no test here can run.
"""

import json
from pathlib import Path

from tests.foreframe.sources.carla_double_server import Server
from tests.foreframe.sources.carla_setting import record

TRACE = Path(__file__).with_name("carla_trace.json")


def requests() -> list[str]:
    """Return the requests of one episode in order, with a place that is taken on the way."""
    server = Server(occupied=frozenset({4}))
    for _ in record(server):
        pass
    return server.log


if __name__ == "__main__":
    TRACE.write_text(json.dumps(requests(), indent=1) + "\n", encoding="utf-8")
