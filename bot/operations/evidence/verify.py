"""Examine an evidence pack: offline, with Python's standard library alone. Exit 0 when everything holds, else 1.

python3 -I verify.py                         the folder this file lies in
python3 -I verify.py PACK.zip                a pack that is still packed
python3 -I verify.py PACK --log audit.jsonl  with an export of the audit log: fills in the rows of other matters
python3 -I verify.py PACK --anchor SEQ:HASH  with what you know of the log from elsewhere
"""

import argparse
import json
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

SUMS = "SHA256SUMS"
good: list[str] = []
bad: list[str] = []
unshown: list[str] = ["that the provider told the truth", "who held the phone behind a Telegram account"]


def members(place: Path) -> dict[str, bytes]:
    if place.is_dir():
        return {one.relative_to(place).as_posix(): one.read_bytes() for one in place.rglob("*") if one.is_file()}
    with zipfile.ZipFile(place) as packed:  # a member that was damaged is named by the error
        return {name: packed.read(name) for name in packed.namelist()}


def check_sums(pack: dict[str, bytes]) -> None:
    lines = pack.get(SUMS, b"").decode("utf-8", "replace").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in sorted({*listed, *pack} - {SUMS}):
        if name not in pack or sha256(pack[name]).hexdigest() != listed.get(name):
            bad.append(f"{name} is not here" if name not in pack else f"{name} is not what {SUMS} says")
    good.append(f"all files are what {SUMS} says: {len(listed)}")


def check_request(told: dict[str, Any], pack: dict[str, bytes]) -> None:
    request = told["request"]
    content = {"by": request["asked_by"], "kind": request["kind"], "parameters": request["parameters"]}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if sha256(b"countersign/request/1\n" + text.encode()).hexdigest() != request["hash"]:
        bad.append("request.json: the parameters are not those that the request's hash stands for")
    for vote in told["votes"]:
        if vote["hash"] != request["hash"]:
            bad.append(f"request.json: the vote of person {vote['person_id']} is for something else")
    for file in [*told["files"], *([told["policy"]] if told["policy"] else [])]:
        if sha256(pack.get(file["file"], b"")).hexdigest() != file["sha256"]:
            bad.append(f"{file['file']} is not the file that request.json speaks of")
    good.append(f"the parameters are those of hash {request['hash'][:8]}, and so are all votes: {len(told['votes'])}")


def row_hash(fields: list[Any], prev: str) -> str:
    texts = [b"\0" if field is None else b"\1" + str(field).encode() for field in fields]
    return sha256(b"".join(len(text).to_bytes(4, "big") + text for text in texts) + bytes.fromhex(prev)).hexdigest()


def rows_of(log: Path) -> dict[int, list[Any]]:
    """The fields of every row of an export, by number."""
    names = ("seq", "at", "epoch", "person_id", "telegram_id", "action", "object")
    rows = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    details = [json.dumps(row["details"], separators=(",", ":"), ensure_ascii=False) for row in rows]
    return {row["seq"]: [*(row[name] for name in names), said] for row, said in zip(rows, details, strict=True)}


def check_chain(rows: list[dict[str, Any]], log: dict[int, list[Any]]) -> None:
    before, bare = None, 0
    for row in rows:
        number, fields = row["seq"], row.get("fields") or log.get(row["seq"])
        if before is not None and number != before["seq"] + 1:
            bad.append(f"audit.jsonl: rows between {before['seq']} and {number} are missing")
        elif before is not None and row["prev"] != before["hash"]:
            bad.append(f"audit.jsonl: row {number} does not continue row {before['seq']}")
        if fields is None:
            bare += 1
        elif fields[0] != number or row_hash(fields, row["prev"]) != row["hash"]:
            bad.append(f"audit.jsonl: row {number} is not what was hashed")
        before = row
    good.append(f"{len(rows) - bare} of {len(rows)} rows of the audit log hash to what they say, and are chained")
    if bare:
        unshown.append(f"what {bare} rows of other matters say: only their hashes are here (--log AUDIT_EXPORT)")


def check_anchors(rows: list[dict[str, Any]], text: str, given: list[str]) -> None:
    hashes = {row["seq"]: row["hash"] for row in rows}
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    found = [(int(seq), digest, " ".join(source)) for _, seq, digest, _, *source in lines]
    found += [(int(one.split(":")[0]), one.split(":")[1].lower(), "yours") for one in given]
    for seq, digest, source in found:
        if hashes.get(seq) != digest:
            bad.append(f"anchor.txt: row {seq} of audit.jsonl is not the one that an anchor remembers ({source})")
        good.append(f"row {seq} is the one that an anchor remembers ({source})")
    if not lines:
        bad.append("anchor.txt names no anchor")
    if not given:
        unshown.append("that anchor.txt is true: compare it with the desk's anchor file or audit chat (--anchor)")


def check_matter(told: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """What request.json says is what the log's own rows say."""
    request, past = told["request"], {"approve": "approved", "deny": "denied"}
    mine = [row["fields"] for row in rows if "fields" in row and row["fields"][6] == f"request/{request['id']}"]
    own = [(one[5].removeprefix("request."), one[3], json.loads(one[7]), one[1]) for one in mine]
    logged = {(who, what, said["hash"], said["proof"]): at for what, who, said, at in own if who and "proof" in said}
    votes = {(v["person_id"], past[v["decision"]], v["hash"], v["proof"]): v["at_ms"] for v in told["votes"]}
    for vote in sorted({*votes, *logged}):
        if abs(votes.get(vote, 0) - logged.get(vote, 0)) > 60_000:
            bad.append(f"request.json and audit.jsonl differ about a vote: person {vote[0]} {vote[1]}")
    asked = [(who, said.get("hash")) for what, who, said, _ in own if what == "asked"]
    if asked != [(request["asked_by"], request["hash"])]:
        bad.append("request.json and audit.jsonl differ about who asked, and for what")
    states = ["pending", *(what for what, _, said, _ in own if "outcome" in said or what == "released")]
    if request["state"] not in (("approved", "held") if states[-1] == "released" else states[-1:]):
        bad.append(f"request.json says {request['state']}, and audit.jsonl {states[-1]}")
    for what, entry, key in (("file_attached", "files", "sha256"), ("remarked", "remarks", "text")):
        if not {said[key] for one, _, said, _ in own if one == what} <= {one[key] for one in told[entry]}:
            bad.append(f"request.json lacks {entry} that audit.jsonl knows of")
    sent = {(said["attempt"], said["reference"]) for what, _, said, _ in own if what == "sending"}
    if sent != {(str(one["attempt"]), one["reference"]) for one in told["sendings"]}:
        bad.append("request.json and audit.jsonl differ about the attempts to send it")
    good.append("asker, votes, state, files, notes and attempts are those of the audit log")


def main() -> int:
    reading = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    reading.add_argument("pack", nargs="?", type=Path, default=Path(__file__).parent)
    reading.add_argument("--log", type=Path)
    reading.add_argument("--anchor", action="append", default=[])
    asked = reading.parse_args()
    try:
        pack = members(asked.pack)
        check_sums(pack)
        rows = [json.loads(line) for line in pack.get("audit.jsonl", b"").splitlines()]
        check_chain(rows, rows_of(asked.log) if asked.log else {})
        check_anchors(rows, pack.get("anchor.txt", b"").decode("utf-8", "replace"), asked.anchor)
        told = json.loads(pack.get("request.json", b""))
        check_request(told, pack)
        check_matter(told, rows)
    except Exception as error:  # noqa: BLE001  # whatever somebody made of it is an answer, not a crash
        bad.append(f"the pack cannot be read to its end ({type(error).__name__}: {error})")
    lines = [f"WRONG: {one}" for one in bad] or [f"holds: {one}" for one in good]
    lines += [f"cannot be shown by this: {one}" for one in unshown]
    lines += ["This pack is not what was made." if bad else "Everything that can be examined here holds.", ""]
    sys.stdout.write("\n".join(lines))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
