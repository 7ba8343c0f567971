"""Registering traders, forms, countries, prop trading. [N] marks what is inferred. No door of the chat leads here."""

from collections.abc import Mapping
from typing import Literal

from bot.providers.crm import body
from bot.providers.crm.client.line import Line
from bot.providers.crm.wire import registration as wire


class Registration:
    """The sections Accounts, Forms, Configuration and Prop trading."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def countries(self) -> tuple[wire.Option, ...]:
        """[N]"""
        return wire.parse_places(await self._line.read(wire.build_places("countries", {})))

    async def states(self, country: str) -> tuple[wire.Option, ...]:
        """[N]"""
        return wire.parse_places(await self._line.read(wire.build_places("states", {"country": country})))

    async def cities(self, country: str, state: str) -> tuple[wire.Option, ...]:
        """[N]"""
        chosen = {"country": country, "state": state}
        return wire.parse_places(await self._line.read(wire.build_places("cities", chosen)))

    async def registration_form(self) -> wire.Form:
        """What a trader fills in."""
        return wire.parse_form(await self._line.read(wire.build_registration_form()))

    async def kyc_forms(self) -> tuple[wire.Form, ...]:
        """[N] The KYC forms there are."""
        return wire.parse_forms(await self._line.read(wire.build_kyc_forms()))

    async def kyc_form(self, collection_id: str) -> wire.Form:
        """[N] One of them."""
        return wire.parse_form(await self._line.read(wire.build_kyc_form(collection_id)))

    async def upload(self, document_id: str, form_id: str, document: str, content_type: str) -> wire.Upload:
        """Where a document may be posted to. The id is the caller's: 8 characters on older tenants, 4 on newer ones."""
        return wire.parse_upload(await self._line.read(wire.build_upload(document_id, form_id, document, content_type)))

    async def request_code(
        self,
        email: str,
        password: str,
        form_id: str,
        *,
        otp_type: Literal["email", "phone"] = "email",
        **more: body.Value,
    ) -> None:
        """Begin a registration: the CRM sends a code by mail or telephone."""
        fields: body.Fields = {"email": email, "otp_type": otp_type, "form_id": form_id}
        passwords = {"password": password, "repeat_password": password}
        await self._line.change(wire.build_code({**fields, **passwords, **more}))

    async def register(self, register: Mapping[str, body.Value], kyc: Mapping[str, body.Value] | None = None) -> None:
        """Finish a registration with the code. `RefusedError` `invalid_validation_code` when it is not that one."""
        await self._line.change(wire.build_registration(register, kyc))

    async def upgrade_prop_trader(self, **chosen: body.Value) -> None:
        """To the next step. Either `init_request_id` and `user_id`, or `connection_id`, `trading_id` and `platform`.

        Raises:
            ValueError: Both.
        """
        await self._line.change(wire.build_prop_step("upgrade", _one_way(chosen)))

    async def fail_prop_trader(self, *, allow_retry: bool, **chosen: body.Value) -> None:
        """Not to the next step; named in the same two ways, perhaps with `reason`, `notify`, `pop_up`."""
        await self._line.change(wire.build_prop_step("failed", {**_one_way(chosen), "allow_retry": allow_retry}))


def _one_way(chosen: dict[str, body.Value]) -> dict[str, body.Value]:
    if "init_request_id" in chosen and "connection_id" in chosen:
        raise ValueError("a prop trader is named by the request or by the account, not by both")
    return chosen
