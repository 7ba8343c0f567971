"""Runs the figures named on the command line, or all of them."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.benchmarks import (
    alerts,
    arriving,
    audit,
    capital,
    crm,
    cryptocapital,
    deriv,
    messages,
    moving,
    starting,
    strangers,
    vault,
)
from tests.benchmarks.environments import CannotInstallError
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.processes import CannotMeasureError

BENCHMARKS: dict[str, Callable[[Path], Awaitable[list[Figure]]]] = {
    "throughput": messages.throughput,
    "throughput_aiogram": messages.throughput_aiogram,
    "latency": messages.latency,
    "starting": starting.starting,
    "strangers": strangers.strangers,
    "vault_records": vault.sealing,
    "vault_open_all": vault.opening,
    "audit_record": audit.recording,
    "audit_verify": audit.examining,
    "cryptocapital_signing": cryptocapital.signing,
    "cryptocapital_signing_pure": cryptocapital.signing_pure,
    "cryptocapital_transfers": cryptocapital.transfers,
    "capital_requests": capital.requests,
    "capital_requests_tls": capital.requests_tls,
    "capital_quotes": capital.quotes,
    "capital_stream_memory": capital.stream_memory,
    "deriv_calls": deriv.calls,
    "deriv_calls_library": deriv.calls_of_the_vendors_library,
    "deriv_ticks": deriv.ticks,
    "crm_webhooks": crm.webhooks,
    "crm_report": crm.report,
    "approval_to_first_byte": moving.approval_to_first_byte,
    "request_cost": moving.request_cost,
    "alerts_ticks": alerts.ticks,
    "alerts_rules": alerts.among_many,
    "alerts_memory": alerts.room,
    "alerts_latency": arriving.latency,
}


async def measure(names: list[str]) -> list[Figure]:
    """One after the other: they would disturb one another. Each figure is printed as soon as it is known."""
    figures: list[Figure] = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="countersign-benchmark-") as folder:
            try:
                found = await BENCHMARKS[name](Path(folder))
            except CannotInstallError as error:
                found = [Figure(name, "", "", "its peer", skipped=f"the peer cannot be installed: {error}")]
        for figure in found:
            print(json.dumps(figure.as_json(), ensure_ascii=False), flush=True)
        figures += found
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="figure", help=f"any of {', '.join(BENCHMARKS)}; all when none")
    names = parser.parse_args().names or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    try:
        figures = asyncio.run(measure(names))
    except CannotMeasureError as error:
        print(f"could not measure: {error}", file=sys.stderr)
        return 1
    print(table(figures), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
