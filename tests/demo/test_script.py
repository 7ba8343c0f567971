"""What the strip says about money also says what to ask to see it."""

import re

import pytest

from bot.demo.script import Act, Provider, acts_of
from handlers.rooms import BY_COMMAND

ANSWER = {"bid": "1", "offer": "2", "quote": "3", "loginid": "CR1", "balance": "4", "id": "7", "status": "pending"}
ACTS = {act.name: act for act in acts_of([Provider(name, "") for name in ("capital", "deriv", "cryptocapital", "crm")])}


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("gold-up", "/positions capital"),
        ("gold-down", "/positions capital"),
        ("volatility-up", "/positions deriv"),
        ("volatility-down", "/positions deriv"),
        ("deriv-deposit", "/balance deriv"),
        ("money-arrives", "/balance cryptocapital"),
    ],
)
def test_each_act_that_changes_what_accounts_are_worth_names_a_command_that_shows_it(name: str, asked: str) -> None:
    act: Act = ACTS[name]
    (found,) = re.findall(r"Ask (/\w+ \w+) to see", act.said(ANSWER))
    command, connection = found.split()
    assert found == asked
    assert command.removeprefix("/") in BY_COMMAND
    assert connection == act.provider


def test_the_newest_mail_of_deriv_is_read_and_none_says_what_would_send_one() -> None:
    mail = ACTS["deriv-mail"].said
    assert "/openaccount" in mail({"mails": []})
    sent = [{"to": "old@example.org", "code": "firstone"}, {"to": "new@example.org", "code": "second_one"}]
    assert mail({"mails": sent}) == "To new@example.org: your code is second_one"
