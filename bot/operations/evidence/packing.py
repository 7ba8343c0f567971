"""A dossier → the files of the pack, and the ZIP of them. Pure."""

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any

from bot.approvals.model import Vote
from bot.approvals.wording import words_of
from bot.clock import to_millis
from bot.logs import redact
from bot.operations.evidence.dossier import Dossier, LogRow, Remembered
from bot.operations.evidence.page import page_of
from bot.operations.moving.records import Sending, Sighting

SUMS = "SHA256SUMS"
_RECIPE = (
    "SHA-256 over `countersign/request/1`, a line feed, and compact JSON with sorted keys of"
    " {by: asked_by, kind: kind, parameters: parameters}"
)


def members_of(dossier: Dossier) -> dict[str, bytes]:
    """Every file of the pack by its name, the sums last."""
    here = files("bot.operations.evidence")
    found = {
        "README.txt": (here / "readme.txt").read_bytes(),
        "request.html": page_of(dossier).encode(),
        "request.json": (json.dumps(told(dossier), indent=2, ensure_ascii=False) + "\n").encode(),
        "audit.jsonl": "".join(f"{_line(row)}\n" for row in dossier.log).encode(),
        "anchor.txt": "".join(f"{line}\n" for line in _anchors(dossier.anchors)).encode(),
        "verify.py": (here / "verify.py").read_bytes(),
    }
    if dossier.policy is not None:
        found["policy.toml"] = dossier.policy.document.encode()
    for number, (file, content) in enumerate(dossier.files, 1):
        found[_place(number, file.name)] = content
    sums = "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in sorted(found.items()))
    return {**found, SUMS: sums.encode()}


def zipped(members: Mapping[str, bytes], made_at: datetime) -> bytes:
    """The same members at the same moment make the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, made_at.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, content)
    return packed.getvalue()


def told(dossier: Dossier) -> dict[str, Any]:
    """What machines read."""
    request, rule, policy = dossier.request, dossier.request.rule, dossier.policy
    return {
        "format": "countersign evidence 1",
        "made_at": _time(dossier.made_at),
        "request": {
            "id": request.id,
            "kind": request.kind.value,
            "state": request.state.value,
            "outcome": redact(request.outcome),
            "asked_by": request.asked_by,
            "asked_at": _time(request.asked_at),
            "expires_at": _time(request.expires_at),
            "held_until": _time(request.held_until),
            "parameters": dict(request.parameters),
            "hash": request.hash,
            "hash_is": _RECIPE,
            "words": words_of(request.hash),
            "as_shown": list(dossier.lines),
        },
        "rule": {
            "name": rule.name,
            "tier": dossier.tier,
            "seats": [{"circle": seat.circle, "count": seat.count} for seat in rule.seats],
            "barred": sorted(rule.barred),
            "proof": rule.proof.name.lower(),
            "hold_seconds": int(rule.hold.total_seconds()),
            "life_seconds": int(rule.life.total_seconds()),
        },
        "policy": None
        if policy is None
        else {
            "version": policy.version,
            "file": "policy.toml",
            "sha256": sha256(policy.document.encode()).hexdigest(),
        },
        "rates": [
            {
                "base": one.rate.base,
                "quote": one.rate.quote,
                "rate": str(one.rate.rate),
                "at": _time(one.rate.at),
                "by": one.by,
                "request": one.request_id,
            }
            for one in dossier.rates
        ],
        "votes": [_vote(dossier, vote) for vote in request.votes],
        "sendings": [_sending(one) for one in dossier.sendings],
        "sightings": [_sighting(one) for one in dossier.sightings],
        "answers": [{"at": _time(one.at), "to": one.asked.value, "text": one.body} for one in dossier.answers],
        "remarks": [
            {"person_id": one.person_id, "at": _time(one.at), "text": redact(one.text)} for one in dossier.remarks
        ],
        "files": [
            {
                "file": _place(number, file.name),
                "name": file.name,
                "media_type": file.media_type,
                "bytes": file.size,
                "sha256": file.sha256,
                "person_id": file.person_id,
                "at": _time(file.at),
            }
            for number, (file, _) in enumerate(dossier.files, 1)
        ],
        "people": {str(number): name for number, name in sorted(dossier.names.items())},
    }


def _vote(dossier: Dossier, vote: Vote) -> dict[str, Any]:
    return {
        "person_id": vote.person_id,
        "name": dossier.name(vote.person_id),
        "decision": vote.decision.value,
        "hash": vote.hash,
        "at": _time(vote.at),
        "at_ms": to_millis(vote.at),
        "proof": vote.proof.name.lower(),
        "shown_sha256": vote.shown,
        "message_id": vote.message_id,
    }


def _sending(one: Sending) -> dict[str, Any]:
    return {
        "attempt": one.attempt,
        "connection_id": one.connection_id,
        "reference": one.reference,
        "nonce": one.nonce,
        "wire_sha256": sha256(one.wire).hexdigest(),
        "wire_bytes": len(one.wire),
        "prepared_at": _time(one.prepared_at),
        "begun_at": _time(one.begun_at),
        "outcome": None if one.outcome is None else one.outcome.value,
        "receipt": redact(one.receipt),
        "code": redact(one.code),
        "detail": redact(one.detail),
    }


def _sighting(one: Sighting) -> dict[str, Any]:
    return {
        "at": _time(one.at),
        "outcome": one.outcome.value,
        "reference": redact(one.reference),
        "detail": redact(one.detail),
        "differing": [redact(each) for each in one.differing],
        "alike": [redact(each) for each in one.alike],
        "absent": one.absent,
        "answered_later": one.answered_later,
        "balance": one.balance,
    }


def _line(row: LogRow) -> str:
    said: dict[str, Any] = {"seq": row.seq, "prev": row.prev, "hash": row.hash}
    if row.fields is not None:
        said["fields"] = list(row.fields)
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False)


def _anchors(anchors: tuple[Remembered, ...]) -> list[str]:
    lines = [f"{_time(one.at)} {one.seq} {one.hash} {one.epoch} {one.source}" for one in anchors]
    return ["# time, row of the audit log, its hash, epoch, and where that is remembered", *lines]


def _place(number: int, name: str) -> str:
    return f"files/{number}-{name}"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
