"""Errors become sentences, and whatever nobody foresaw becomes an incident."""

import io
import logging
import re
from collections.abc import Iterator

import msgspec
import pytest
from telegram import Update
from telegram.ext import TypeHandler

from bot import errors, logs
from bot.errors import CountersignError
from handlers.context import DeskContext
from handlers.failures import incident, sentence, unknown_command
from tests.support.chatting import OLGA, OLGA_IS, STRANGER, Desk, texts
from tests.support.desk import GROUP

SENTENCES: dict[CountersignError, str] = {
    errors.CountersignError(
        "x"
    ): "That did not work; nothing was changed. Try again, and tell an admin if it stays so.",
    errors.ConfigError(
        "file", []
    ): "That did not work; nothing was changed. Try again, and tell an admin if it stays so.",
    errors.StartRefusedError("x", 75): (
        "That did not work; nothing was changed. Try again, and tell an admin if it stays so."
    ),
    errors.InputError("one name at most", "/balance main"): "One name at most. For example: /balance main",
    errors.NotAllowedError("invite people"): (
        "That needs the right to invite people, which you do not have. An admin can give it."
    ),
    errors.NotFoundError("connection", "nope", ("capital/main", "crm/main")): (
        "There is no connection “nope” that you can see. There is: capital/main, crm/main."
    ),
    errors.ConflictError("it is gone already"): "It is gone already. Nothing was changed.",
    errors.DiskShortError(1, 2): (
        "The bot's disk is nearly full, so no money can be asked for. An admin must make room. Nothing was asked for."
    ),
    errors.AlikeError("abc", "unknown"): (
        "Request abc is for the very same, and nobody knows yet what became of it. Nothing was asked for. "
        "/request abc shows it; /repeat abc asks others to let it be sent again all the same."
    ),
    errors.AlikeError("abd", "pending"): (
        "Request abd is for the very same, and is pending. Nothing was asked for. /request abd shows it."
    ),
    errors.PolicyRefusedError("the policy does not allow it (rule nights)"): (
        "The policy does not allow it (rule nights). Nothing was asked for. /policy shows what is allowed."
    ),
    errors.NoRateError("GBP", "USD"): (
        "A limit counts what GBP is worth in USD, and no rate of GBP/USD is younger than 24 hours. "
        "An admin can enter one: /rate GBP/USD and the number. Nothing was asked for."
    ),
    errors.FrozenError("desk", "a stolen phone"): (
        "The desk is frozen (a stolen phone): no money leaves until /thaw was signed. Nothing was asked for."
    ),
    errors.FrozenError("crm", "checking"): (
        "Broctagon CRM is frozen (checking): no money leaves until /thaw was signed. Nothing was asked for."
    ),
    errors.OwnerSuspendedError("capital/main"): (
        "capital/main rests: its owner is suspended. An admin can end that, or unlink it."
    ),
    errors.StepUpError(): "That needs a code of your second factor; nothing was changed. Try again.",
    errors.FactorMissingError(): (
        "That needs a second factor, and you have none. /factor sets one up; then try again."
    ),
    errors.EntryRefusedError("this link was used; /connect makes a new one"): (
        "This link was used; /connect makes a new one."
    ),
    errors.FactorUnreadableError(): (
        "Your second factor does not open any more. /factor reset asks two admins to take it away."
    ),
    errors.FactorLockedError(15): (
        "Too many wrong codes: your second factor is locked. Try again in 15 minutes, from the beginning. "
        "If those codes were not yours, tell an admin at once."
    ),
    errors.CodeWrongError(1): (
        "That is not the code. 1 try is left before it locks. Try again with the one your device shows now."
    ),
    errors.ProofNeededError("a code of your second factor"): (
        "Approving this takes a code of your second factor; nothing was recorded. Tap Approve to be asked for it."
    ),
    errors.NumberWrongError(): (
        "That is not the number on the asker's screen. You cannot approve this request any more; somebody else can. "
        "Ask its asker whether they really asked."
    ),
    errors.NumberWrongError(others_can=False): (
        "That is not the number on the asker's screen. You cannot approve this request any more, and nobody else is "
        "left who could: its asker can withdraw it, and ask anew. Ask its asker whether they really asked."
    ),
    errors.NumberMissedError(): (
        "You picked a wrong number for this request, so you cannot approve it any more; somebody else can. "
        "Nothing was changed."
    ),
    errors.NumberMissedError(others_can=False): (
        "You picked a wrong number for this request, so you cannot approve it any more; nobody else is left who could: "
        "its asker can withdraw it, and ask anew. Nothing was changed."
    ),
    errors.CodeUsedError(): (
        "That code was used already; each counts once. Try again with the next one, in half a minute."
    ),
    errors.ClockDoubtedError(): (
        "This machine's clock was set, so codes are not accepted until an admin has said that it is right. "
        "Admins have a message with a button. Try again then."
    ),
    errors.VaultError("x"): "The vault could not do that. An admin finds the reason in the log.",
    errors.BackupUnreadableError("it was cut short"): (
        "The backup cannot be used: it was cut short. Nothing was changed."
    ),
    errors.KeyTextError("x"): "The vault could not do that. An admin finds the reason in the log.",
    errors.WrongKeyError("a", "b"): "The vault could not do that. An admin finds the reason in the log.",
    errors.KeySourceError("x"): "The vault could not do that. An admin finds the reason in the log.",
    errors.PassphraseError("that is not the passphrase"): "That is not the passphrase. Send it again, or /cancel.",
    errors.ConnectionLockedError("capital/main"): (
        "capital/main is locked: it waits for its owner's passphrase (/unlock, in a private chat)."
    ),
    errors.RecordUnreadableError("capital main, password"): (
        "The sealed credential of capital main, password does not open. The others are not affected. "
        "Its owner gives it a new login with /replace."
    ),
    errors.StoreError("x"): "The database refused; nothing was changed. An admin finds the reason in the log.",
    errors.StoreBusyError("x"): "The database is busy; nothing was changed. Try again in a moment.",
    errors.StoreFullError("x"): ("The disk is full or refuses to write; nothing was changed. An admin must make room."),
    errors.StoreNewerError(["m099_later"]): (
        "The database was written by a newer version of this program (m099_later); nothing was changed. "
        "An admin must install that version."
    ),
    errors.StoreDamagedError("x"): "The database is damaged (x); nothing was changed. An admin must restore a backup.",
    errors.ProviderError("deriv", "x"): ("Deriv (deriv/main) did not answer as it should. Try again in a minute."),
    errors.UnreachableError("capital"): ("Capital.com (deriv/main) could not be reached. Try again in a minute."),
    errors.SilentError("deriv"): "Deriv (deriv/main) did not answer in time. Try again in a minute.",
    errors.ReplyError("deriv"): (
        "Deriv (deriv/main) gave an answer that cannot be trusted, so no number is shown. Try again in a minute."
    ),
    errors.RefusedError("crm", "error.x", "y"): (
        "Broctagon CRM (deriv/main) refused (error.x). If that is unexpected, tell an admin."
    ),
    errors.OvertakenError("cryptocapital", "err", "nonce too low"): (
        "Crypto Capital (deriv/main): another program uses the same key and was ahead of us. Try again; if that is not "
        "yours, register a new key at once (/key new)."
    ),
    errors.CredentialRefusedError("deriv", "InvalidToken", "y"): (
        "Deriv (deriv/main) does not accept this login (InvalidToken). "
        "Next: its owner gives it a new one with /replace deriv/main."
    ),
    errors.EnvironmentMismatchError("deriv", "WrongEnvironment", wanted="live", found="demo"): (
        "Deriv (deriv/main): this login is for a demo account, and real money was asked for. "
        "Next: /disconnect deriv/main, then /connect deriv demo, or give one for real money."
    ),
    errors.ScopeMissingError("deriv", "PermissionDenied", "read"): (
        "Deriv (deriv/main): this key lacks the permission “read”. Make one that has it, then "
        "its owner gives it a new one with /replace deriv/main."
    ),
    errors.CodeAwaitedError("deriv", "1"): (
        "Deriv (deriv/main) has mailed a code to the owner of the account, and waits for it. /payout code takes it."
    ),
    errors.FieldsRefusedError("deriv", "InputValidationFailed", ("first_name", "phone")): (
        "Deriv (deriv/main) does not take first_name, phone as it is (InputValidationFailed). Try again with another."
    ),
    errors.FieldsRefusedError("deriv", "ASK_FIX_DETAILS", ("address_city",)): (
        "Deriv (deriv/main) refused: details of the owner are missing or wrong at Deriv; they put them right on its "
        "pages (ASK_FIX_DETAILS). It is about address_city. Try again then."
    ),
    errors.BusyError("crm", "429", 7.0): "Broctagon CRM (deriv/main) was asked too often. Try again in 7 s.",
    errors.FaultError("crm", "503"): (
        "Broctagon CRM (deriv/main) has trouble of its own right now. Try again in a few minutes."
    ),
    errors.StreamsFullError("capital", 40): (
        "Capital.com (deriv/main) tells of 40 markets at once, and no more. Remove an alert. Try again then."
    ),
    errors.UnsupportedError("cryptocapital", "positions"): (
        "Crypto Capital has no positions. /connections says what each can do."
    ),
    errors.UnconfiguredError("crm", "providers.crm.url"): (
        "Broctagon CRM: its address is missing in the configuration (providers.crm.url). An admin must add it."
    ),
    errors.OutcomeUnknownError("cryptocapital"): (
        "Crypto Capital (deriv/main): it was sent, and the outcome is not known yet. "
        "It will not be sent again by itself; look there before you ask for it again."
    ),
}
NEXT_STEP = re.compile(
    r"Try again|tell an admin|An admin (can|must|finds)|For example|There is:|/(dis)?connect|/replace"
    r"|Nothing was changed|look there|/factor|/unlock|/cancel|/(request|repeat|policy|thaw|payout)"
    r"|Tap Approve|Ask its asker",
)


def _tree(root: type[CountersignError] = CountersignError) -> Iterator[type[CountersignError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


def test_every_class_of_the_tree_has_its_sentence_here() -> None:
    named = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CountersignError)}
    assert {type(error) for error in SENTENCES} == named
    assert named <= set(_tree())


@pytest.mark.parametrize("error", SENTENCES, ids=lambda error: type(error).__name__)
def test_what_went_wrong_and_what_to_do_next(error: CountersignError) -> None:
    said = sentence(error, "deriv/main")
    assert said == SENTENCES[error]
    assert NEXT_STEP.search(said)
    assert not re.search(r"Error|Exception|Traceback|[{}\[\]]|None|0x", said)


def test_a_login_that_has_no_name_yet_is_to_be_given_again() -> None:
    assert sentence(errors.CredentialRefusedError("crm", "unauthorized")) == (
        "Broctagon CRM does not accept this login (unauthorized). Next: check it and give it again."
    )


def test_a_refusal_whose_code_is_documented_says_what_it_means_and_what_would_help() -> None:
    assert sentence(errors.RefusedError("deriv", "MarketIsClosed"), "deriv/main") == (
        "Deriv (deriv/main) refused: this market is closed now; try again when it is open (MarketIsClosed)."
    )
    assert sentence(errors.RefusedError("deriv", "SomethingNew"), "deriv/main") == (
        "Deriv (deriv/main) refused (SomethingNew). If that is unexpected, tell an admin."
    )
    assert sentence(errors.RefusedError("capital", "error.invalid.leverage.value"), "capital/main") == (
        "Capital.com (capital/main) refused: there is no such leverage for these markets; ask for one of those they "
        "have."
    )
    assert sentence(errors.RefusedError("capital", "error.something.new"), "capital/main") == (
        "Capital.com (capital/main) refused (error.something.new). If that is unexpected, tell an admin."
    )
    assert sentence(errors.CredentialRefusedError("capital", "error.invalid.api.key"), "capital/main") == (
        "Capital.com (capital/main) does not accept this login (error.invalid.api.key): the API key is unknown, "
        "expired, or made for the other environment. Next: its owner gives it a new one with /replace capital/main."
    )
    assert sentence(errors.CredentialRefusedError("capital", "error.invalid.session.token"), "capital/main") == (
        "Capital.com (capital/main) ended our session; another program may use the same key. Try again in a minute."
    )


@pytest.mark.parametrize(
    "error",
    [
        errors.RefusedError("crm", "x\u202e\x1b[31m" + "y" * 5000),
        errors.CredentialRefusedError("crm", "\u2066evil" + "y" * 5000),
        errors.ScopeMissingError("crm", "c", "\x00" + "z" * 5000),
        errors.NotFoundError("connection", "\u202e" + "n" * 5000),
    ],
)
def test_a_provider_s_or_a_person_s_word_is_short_and_hides_nothing(error: CountersignError) -> None:
    said = sentence(error, "crm/main")
    assert len(said) < 300
    assert said.isprintable()


@pytest.mark.parametrize("detail", ["password=hunter2secret", '{"error": "raw body"}', "https://x/bot1:abc/getMe"])
@pytest.mark.parametrize(
    "kind", [errors.UnreachableError, errors.SilentError, errors.ReplyError, errors.FaultError, errors.ProviderError]
)
def test_details_are_for_the_log(kind: type[errors.ProviderError], detail: str) -> None:
    assert detail not in sentence(kind("deriv", detail), "deriv/main")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("balanc", "I do not know /balanc. Did you mean /balance?"),
        ("BALANCES", "I do not know /BALANCES. Did you mean /balance?"),
        ("xyz", "I do not know /xyz. For example: /balance. /help shows all of them."),
        ("<b>", "I do not know /&lt;b&gt;. For example: /balance. /help shows all of them."),
    ],
)
def test_the_nearest_command_is_offered(command: str, said: str) -> None:
    assert unknown_command(command, ["balance", "positions"]) == said


# what nobody foresaw


def _break(desk: Desk, words: str = "/whoami") -> None:
    async def fall(update: Update, _: DeskContext) -> None:
        if update.message is not None and update.message.text == words:
            raise RuntimeError("token=canary-in-the-exception \n forged line")

    desk.work.desk.add_handler(TypeHandler(Update, fall), group=-2)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("DEBUG", stream=stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:] = kept
    root.setLevel(level)


async def test_an_incident_is_logged_and_told_with_its_number_and_nothing_else(desk: Desk, log: io.StringIO) -> None:
    _break(desk)
    said = await desk.said(OLGA, "/whoami")
    found = re.fullmatch(
        r"Something went wrong that should not have; nothing more was done\. Tell an admin: incident ([A-Z0-9]{6})\.",
        said,
    )
    assert found is not None
    (line,) = [line for line in log.getvalue().splitlines() if found[1] in line]
    assert "RuntimeError" in line
    assert "canary-in-the-exception" not in log.getvalue()
    assert desk.rooms.pulse.incidents == 1
    assert (await desk.said(OLGA, "/help")).startswith("What you can ask")


async def test_no_door_opens_behind_an_incident(desk: Desk) -> None:
    _break(desk, "/connect crm")
    assert "incident" in await desk.said(OLGA, "/connect crm")
    assert await desk.said(OLGA, "/cancel") == "There was nothing to stop."


async def test_an_incident_of_a_stranger_or_elsewhere_is_told_to_nobody(desk: Desk) -> None:
    async def fall(update: Update, _: DeskContext) -> None:
        raise RuntimeError("broken")

    desk.work.desk.add_handler(TypeHandler(Update, fall), group=-2)
    await desk.work.intake.take([_raw(desk, STRANGER, None), _raw(desk, OLGA, -1_009_999_999_999)])
    await desk.settled()
    assert desk.chat.everything_said() == []
    assert texts(await desk.says(OLGA, "/whoami", GROUP))[0].startswith("Something went wrong")


def _raw(desk: Desk, person: int, chat: int | None) -> bytes:
    message = desk.chat.message_from(person, "/whoami", chat)
    return msgspec.json.encode({"update_id": message["message_id"], "message": message})


async def test_an_incident_that_cannot_be_told_makes_no_second_one(desk: Desk, log: io.StringIO) -> None:
    _break(desk)
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}
    await desk.chat.faults(
        {"action": "status", "match": {"path": "sendMessage"}, "times": 0, "status": 400, "body": refusal}
    )
    assert await desk.says(OLGA, "/whoami") == []
    assert desk.rooms.pulse.incidents == 1
    assert log.getvalue().count("incident not told") == 1
    await desk.chat.faults()
    assert await desk.said(OLGA, "/cancel") == "There was nothing to stop."


async def test_a_person_who_blocked_the_bot_meanwhile_is_no_incident(desk: Desk) -> None:
    refusal = {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}
    await desk.chat.faults({"action": "status", "match": {"path": "sendMessage"}, "status": 403, "body": refusal})
    assert await desk.says(OLGA, "/whoami") == []
    assert desk.rooms.pulse.incidents == 0


async def test_an_answer_to_a_chat_that_is_left_alone_for_long_is_no_incident(desk: Desk) -> None:
    wait = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 3600}}
    await desk.chat.faults({"action": "status", "match": {"path": "sendMessage"}, "status": 429, "body": wait})
    for _ in range(2):  # the second time it is not even tried
        assert await desk.says(OLGA, "/whoami") == []
    assert desk.rooms.pulse.incidents == 0


@pytest.mark.parametrize(
    "misfortune", [{"action": "status", "status": 502, "body": "<html>bad gateway"}, {"action": "refuse"}]
)
async def test_an_answer_that_telegram_drops_is_sent_again(desk: Desk, misfortune: dict[str, object]) -> None:
    await desk.chat.faults({**misfortune, "match": {"path": "sendMessage"}})
    assert await desk.said(OLGA, "/whoami") == OLGA_IS
    assert desk.rooms.pulse.incidents == 0


def test_the_sentence_of_an_incident_names_only_its_number() -> None:
    assert incident("ABC234") == (
        "Something went wrong that should not have; nothing more was done. Tell an admin: incident ABC234."
    )


def test_what_has_no_name_is_not_quoted() -> None:
    assert sentence(errors.NotFoundError("account or position", "")) == (
        "There is no account or position that you can see."
    )
