"""Capital.com's simulator refuses as the provider's own Postman collection shows, and tells every field it shows.

The collection lies in a folder that a user's clone does not have: `COUNTERSIGN_SHARED` names it, else it is looked for
beside the checkout.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.capital_broker import IDENTIFIER, KEY, PASSWORD, Desk, HandClock, opened

SHARED = Path(os.environ.get("COUNTERSIGN_SHARED", Path(__file__).parents[2] / "shared"))
COLLECTION = SHARED / "protocols/data/capital/capital.postman_collection.json"
RENAMED = {
    "controlledRiskAllowed": "guaranteedStopAllowed",
    "minControlledRiskStopDistance": "minGuaranteedStopDistance",
    "minNormalStopOrLimitDistance": "minStopOrProfitDistance",
    "maxStopOrLimitDistance": "maxStopOrProfitDistance",
}
"""Field by field, what the collection still calls by its name of 2023."""
LATER = "error.null.epic"
"""Since then, markets asked for without any epic are all markets; the code is that of `epics=`."""

pytestmark = pytest.mark.skipif(not COLLECTION.exists(), reason=f"no collection at {COLLECTION}")


@dataclass(frozen=True, slots=True)
class Sample:
    """One exchange of the collection."""

    method: str
    path: str
    body: Any
    has_key: bool
    status: int
    reply: Any


def samples() -> list[Sample]:
    if not COLLECTION.exists():
        return []
    return list(_walk(json.loads(COLLECTION.read_text())["item"]))


def _walk(items: Iterable[dict[str, Any]]) -> Iterator[Sample]:
    for item in items:
        yield from _walk(item.get("item", ()))
        for shown in item.get("response", ()):
            asked = shown["originalRequest"]
            path: str = asked["url"]["raw"].removeprefix("{{url}}").rpartition("/api/v1")[2]
            for variable in asked["url"].get("variable", ()):
                path = path.replace(f":{variable['key']}", str(variable["value"]))
            raw = (asked.get("body") or {}).get("raw") or "null"
            names = {header["key"] for header in asked["header"]}
            reply = json.loads(shown["body"]) if shown.get("body") else None
            filled = raw.replace("{{identifier}}", IDENTIFIER).replace("{{password}}", PASSWORD)
            yield Sample(asked["method"], path, json.loads(filled), "X-CAP-API-KEY" in names, shown["code"], reply)


async def asked(desk: Desk, sample: Sample, path: str) -> httpx.Response:
    logs_in = (sample.method, path) in (("POST", "/session"), ("GET", "/session/encryptionKey"))
    headers = (KEY if sample.has_key else {}) if logs_in else desk.tokens
    return await desk.http.request(sample.method, f"/api/v1{path}", headers=headers, json=sample.body)


async def test_every_refusal_shown_is_refused_so() -> None:
    shown = [one for one in samples() if one.status in (400, 401, 404) and one.reply["errorCode"] != LATER]
    assert len(shown) > 20
    async with opened(HandClock()) as desk:
        await desk.login()
        word = await desk.order(direction="BUY", epic="SILVER", size=1)
        own = word["affectedDeals"][0]["dealId"]
        for sample in shown:
            path = sample.path
            if sample.method == "PUT" and path.startswith("/positions/") and sample.status == 400:
                path = f"/positions/{own}"
            reply = await asked(desk, sample, path)
            said = reply.status_code, reply.json()["errorCode"].partition(":")[0]
            assert said == (sample.status, sample.reply["errorCode"].partition(":")[0]), sample


async def test_every_field_shown_is_told() -> None:
    shown = [one for one in samples() if one.method == "GET" and one.status == 200]
    assert len(shown) > 20
    async with opened(HandClock()) as desk:
        await desk.login()
        order = {"direction": "BUY", "epic": "SILVER", "size": 100}
        word = await desk.order(**order)
        waiting = {**order, "type": "LIMIT", "level": 40, "stopLevel": 39, "profitLevel": 45}
        await desk.ask("POST", "/workingorders", {**waiting, "goodTillDate": "2026-03-05T00:00:00"})
        here = {
            "/positions/": f"/positions/{word['affectedDeals'][0]['dealId']}",
            "/confirms/": f"/confirms/{word['dealReference']}",
            "/watchlists/": "/watchlists/502",
            "/history/activity": "/history/activity?detailed=true",
            "/history/transactions": "/history/transactions?lastPeriod=9000000",
            "/clientsentiment/?": "/clientsentiment?marketIds=SILVER,GOLD",
        }
        for sample in shown:
            path = next((ours for theirs, ours in here.items() if sample.path.startswith(theirs)), sample.path)
            path = path.partition("?from")[0]
            reply = await asked(desk, sample, path)
            assert reply.status_code == 200, sample
            missing = set(fields(sample.reply)) - set(fields(json.loads(reply.text)))
            assert not missing, sample.path


def fields(value: Any, place: str = "") -> Iterator[str]:
    """Every member with its way to it, in the names of today."""
    if isinstance(value, dict):
        for name, inner in value.items():
            way = f"{place}.{RENAMED.get(name, name)}".lstrip(".")
            yield way
            yield from fields(inner, way)
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner, f"{place}.[]")
