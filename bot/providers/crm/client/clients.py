"""Clients and leads. [N] marks a call whose page was not to be had: path and reply are inferred from its siblings."""

from bot.providers.crm import body, wire
from bot.providers.crm.client.line import Line, Listed
from bot.providers.crm.wire import clients
from bot.providers.crm.wire.grammar import Created, Field


class Clients:
    """The section Users, and Leads."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def listed(self, most: int, *, type_: str | None = None, suspended: bool = False) -> Listed[wire.Client]:
        """At most `most` clients. `type_`: `ib` or `trader`; the pages name no way to search."""
        return await self._line.listed(
            lambda skip, limit: clients.build_clients_of(skip, limit, type_=type_, suspended=suspended),
            clients.parse_client_page,
            lambda client: client.id,
            most,
        )

    async def one(self, user_id: str) -> clients.Profile:
        """With the owner and the participants of the back office."""
        return clients.parse_profile(await self._line.read(clients.build_client(user_id)))

    async def details(self, user_id: str) -> tuple[Field, ...]:
        """What was filled in at registration."""
        return clients.parse_fields(await self._line.read(clients.build_details(user_id)))

    async def kyc(self, user_id: str) -> tuple[Field, ...]:
        """[N] What was filled in for KYC."""
        return clients.parse_fields(await self._line.read(clients.build_kyc(user_id)))

    async def submit_kyc(self, user_id: str, form_id: str, fields: dict[str, body.Value]) -> Created:
        """Hand in a KYC form; answers the request's id. Newer tenants only."""
        return clients.parse_created(await self._line.change(clients.build_kyc_submission(user_id, form_id, fields)))

    async def validate(self, email: str, password: str) -> clients.Validity:
        """[N] Whether this is a client's e-mail and password. Neither is logged."""
        return clients.parse_validity(await self._line.change(clients.build_validation(email, password)))

    async def create(self, email: str, password: str, form_id: str, **more: body.Value) -> Created:
        """A new client, who must change the password at the first login. Fields of the form stand beside the others."""
        fields: body.Fields = {
            "email": email,
            "password": password,
            "repeat_password": password,
            "update_password": True,
            "form_id": form_id,
        }
        return clients.parse_created(await self._line.change(clients.build_new_client({**fields, **more})))

    async def create_lead(self, email: str, **more: body.Value) -> Created:
        """[N] A new lead."""
        return clients.parse_created(await self._line.change(clients.build_new_lead({"email": email, **more})))

    async def uplines(self, user_id: str | None = None, email: str | None = None) -> clients.Branch:
        """[N] Who is above; give one of the two."""
        return clients.parse_branch(await self._line.read(clients.build_uplines(user_id, email)))

    async def downlines(self, user_id: str | None = None, email: str | None = None) -> clients.Branch:
        """Who is below, as a tree; give one of the two."""
        return clients.parse_branch(await self._line.read(clients.build_downlines(user_id, email)))
