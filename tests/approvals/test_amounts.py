"""Which texts are amounts, and that nothing on money's way is ever a float (SAFETY F30, M60, M61; goal G08)."""

import ast
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import bot
from bot.errors import InputError
from bot.money import Currency, Money

DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3, "BTC": 8, "USDC": 6}
"""From the standard and the coins' own papers."""


def is_amount(text: str, decimals: int) -> bool:
    """M60, spelled out: up to twelve ASCII digits without a leading nought, and at most so many behind one point."""
    whole, point, part = text.partition(".")
    if not whole or len(whole) > 12 or any(each not in "0123456789" for each in whole):
        return False
    if whole[0] == "0" and whole != "0":
        return False
    if not point:
        return True
    return 1 <= len(part) <= decimals and all(each in "0123456789" for each in part)


def canonical(text: str, decimals: int) -> str:
    """The same digits, with all of the currency's decimals."""
    whole, _, part = text.partition(".")
    return f"{whole}.{part.ljust(decimals, '0')}" if decimals else whole


_LOOKALIKES = "０１２３４５６７８９٠١٢٣٤٥٦٧٨٩۰۱۲߀००１²½⑤𝟏𝟚"
_JUNK = (
    *"+-,_' \t\n\r\x00$€%eEdDfFjLxXob()[]{}/\\\"<>&=;:|~^",
    *("\u00a0", "\u2009", "\u066b", "\u066c", "\u202e", "\u200d", "．", "。"),
)
_WHOLE = (
    "NaN", "nan", "sNaN", "-NaN", "Infinity", "-Infinity", "inf", "-1", "+1", "0", "-0", "1e5", "1E400", "0x10",
    "1_000", "1,000.00", "1.000,00", ".5", "5.", "00012", "１００", "١٢٣", "1.005", "0.1", "0.000000001",
    "1" + "0" * 30, "9" * 4000, "1 000", "١٫٥", "", ".", "..", "0.0", "00", "0.", "1e-2", "True", "None", "1/2",
)  # fmt: skip


def texts(dice: random.Random) -> Iterator[str]:
    """For ever: amounts, nearly amounts, and anything."""
    yield from _WHOLE
    digits = "0123456789"
    while True:
        whole = "".join(dice.choices(digits, k=dice.choice((1, 1, 2, 3, 6, 11, 12, 13, 14))))
        text = whole if dice.random() < 0.4 else f"{whole}.{''.join(dice.choices(digits, k=dice.randrange(10)))}"
        kind = dice.randrange(10)
        if kind < 4:
            yield text
        elif kind < 6:
            yield text.lstrip("0") or "0"
        else:
            place = dice.randrange(len(text) + 1)
            other = dice.choice(_JUNK if kind < 8 else (*_LOOKALIKES, "."))
            yield text[:place] + other + text[place + dice.randrange(2) :]


def _compared(count: int) -> Counter[str]:
    """So many texts, each beside the grammar; answers how many were what."""
    dice, found = random.Random(30), Counter[str]()
    currencies = {code: Currency(code) for code in DECIMALS}
    codes = itertools.cycle(DECIMALS)
    for text in itertools.islice(texts(dice), count):
        code = next(codes)
        try:
            money = Money.parse(text, currencies[code])
        except InputError:
            found["refused"] += 1
            assert not is_amount(text, DECIMALS[code]), (text, code)
        else:
            found["accepted"] += 1
            assert is_amount(text, DECIMALS[code]), (text, code)
            assert money.amount == Decimal(text)
            assert money.text() == canonical(text, DECIMALS[code])
            assert Money.parse(money.text(), money.currency) == money
    return found


def test_a_text_is_an_amount_exactly_when_the_grammar_says_so() -> None:
    """F30, G08: fifty thousand of the million."""
    found = _compared(50_000)
    assert min(found["accepted"], found["refused"]) > 10_000


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_million_texts_are_amounts_exactly_when_the_grammar_says_so() -> None:
    """F30, G08."""
    found = _compared(1_000_000)
    assert found.total() == 1_000_000
    assert min(found["accepted"], found["refused"]) > 200_000


# no float on money's way

HOUSE = Path(bot.__file__).parent
MONEY = [
    HOUSE / "money.py",
    *sorted((HOUSE / "approvals").rglob("*.py")),
    *sorted((HOUSE / "operations" / "moving").glob("*.py")),
    HOUSE / "operations" / "transfers.py",
    HOUSE / "operations" / "beneficiaries.py",
]
SEAMS = [
    path
    for folder in sorted((HOUSE / "providers").iterdir())
    if folder.is_dir()
    for name in ("seam*.py", "wire*.py", "body.py", "statements.py", "wire/*.py", "client/*.py", "seam/*.py")
    for path in sorted(folder.glob(name))
]
WHERE_A_FLOAT_IS_THE_PROTOCOL = {("grammar.py", "double = float(number)")}
"""Crypto Capital signs the text of a binary double (M22): there it is made to be compared, and thrown away."""

SECONDS = {"seconds", "quiet_seconds", "patience_seconds", "retry_after_seconds", "deadline", "pause"}
SECONDS |= {"requests_per_second", "logins_per_second", "orders_per_hour", "per_second"}


def _floats(path: Path) -> Iterator[str]:
    """Each place where a number could become binary: a float is there for seconds only."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        found: ast.AST | None = None
        match node:
            case ast.Call(func=ast.Name(id="float" | "round" | "pow")):
                found = node
            case ast.Call(func=ast.Name(id="Decimal" | "Money"), args=args) if any(map(_is_float, args)):
                found = node
            case ast.Call(func=ast.Attribute(attr="from_float")):
                found = node
            case ast.BinOp(left=left, right=right) if _is_float(left) or _is_float(right):
                found = node
            case ast.Compare(left=left, comparators=others) if any(map(_is_float, [left, *others])):
                found = node
            case ast.arg(arg=name, annotation=ast.Name(id="float")) if name not in SECONDS:
                found = node
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="float")) if name not in SECONDS:
                found = node
        if isinstance(found, ast.expr | ast.arg | ast.stmt):
            line = source.splitlines()[found.lineno - 1].strip()
            if (path.name, line) not in WHERE_A_FLOAT_IS_THE_PROTOCOL:
                yield f"{path.name}:{found.lineno}: {line}"


def _is_float(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)


@pytest.mark.parametrize("path", [*MONEY, *SEAMS], ids=lambda path: str(path.relative_to(HOUSE)))
def test_money_is_never_a_float(path: Path) -> None:
    """M61, G08: no float is made, compared or reckoned with where money passes."""
    assert list(_floats(path)) == []


def test_every_provider_that_moves_money_is_looked_at() -> None:
    assert {path.relative_to(HOUSE / "providers").parts[0] for path in SEAMS} >= {
        "capital",
        "crm",
        "cryptocapital",
        "deriv",
    }


@pytest.mark.parametrize(
    "line",
    [
        "x = float(y)",
        "x = round(y, 2)",
        "x = y * 1.05",
        "x = Decimal(0.1)",
        "if y > 0.5: pass",
        "def f(rate: float): ...",
    ],
)
def test_this_test_sees_a_float(tmp_path: Path, line: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(line)
    assert len(list(_floats(path))) == 1
