"""The user's own settings, limits, tokens and apps."""

from collections.abc import Sequence

from bot.errors import RefusedError
from bot.providers.deriv.client.line import DerivLine
from bot.providers.deriv.wire import profile as wire
from bot.providers.deriv.wire.grammar import NAME
from bot.providers.deriv.wire.profile import ApiToken, App, Limits, Profile, Scope
from bot.secret import Secret


class Own:
    """Of the token's account."""

    def __init__(self, line: DerivLine) -> None:
        self._line = line

    async def settings(self) -> Profile:
        _, body = await self._line.read(wire.build_get_settings())
        return wire.parse_get_settings(body)

    async def limits(self) -> Limits:
        """
        Raises:
            RefusedError: A demo account has none, or no currency was chosen yet.
        """
        session, body = await self._line.read(wire.build_get_limits())
        if session.own.currency is None:
            raise RefusedError(NAME, "NoAccountCurrency")
        return wire.parse_get_limits(body, session.own.currency)

    async def tokens(self) -> tuple[ApiToken, ...]:
        _, body = await self._line.read(wire.build_api_token())
        return wire.parse_api_token(body)

    async def make_token(
        self, name: str, scopes: Sequence[Scope], *, this_address_only: bool = False
    ) -> tuple[ApiToken, ...]:
        """All there are then; the new one is the one with its name."""
        request = wire.build_api_token(new=name, scopes=scopes, this_address_only=this_address_only)
        _, body = await self._line.act(request)
        return wire.parse_api_token(body)

    async def delete_token(self, token: Secret) -> tuple[ApiToken, ...]:
        """Those that are left."""
        _, body = await self._line.act(wire.build_api_token(delete=token))
        return wire.parse_api_token(body)

    async def register_app(
        self,
        name: str,
        scopes: Sequence[Scope],
        *,
        redirect_uri: str | None = None,
        verification_uri: str | None = None,
    ) -> App:
        request = wire.build_app_register(name, scopes, redirect_uri=redirect_uri, verification_uri=verification_uri)
        _, body = await self._line.act(request)
        return wire.parse_app_register(body)
