"""`python -m novaops.sandbox.serve`: the simulated AWS, RPC, sinks and the control API, on one loopback port."""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import ThreadedWSGIServer

from novaops.sandbox import addresses, control, lifecycle, rpc, sinks
from novaops.sandbox.api_servers import api_servers
from novaops.sandbox.aws import notifications
from novaops.sandbox.journal import journal
from novaops.sandbox.ledgers import network
from novaops.sandbox.processes import processes
from novaops.sandbox.ticker import SAMPLE_S, ticker
from novaops.sandbox.world import DEFAULT_FACTOR


class QuietHandler(MotoRequestHandler):  # type: ignore[misc]
    """Answers requests without a line of log for each, over connections that stay open."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def application() -> Any:
    """Everything on one port: AWS at the root, the rest under prefixes."""
    mounts: dict[str, Any] = {
        addresses.CONTROL_PREFIX: control.app(),
        addresses.RPC_PREFIX: rpc.rpc_app("primary"),
        addresses.RPC_BACKUP_PREFIX: rpc.rpc_app("backup"),
        addresses.SINKS_PREFIX: sinks.app(),
        addresses.CERTIFICATES_PREFIX: notifications.certificates,
    }
    return DispatcherMiddleware(lifecycle.aws, mounts)


def serve(port: int, path: Path | None, seed: int, factor: float) -> None:
    """Restore the world, listen, say that it is ready, and let the world move on until SIGTERM or Ctrl-C."""
    server = ThreadedWSGIServer(addresses.HOST, port, application(), handler=QuietHandler)
    server.daemon_threads = True
    for name, address in addresses.outside(server.port).items():
        os.environ.setdefault(name, address)
    processes.endpoint = f"http://{addresses.HOST}:{server.port}"
    processes.possible = bool(os.environ.get("NOVA_DATABASE_URL"))
    if path:
        journal.keep_in(path)
        network.remember(path.with_name("network.json"))
    lifecycle.install()
    lifecycle.restore(seed=seed, factor=factor)
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, lambda *_: ticker.stop())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    api_servers.start()
    # In the main thread, as the kernel ends the children of a thread with it (prctl, PR_SET_PDEATHSIG).
    ticker.run()
    api_servers.stop()
    processes.stop()
    server.server_close()


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m novaops.sandbox.serve", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="loopback port, 0 for any")
    parser.add_argument("--journal", type=Path, help="file that keeps the world over restarts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--factor", type=float, default=DEFAULT_FACTOR, help="how much faster simulated time runs")
    parser.add_argument("--sample-s", type=float, default=SAMPLE_S, help="real seconds from one metric to the next")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    ticker.sample_s = ticker.usual_sample_s = chosen.sample_s
    serve(chosen.port, chosen.journal, chosen.seed, chosen.factor)


if __name__ == "__main__":
    main(sys.argv[1:])
