"""What login and the site's state answer."""

from bot.providers.deriv.simulator import limits, tariff
from bot.providers.deriv.simulator.connection import Grant
from bot.providers.deriv.simulator.geography import COUNTRIES
from bot.providers.deriv.simulator.payloads import Payload, streamed
from bot.providers.deriv.simulator.state import CURRENCIES, Account
from bot.providers.deriv.simulator.world import World

_LANGUAGES = ["EN", "ID", "RU", "ES", "FR", "IT", "PT", "PL", "DE", "ZH_CN", "ZH_TW", "VI", "TH"]

_STATUS_NOTES = {"down": "The site is down for maintenance.", "updating": "The site is being updated."}


def authorize(world: World, account: Account, grant: Grant) -> Payload:
    """Who the connection is now."""
    user = world.state.users[account.user_id]
    local = COUNTRIES[user.country].local_currency
    return {
        "authorize": {
            "account_list": [_listed(each) for each in world.accounts_of(user.user_id)],
            "balance": account.balance,
            "country": user.country,
            "currency": account.currency,
            "email": user.email,
            "fullname": "" if account.is_virtual else user.full_name,
            "is_virtual": int(account.is_virtual),
            "landing_company_fullname": account.company_name,
            "landing_company_name": account.company,
            "linked_to": [],
            "local_currencies": {local: {"fractional_digits": 2}},
            "loginid": account.loginid,
            "preferred_language": user.language,
            "scopes": list(grant.scopes),
            "upgradeable_landing_companies": _upgrades(world, account),
            "user_id": user.user_id,
        }
    }


def _upgrades(world: World, account: Account) -> list[str]:
    """The entity of the residence, as long as the person has no account there."""
    company = COUNTRIES[world.state.users[account.user_id].country].company
    held = {each.company for each in world.accounts_of(account.user_id)}
    return [company] if company and company not in held else []


def _listed(account: Account) -> Payload:
    return {
        "account_category": "trading",
        "account_type": "binary",
        "broker": account.broker,
        "created_at": account.created_at,
        "currency": account.currency,
        "currency_type": CURRENCIES[account.currency].kind,
        "is_disabled": int(account.disabled),
        "is_virtual": int(account.is_virtual),
        "landing_company_name": account.company,
        "linked_to": [],
        "loginid": account.loginid,
    }


def website_status(world: World, stream_id: str | None = None, *, lifted: bool = False) -> Payload:
    """Health, limits, currencies, languages."""
    state = world.state.site_status
    inner: Payload = {
        "api_call_limits": limits.published(lifted=lifted),
        "broker_codes": ["CR", "MF", "VRTC"],
        "clients_country": "id",
        "currencies_config": {code: _currency(code) for code in CURRENCIES},
        "site_status": state,
        "supported_languages": _LANGUAGES,
        "terms_conditions_version": "Version 48 2019-05-10",
    }
    if state in _STATUS_NOTES:
        inner["message"] = _STATUS_NOTES[state]
    return streamed({"website_status": inner}, stream_id)


def _currency(code: str) -> Payload:
    currency = CURRENCIES[code]
    least, most = tariff.transfer_bounds(code)
    return {
        "fractional_digits": currency.digits,
        "is_deposit_suspended": 0,
        "is_suspended": 0,
        "is_withdrawal_suspended": 0,
        "name": currency.name,
        "stake_default": currency.stake_default,
        "transfer_between_accounts": {
            "fees": tariff.fees(code),
            "limits": {"max": most, "min": least},
        },
        "type": currency.kind,
    }
