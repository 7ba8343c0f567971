"""What payment agents and transfers answer."""

from bot.providers.deriv.simulator.payloads import Payload
from bot.providers.deriv.simulator.state import Account, Agent


def agent(loginid: str, agent: Agent) -> Payload:
    """One row of the list of payment agents."""
    return {
        "currencies": agent.currency,
        "deposit_commission": f"{agent.deposit_percent:f}",
        "email": agent.email,
        "further_information": "Transfers within the hour",
        "max_withdrawal": None if agent.most is None else f"{agent.most:f}",
        "min_withdrawal": None if agent.least is None else f"{agent.least:f}",
        "name": agent.name,
        "paymentagent_loginid": loginid,
        "phone_numbers": [{"phone_number": agent.phone}],
        "summary": agent.summary,
        "supported_payment_methods": [{"payment_method": method} for method in agent.methods],
        "urls": [{"url": agent.url}],
        "withdrawal_commission": f"{agent.withdrawal_percent:f}",
    }


def agent_details(agent: Agent) -> Payload:
    """An agent's own profile."""
    return {
        "can_apply": 0,
        "code_of_conduct_approval": 1,
        "commission_deposit": agent.deposit_percent,
        "commission_withdrawal": agent.withdrawal_percent,
        "currency_code": agent.currency,
        "email": agent.email,
        "information": agent.summary,
        "newly_authorized": 0,
        "payment_agent_name": agent.name,
        "phone_numbers": [{"phone_number": agent.phone}],
        "status": "authorized",
        "supported_payment_methods": [{"payment_method": method} for method in agent.methods],
        "target_country": agent.country,
        "urls": [{"url": agent.url}],
        **({} if agent.least is None else {"min_withdrawal": agent.least}),
        **({} if agent.most is None else {"max_withdrawal": agent.most}),
    }


def transferable(account: Account) -> Payload:
    """One account among those money can go between; its balance is a text here."""
    return {
        "account_category": "trading",
        "account_type": "binary",
        "balance": f"{account.balance:f}",
        "currency": account.currency,
        "demo_account": int(account.is_virtual),
        "landing_company_short": account.company,
        "loginid": account.loginid,
        "transfers": "none" if account.is_virtual else "all",
    }
