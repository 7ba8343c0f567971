"""Requests of clients, read; and decisions about KYC, which move no money. About withdrawals decides the seam."""

from bot.providers.crm.client.line import Line
from bot.providers.crm.wire import requests


class Requests:
    """The section Requests."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def one(self, kind: requests.Kind, request_id: str) -> requests.AnyRequest:
        """A request of any type. Newer tenants only: others answer 404 (`wire.lacks_call`)."""
        return requests.parse_request(await self._line.read(requests.build_request(kind, request_id)))

    async def withdrawal(self, request_id: str) -> requests.Withdrawal:
        """A client's request to be paid, as it stands now."""
        return requests.parse_withdrawal(await self._line.read(requests.build_request("withdrawal", request_id)))

    async def approve_kyc(self, request_id: str) -> None:
        """[N] Approve a KYC request at its current node."""
        requests.parse_decided(await self._line.change(requests.build_approval("kyc", request_id)))

    async def reject_kyc(self, request_id: str, comment: str) -> None:
        """Reject a KYC request; the reason has 1 to 500 characters."""
        requests.parse_decided(await self._line.change(requests.build_rejection("kyc", request_id, comment)))
