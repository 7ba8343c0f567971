"""Crypto Capital's messages: the texts that are signed, what goes out, and what is made of what comes in."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.money import Currency, Money
from bot.network import strictjson
from bot.providers import cryptocapital
from bot.providers.cryptocapital import wire
from bot.providers.cryptocapital.wire import (
    AccountMessage,
    Acknowledged,
    Declined,
    ErrorMessage,
    Op,
    TransferMessage,
    Unfamiliar,
)

SAMPLES = Path(cryptocapital.__file__).parent / "samples"
CLIENT = "BIRx1/VW6GJnfCg9e9izpKtrTLQVlsluvMsjtm55M+f373ggftR7Iw7CP/6/Valqek6PfqVS7qhr6QJFI/WAZSc="
SERVER = "BDEZAFjZOW7Ro9vMqMx9u4eU8tdxGG4SyY2r8h+unXEcYGD5bSxCyf3YngZhLcczKER06A0smrnqXeoWjpffDHY="
TRANSFER_FIELDS = "51202026-10-1891200047119120008150EURUSD250.00271.25Rent 10/26 – thanks"


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.json").read_text()


def account_frame(**changed: Any) -> str:
    """The account sample with some of its params changed."""
    frame = json.loads(sample("account"))
    frame["data"]["params"] |= changed
    return json.dumps(frame)


def transfer_frame(**changed: Any) -> str:
    frame = json.loads(sample("transfer"))
    frame["data"]["params"] |= changed
    return json.dumps(frame)


def signed(frame: str) -> wire.Signed:
    message = wire.parse_frame(frame)
    assert isinstance(message, AccountMessage | ErrorMessage | TransferMessage)
    return message


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"),
        (0, "0"),
        (-3, "-3"),
        (Decimal("-0.0"), "0"),
        (Decimal("1.00"), "1"),
        (Decimal("150.50"), "150.5"),
        (Decimal("150.00"), "150"),
        (Decimal("-12.5"), "-12.5"),
        (Decimal("0.1"), "0.1"),
        (Decimal("0.000001"), "0.000001"),
        (Decimal("0.0000001"), "1e-7"),
        (Decimal("0.0000000015"), "1.5e-9"),
        (Decimal("12345678.9"), "12345678.9"),
        (10000000000000000, "10000000000000000"),
        (123456789012345680000, "123456789012345680000"),
        (9007199254740993, "9007199254740992"),
        (10**21, "1e+21"),
        (Decimal("1.5e22"), "1.5e+22"),
        (Decimal("5e-324"), "5e-324"),
        (Decimal("1.7976931348623157e308"), "1.7976931348623157e+308"),
        (1792300800123, "1792300800123"),
    ],
)
def test_numbers_are_written_as_javascript_writes_them(number: int | Decimal, text: str) -> None:
    assert wire.number_text(number) == text


@pytest.mark.parametrize("number", [10**400, Decimal("1e400"), Decimal("-1e400")])
def test_a_number_beyond_a_double_has_no_text(number: int | Decimal) -> None:
    with pytest.raises(wire.OperationError):
        wire.number_text(number)


@pytest.mark.parametrize(
    ("op", "params", "text"),
    [
        (Op.AUTH, {}, "AUTHkey7"),
        (Op.PING, {}, "PINGkey7"),
        (Op.ACCOUNT, {"accountNumber": "9120004711"}, "ACCOUNTkey79120004711"),
        (Op.STATEMENT, {"accountNumber": "9120004711", "limit": 10}, "STATEMENTkey79120004711"),
        (
            Op.TRANSFER,
            {
                "narrative": "not signed",
                "amount": Decimal("250.00"),
                "currency": "EUR",
                "beneficiary": "9120008150",
                "accountNumber": "9120004711",
            },
            "TRANSFERkey791200047119120008150EUR250",
        ),
    ],
)
def test_an_operation_is_signed_over_its_fields_without_separators(op: Op, params: Any, text: str) -> None:
    assert wire.operation_text(op, "key", 7, params) == text


def test_an_operation_without_a_signed_parameter_has_no_text() -> None:
    with pytest.raises(wire.OperationError, match="accountNumber"):
        wire.operation_text(Op.ACCOUNT, "key", 7, {})


def test_requests_look_like_the_samples() -> None:
    auth, account = json.loads(sample("request_auth")), json.loads(sample("request_account"))
    built = wire.build_operation(Op.AUTH, CLIENT, 1792300800123, {}, auth["data"]["signed"])
    assert json.loads(built) == auth
    assert '"params"' not in built
    params = wire.account_params("9120004711")
    built = wire.build_operation(Op.ACCOUNT, CLIENT, 1792300800124, params, account["data"]["signed"])
    assert json.loads(built) == account
    assert '"nonce":1792300800124,' in built  # a number, not a text


@pytest.mark.parametrize(
    "number", ["912000471", "91200047110", "912000471x", "٩١٢٠٠٠٤٧١١", " 9120004711", "9120004711\n"]
)
def test_an_account_number_has_ten_ascii_digits(number: str) -> None:
    with pytest.raises(wire.OperationError):
        wire.account_params(number)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ('{"msg":"ack","data":{"nonce":1792300800123}}', Acknowledged("1792300800123")),
        ('{"msg":"ack","data":{"nonce":"1792300800123","more":[1]}}', Acknowledged("1792300800123")),
        ('{"msg":"ack","data":{"nonce":1792300800123.0}}', Acknowledged("1792300800123")),
        ('{"msg":"ack","data":"{\\"nonce\\":5}"}', Acknowledged("5")),
        (b'{"msg":"ack","data":{"nonce":5}}', Acknowledged("5")),
        ('{"msg":"err","data":{"nonce":5,"msg":"no"}}', Declined("5", "no")),
        ('{"msg":"err","data":{"nonce":5,"message":"no"}}', Declined("5", "no")),
        ('{"msg":"err","data":{"nonce":5,"error":"no"}}', Declined("5", "no")),
        ('{"msg":"err","data":{"nonce":5,"reason":"no"}}', Declined("5", "no")),
        ('{"msg":"err","data":{"nonce":5,"msg":{"a":1}}}', Declined("5", "")),
        ('{"msg":"err","data":{"nonce":null,"msg":"cannot read it"}}', Declined(None, "cannot read it")),
        ('{"msg":"err","data":{"nonce":true}}', Declined(None, "")),
        ('{"msg":"err","data":"bad things"}', Declined(None, "bad things")),
        ('{"msg":"err","data":[]}', Declined(None, "")),
        ('{"msg":"statement","data":{"params":{"transactions":[]}}}', Unfamiliar()),
    ],
)
def test_unsigned_answers_are_read(frame: str | bytes, message: wire.Message) -> None:
    assert wire.parse_frame(frame) == message


def test_a_signed_account_is_read_field_by_field() -> None:
    message = signed(sample("account"))
    assert isinstance(message, AccountMessage)
    assert (message.key, message.rcpt, message.nonce) == (SERVER, CLIENT, 1792300801456)
    wire.check_grammar(message)
    euro = Currency("EUR")
    assert wire.parse_holding(message.params) == wire.Holding(
        "9120004711", "Caisse «Été»", Money(Decimal("1204567.80"), euro), Money(Decimal("1204000.05"), euro)
    )


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        (
            "account",
            (f"ACCOUNT{SERVER}1792300801456{CLIENT}9120004711Caisse «Été»EUR1204567.801204000.05",),
        ),
        (
            "error",
            (f"ERROR{SERVER}1792300801466{CLIENT}1792300800124account is not linked to this key",),
        ),
        (
            "transfer",
            (
                f"TRANSFER{SERVER}{CLIENT}1792300801476{TRANSFER_FIELDS}",
                f"TRANSFER{SERVER}1792300801476{CLIENT}{TRANSFER_FIELDS}",
            ),
        ),
    ],
)
def test_what_the_server_signs(name: str, texts: tuple[str, ...]) -> None:
    message = signed(sample(name))
    wire.check_grammar(message)
    assert wire.signed_texts(message) == texts


@pytest.mark.parametrize("narrative", [{"narrative": None}, {"narrative": ""}])
def test_a_missing_narrative_is_signed_as_nothing(narrative: dict[str, Any]) -> None:
    message = signed(transfer_frame(**narrative))
    wire.check_grammar(message)
    assert wire.signed_texts(message)[0].endswith("EURUSD250.00271.25")


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "garbage",
        "null",
        "[]",
        "5",
        '"ack"',
        "{}",
        '{"msg":"ack"}',
        '{"data":{"nonce":1}}',
        '{"msg":null,"data":{"nonce":1}}',
        '{"msg":"ack","data":null}',
        '{"msg":"ack","data":{}}',
        '{"msg":"ack","data":{"nonce":[1]}}',
        '{"msg":"ack","data":{"nonce":false}}',
        '{"msg":"ack","data":{"nonce":NaN}}',
        '{"msg":"ack","data":{"nonce":1,"nonce":2}}',
        '{"msg":"ack","data":{"nonce":1e400}}',
        '{"msg":"account","data":null}',
        '{"msg":"account","data":[]}',
        '{"msg":"account","data":"text"}',
        '{"msg":"account","data":{}}',
        account_frame(balance=None),
        account_frame(balance=100.5),
        account_frame(balance=float("nan")),
        account_frame(balance=["100.00"]),
        account_frame(name={"text": "x"}),
        sample("account").replace("1792300801456", "true"),
        sample("account").replace("1792300801456", '"1792300801456"'),
        sample("account").replace("1792300801456", "1792300801456.5"),
        sample("account").replace('"balance"', '"balance": "1.00", "balance"'),
        sample("error").replace('"1792300800124"', "1792300800124"),
        b'{"msg":"ack","data":{"nonce":"\xff"}}',
        '{"msg":"ack","data":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"msg":"ack","data":{"nonce":1,"more":"' + "x" * (1 << 20) + '"}}',
    ],
)
def test_what_is_not_in_the_documented_form_is_an_error_without_its_content(frame: str | bytes) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the kind is the promise; the content is looked at below
        wire.parse_frame(frame)
    assert "9120004711" not in str(caught.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"accountNumber": "912000471"},
        {"accountNumber": "91200047111"},
        {"currency": "eur"},
        {"currency": "EURO"},
        {"currency": ""},
        {"balance": "NaN"},
        {"balance": "1_000.00"},
        {"balance": "1e5"},
        {"balance": "+1.00"},
        {"balance": " 1.00"},
        {"balance": "1.00\n"},
        {"balance": "01.00"},
        {"balance": "1.0"},
        {"balance": "1.000"},
        {"balance": "1"},
        {"balance": "-0.00"},
        {"balance": "١.٠٠"},
        {"balance": "1000000000000000.00"},
        {"available": ""},
        {"available": "1,00"},
        {"name": "two\nlines"},
        {"name": "x" * 1001},
    ],
)
def test_a_field_out_of_its_grammar_is_refused_before_any_verifying(changed: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^ACCOUNT with a field out of its grammar$"):
        wire.check_grammar(signed(account_frame(**changed)))


def test_half_a_character_is_refused_with_the_frame() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        signed(account_frame(name="\ud800"))


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""},
        {"name": "</b><a href='x'>\u202eabc"},
        {"balance": "-12.05", "available": "0.00"},
        {"balance": "999999999999999.99"},
        {"currency": "JPY"},
        {"more": "ignored"},
    ],
)
def test_unusual_but_allowed_fields_pass(changed: dict[str, str]) -> None:
    wire.check_grammar(signed(account_frame(**changed)))


def test_a_missing_signature_is_out_of_its_grammar() -> None:
    frame = json.loads(sample("account"))
    del frame["data"]["signed"]
    with pytest.raises(ValueError, match="grammar"):
        wire.check_grammar(signed(json.dumps(frame)))


@pytest.mark.parametrize("text", ["", "not base64!", "A" * 200])
def test_a_signature_has_a_grammar_too(text: str) -> None:
    frame = json.loads(sample("account"))
    frame["data"]["signed"] = text
    with pytest.raises(ValueError, match="grammar"):
        wire.check_grammar(signed(json.dumps(frame)))


def test_digits_cannot_move_between_a_transfers_nonce_and_its_id() -> None:
    """Both frames give one text in the documented order; only the first is in the grammar."""
    genuine = transfer_frame()
    shifted = transfer_frame(id="120").replace("1792300801476", "17923008014765")
    assert wire.signed_texts(signed(genuine))[0] == wire.signed_texts(signed(shifted))[0]
    wire.check_grammar(signed(genuine))
    with pytest.raises(ValueError, match="grammar"):
        wire.check_grammar(signed(shifted))


@pytest.mark.parametrize(("nonce", "good"), [("0", False), ("1", True), ("9007199254740991", True), ("-5", False)])
def test_a_server_nonce_is_a_positive_number_below_two_to_the_53(nonce: str, good: bool) -> None:
    message = signed(sample("account").replace("1792300801456", nonce))
    if good:
        wire.check_grammar(message)
        return
    with pytest.raises(ValueError, match="grammar"):
        wire.check_grammar(message)


def test_a_sentence_from_the_other_side_becomes_one_short_readable_line() -> None:
    assert wire.readable("  no\r\nsuch\u202e account\x00 ") == "no such account"
    assert wire.readable("</b>") == "</b>"  # escaping belongs to whoever shows it
    assert len(wire.readable("x" * 5000)) == 160


def test_the_samples_are_whole_json() -> None:
    for path in SAMPLES.glob("*.json"):
        assert strictjson.loads(path.read_bytes())
    assert len(list(SAMPLES.glob("*.json"))) == 8
