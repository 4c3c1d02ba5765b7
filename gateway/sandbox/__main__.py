"""Serves the sandbox: `python -m gateway.sandbox --port 9000`."""

import argparse
import asyncio
import os
import signal

import uvloop
from aiohttp import web
from yarl import URL

from gateway.sandbox.app import Options, create_app
from gateway.sandbox.text import ENCODING
from gateway.tokens import tokenizer

# Streams that still run when the sandbox is told to stop are not waited for: it has nothing to lose.
SHUTDOWN_S = 0.1
BACKLOG = 4096


def main() -> None:
    arguments = _arguments()
    options = Options(api_key=arguments.api_key, record_bodies=arguments.record_bodies, fast=arguments.fast)
    if not options.fast:
        tokenizer(ENCODING)  # now, and not under the first request
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options, host=arguments.host, port=arguments.port))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gateway.sandbox", description="An OpenAI-compatible server without a model.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000, help="0 takes a free port (default: %(default)s)")
    parser.add_argument(
        "--api-key",
        default=os.environ.get("SANDBOX_API_KEY") or None,
        help="refuse requests without this bearer credential (default: $SANDBOX_API_KEY, else none)",
    )
    parser.add_argument("--record-bodies", action="store_true", help="show request bodies in /_sandbox/requests")
    parser.add_argument("--fast", action="store_true", help="answer fixed bytes, for benchmarks; knobs are ignored")
    return parser.parse_args()


async def _serve(options: Options, *, host: str, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(create_app(options), handler_cancellation=True, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        bound_host, bound_port = runner.addresses[0][:2]
        url = URL.build(scheme="http", host=bound_host, port=bound_port)
        print(f"sandbox upstream listening on {url}", flush=True)
        await stopped.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
