"""The rest of the tenant a newcomer meets: forms, filled registrations, cards, account types, cTrader, a competition.

Apart from the accounts of `seed.py` so that what is drawn there stays as it is.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.providers.crm.simulator import forms
from bot.providers.crm.simulator.fields import Fields
from bot.providers.crm.simulator.people import BankCard, Client, FilledField, digest
from bot.providers.crm.simulator.reviews import Kind, Kyc, Petition, Status
from bot.providers.crm.simulator.world import AccountType, Challenger, Competition, Server, World

_NATIONALITIES = ("gb", "cn", "lv", "ae", "es", "gb", "se", "th")
_BANKS = ("示例银行", "Example Bank", "Banco de Ejemplo")
_CTRADER_ROW = (3, 3, 8801, "ct-USD", "USD", 100, 16000, 0)
OpenAccount = Callable[[tuple[int, int, int, str, str, int, int, int]], None]


def furnish(world: World, now: datetime, open_account: OpenAccount) -> None:
    """Put the rest into a world that has its people, servers and accounts."""
    world.form_ids = {name: world.new_id(f"form-{name}") for name in ("registration", "kyc", "collection")}
    server_id = world.new_id("connection")
    world.servers[server_id] = Server(server_id, "ctrader", "cTrader Live", ["ct-USD"])
    open_account(_CTRADER_ROW)
    for server in world.servers.values():
        type_id = world.new_id("account-type")
        world.account_types.append(AccountType(type_id, f"Standard {server.name}", server.platform, server.id))
    clients = list(world.clients.values())
    for number, client in enumerate(clients):
        _fill_in(world, client, number)
        if number in (1, 2, 4, 5):
            world.cards.append(_card(world, client, number, now))
    _contests(world, clients)


def _fill_in(world: World, client: Client, number: int) -> None:
    client.password_digest = digest(client.id, f"client-{number}-password")
    answers = {"name": client.name, "nationality": _NATIONALITIES[number], "experience": "some"}
    client.details = forms.read(forms.REGISTRATION, Fields(answers))
    papers = {"id_type": "passport", "id_number": f"P{number:07}"}
    client.kyc = forms.read(forms.KYC, Fields(papers), forms.KYC_GROUP)
    if client.kyc_processing:
        kyc = Kyc(form_id=world.form_ids["kyc"], collection_id=world.form_ids["collection"], fields=client.kyc)
        petition = Petition(
            id=world.new_id("petition"),
            user_id=client.id,
            created_at=client.updated_at,
            updated_at=client.updated_at,
            total_nodes=1,
            status=Status.PENDING,
            kind=Kind.KYC,
            kyc=kyc,
        )
        petition.log("create", client.id, client.updated_at)
        world.petitions[petition.id] = petition


def _card(world: World, client: Client, number: int, now: datetime) -> BankCard:
    filed = now - timedelta(days=30 + number)
    label = {"en-us": "Account no.", "zh-cn": "账号"}
    return BankCard(
        id=world.new_id("card"),
        user_id=client.id,
        bank_name=_BANKS[number % len(_BANKS)],
        status="approved" if number != 5 else "pending",
        form=[FilledField("account_no", "text", label, f"0000{client.id}")],
        created_at=filed,
        updated_at=filed,
    )


def _contests(world: World, clients: list[Client]) -> None:
    takers = [client.id for client in clients[1:7]]
    world.competitions.append(Competition(world.new_id("competition"), "Autumn cup", takers, takers[4:5]))
    server = next(server for server in world.servers.values() if server.platform == "mt5")
    for number, (client, step) in enumerate(((clients[1], 1), (clients[6], 3))):
        login = 900001 + number
        request_id = world.new_id("petition")
        world.challengers.append(
            Challenger(
                init_request_id=request_id,
                user_id=client.id,
                platform=server.platform,
                connection_id=server.id,
                login=login,
                step=step,
            )
        )
