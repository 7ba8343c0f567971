"""What settings, limits, tokens and apps answer."""

from datetime import UTC, datetime
from decimal import Decimal

from bot.providers.deriv.simulator import tariff
from bot.providers.deriv.simulator.geography import COUNTRIES
from bot.providers.deriv.simulator.payloads import Payload
from bot.providers.deriv.simulator.state import Account, App, Token
from bot.providers.deriv.simulator.world import World


def settings(world: World, account: Account) -> Payload:
    """The profile; names, birth and address only of who has a real account."""
    user = world.state.users[account.user_id]
    country = COUNTRIES[user.country]
    shown: Payload = {
        "country": country.name,
        "country_code": user.country,
        "email": user.email,
        "email_consent": 0,
        "feature_flag": {"wallet": 0},
        "has_secret_answer": 0,
        "is_authenticated_payment_agent": int(account.loginid in world.state.agents),
        "preferred_language": user.language,
        "residence": country.name,
        "trading_hub": 0,
    }
    if account.is_virtual:
        return shown
    birth = user.profile.get("date_of_birth")
    return {
        **shown,
        **{name: value for name, value in user.profile.items() if name != "date_of_birth"},
        "allow_copiers": 0,
        "client_tnc_status": "Version 48 2019-05-10",
        "date_of_birth": None if birth is None else _midnight(birth),
        "immutable_fields": ["residence"],
        "non_pep_declaration": 1,
        "request_professional_status": 0,
    }


def _midnight(day: str) -> int:
    year, month, of_month = map(int, day.split("-"))
    return int(datetime(year, month, of_month, tzinfo=UTC).timestamp())


def account_limits(world: World, account: Account) -> Payload:
    """Limits of trading, and of withdrawal where there is any."""
    left = tariff.TRANSFERS_A_DAY - world.transfers_today(account)
    shown: Payload = {
        "account_balance": 300000,
        "daily_transfers": {"internal": {"allowed": tariff.TRANSFERS_A_DAY, "available": left}},
        "daily_turnover": 50000,
        "market_specific": {
            "synthetic_index": [
                {
                    "level": "market",
                    "name": "Synthetic Indices",
                    "payout_limit": 50000,
                    "profile_name": "low_risk",
                    "turnover_limit": 500000,
                }
            ]
        },
        "open_positions": 100,
        "payout": 50000,
        "payout_per_symbol_and_contract_type": 50000,
    }
    if account.is_virtual:
        return shown
    gone = -sum(
        (
            movement.amount
            for movement in world.state.movements
            if movement.loginid == account.loginid and movement.action == "withdrawal"
        ),
        Decimal(0),
    )
    most = world.convert(Decimal(10000), "USD", account.currency)
    return {
        **shown,
        "lifetime_limit": most,
        "num_of_days": 30,
        "num_of_days_limit": most,
        "remainder": max(most - gone, Decimal(0)),
        "withdrawal_for_x_days_monetary": gone,
        "withdrawal_since_inception_monetary": gone,
    }


def token_row(text: str, token: Token) -> Payload:
    """One row of the list of tokens."""
    used = "" if token.used_at is None else datetime.fromtimestamp(token.used_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "display_name": token.display_name,
        "last_used": used,
        "scopes": token.scopes,
        "token": text,
        "valid_for_ip": token.ip,
    }


def app(app: App) -> Payload:
    """A registered app."""
    return {
        "active": 1,
        "app_id": app.app_id,
        "app_markup_percentage": app.markup,
        "name": app.name,
        "scopes": app.scopes,
        **app.addresses,
    }
