"""A secret that is lent shows nowhere: not printed, formatted, pickled or logged, nor in a traceback with locals."""

import copy
import json
import logging
import pickle
import traceback
from string import Template

import pytest

from bot import logs
from bot.errors import RecordUnreadableError, StoreError
from bot.secret import Secret
from bot.store import Database, Tables
from bot.vault import locks
from bot.vault.passphrase import Argon
from bot.vault.service import Vault
from tests.vault.conftest import change, connection, fields

CANARY = "canary-Pa55-0123456789"
MAIN = connection(1)


def told(error: BaseException | None, *, without: str = "") -> str:
    """What a tool that shows locals would show of it and of everything that led to it, even where that is hushed up.

    Args:
        without: A file whose frames are left out.
    """
    said = []
    while error is not None:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        frames = [frame for frame in shown.stack if frame.filename != without]
        said += [str(error), *(f"in {frame.name}" for frame in frames)]
        said += [f"{name} = {value}" for frame in frames for name, value in (frame.locals or {}).items()]
        error = error.__cause__ or error.__context__
    return "\n".join(said)


def forms(text: str) -> list[str]:
    return [text, repr(text)[1:-1], text.encode().hex(), repr(text.encode())[2:-1], repr(bytearray(text.encode()))]


@pytest.fixture
async def login(vault: Vault) -> Vault:
    await vault.keep(MAIN, fields(password=CANARY))
    return vault


async def test_what_is_lent_cannot_be_shown_by_any_of_the_ways_things_are_shown(login: Vault) -> None:
    async with login.lender(MAIN)() as lent:
        secret = lent["password"]
        shown = [
            f"{secret} {secret!r} {secret!s} {secret:>40} {secret!a}",
            "%s %r %a" % (secret, secret, secret),  # noqa: UP031
            "{} {!r}".format(secret, secret),  # noqa: UP032
            Template("$x").substitute(x=secret),
            str(lent),
            repr([lent, {secret: 1}, (secret,)]),
        ]
        assert not any(CANARY in each for each in shown)
        assert all("‹secret›" in each for each in shown)
        for refuse in (lambda: json.dumps(secret), lambda: json.dumps(dict(lent)), lambda: vars(secret)):
            with pytest.raises(TypeError) as caught:
                refuse()
            assert CANARY not in str(caught.value)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for thing in (secret, dict(lent), [secret]):
                with pytest.raises(TypeError):
                    pickle.dumps(thing, protocol)
        assert copy.deepcopy(secret) is secret


async def test_a_log_line_that_is_handed_a_secret_shows_none(login: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        for as_json in (False, True):
            logs.configure("DEBUG", as_json=as_json)
            log = logging.getLogger("tests.secrecy")
            async with login.lender(MAIN)() as lent:
                log.warning("lent %s", lent["password"], extra={"login": lent, "open": lent["password"].reveal()})
                try:
                    raise RuntimeError(lent["password"].reveal())
                except RuntimeError:
                    log.exception("failed with %s", lent["password"].reveal())
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    said = "".join(capsys.readouterr())
    assert said.count("‹secret›") >= 8
    assert CANARY not in said


async def test_a_traceback_with_locals_shows_no_secret_that_is_lent(login: Vault) -> None:
    async def adapter() -> None:
        async with login.lender(MAIN)() as lent:
            password = lent["password"]
            raise RuntimeError(f"refused, {password}")

    with pytest.raises(RuntimeError) as caught:
        await adapter()
    said = told(caught.value)
    assert "password = ‹secret›" in said
    assert not any(form in said for form in forms(CANARY))


async def test_a_traceback_of_the_vault_shows_neither_secret_nor_key(
    login: Vault, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the vault fails, the frames it fails in hold ciphers and masked values only."""
    keys: set[bytes] = set()
    whole = login.safe.data_keys.wrapping._unwrap

    def overheard(*said: object) -> bytes:
        key = whole(*said)  # type: ignore[arg-type]
        keys.add(key)
        return key

    monkeypatch.setattr(login.safe.data_keys.wrapping, "_unwrap", overheard)
    await login.open(MAIN)
    kek = login.safe.data_keys.wrapping._keys.kek(1)
    ((key,),) = [tuple(keys)]
    errors: list[BaseException] = []

    async def fails(*meddling: str) -> None:
        for statement in meddling:
            await change(database, statement)
        with pytest.raises((RecordUnreadableError, StoreError)) as caught:
            await login.open(MAIN)
        errors.append(caught.value)

    with pytest.raises(StoreError) as nobody:  # a new data key is made, and its row is refused
        await login.keep(connection(9, person_id=999), fields(password=CANARY))
    errors.append(nobody.value)

    def refuses(_: Tables) -> None:
        raise RuntimeError("in the caller's own change")

    def both(tables: Tables) -> None:
        login.keeping(MAIN, fields(password=CANARY))(tables)
        refuses(tables)

    with pytest.raises(RuntimeError) as along:
        await database.write(both)
    errors.append(along.value)
    await change(database, "CREATE TRIGGER full BEFORE INSERT ON sealed BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(StoreError) as full:
        await login.keep(MAIN, fields(password=CANARY))
    errors.append(full.value)
    await fails("UPDATE sealed SET label = 'other', version = version + 1")
    await fails("UPDATE data_keys SET wrapped = zeroblob(length(wrapped))")
    assert len(errors) == 5
    assert "in _taken\n" in told(errors[3], without=__file__)  # the frames in which it failed are looked at
    for error in errors:
        said = told(error, without=__file__)
        for raw in (CANARY.encode(), key, kek):
            assert raw.hex() not in said
            assert repr(raw)[2:-1] not in said
        assert not any(form in said for form in forms(CANARY))


async def test_a_traceback_of_a_failing_passphrase_does_not_show_it(
    login: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoMemory:
        def __init__(self, **_: object) -> None:
            """Takes what Argon2id takes."""

        def derive(self, _: bytes) -> bytes:
            raise MemoryError("not now")

    monkeypatch.setattr(locks, "new_stretching", lambda: Argon(bytes(16)))
    monkeypatch.setattr("bot.vault.passphrase.Argon2id", NoMemory)
    said = Secret("canary battery staple")
    with pytest.raises(MemoryError) as caught:
        await login.locks.choose(1, said)
    shown = told(caught.value, without=__file__)
    assert "in stretch\n" in shown
    assert "canary battery staple" not in shown
