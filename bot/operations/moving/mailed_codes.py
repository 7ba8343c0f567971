"""Codes that a provider mails for one payment, once it is approved, and that whoever asked for it hands in.

They live shorter than an approval may take, and authorise by themselves: none is stored, shown or signed. A code is
handed to the open session and is gone with it; the next one is mailed then.
"""

from collections.abc import Callable

from bot.access.model import Person
from bot.access.service import people_in
from bot.approvals.model import Kind, Request, State
from bot.approvals.service import Approvals
from bot.errors import CodeAwaitedError, ConflictError, NotFoundError, UnsupportedError
from bot.messages.notice import Lane, Notice
from bot.messages.outbox import Outbox
from bot.operations.connections import Connections
from bot.operations.linked import Connection
from bot.ports import Deed, Recorder
from bot.providers.acts import PayWay, WantsCodes
from bot.secret import Secret
from bot.store import Database, Tables


class MailedCodes:
    """`/payout code`."""

    def __init__(
        self,
        database: Database,
        approvals: Approvals,
        connections: Connections,
        audit: Recorder,
        outbox: Outbox,
        again: Callable[[], None],
    ) -> None:
        """`again`: what waits to be sent is tried now."""
        self._database = database
        self._approvals = approvals
        self._connections = connections
        self._audit = audit
        self._outbox = outbox
        self._again = again

    async def tell(self, request: Request, error: CodeAwaitedError) -> None:
        """Whoever asked for it hears of each mail once, and of each code that was not taken."""
        title = f"Request {request.id} waits for a code"
        said = "A code was mailed to the owner of the account it leaves from."
        if error.is_wrong:
            title = f"Request {request.id}: that code was not taken"
            said = "It is none, was used, or is too old. Nothing was sent."

        def change(tables: Tables) -> None:
            by = next((one for one in people_in(tables) if one.id == request.asked_by), None)
            for chat in sorted(by.telegram_ids) if by is not None else ():
                dedupe = f"request/{request.id}/code/{error.mailing}/{error.is_wrong}/{chat}"
                step = f"/payout code {request.id} takes it. It is asked for in this chat, and deleted."
                self._outbox.put(tables, Notice(Lane.DECISIONS, chat, title, (said,), dedupe, next_step=step))

        await self._database.write(change)

    async def awaited(self, by: Person, request_id: str) -> Request:
        """The request that waits for a code of this person.

        Raises:
            NotFoundError: They have asked for none of that id.
            ConflictError: It waits for no code.
        """
        request = await self._approvals.find(request_id.lower())
        if request.asked_by != by.id:
            raise NotFoundError("request", request_id)
        is_payout = request.kind is Kind.TRANSFER and request.parameters.get("way") == PayWay.PAYOUT
        if not is_payout or request.state not in (State.APPROVED, State.HELD):
            raise ConflictError(f"request {request.id} waits for no code ({request.state})")
        return request

    async def give(self, by: Person, request_id: str, code: Secret, *, telegram_id: int) -> Connection:
        """Hand it in; the payment is tried at once. Raises as `awaited`."""
        request = await self.awaited(by, request_id)
        if request.stake is None:
            raise ConflictError("nothing is at stake")
        connection = await self._connections.numbered(request.stake.connection_id)
        async with self._connections.session(connection) as provider:
            seam: object = provider.money
            if not isinstance(seam, WantsCodes):
                raise UnsupportedError(connection.provider, "codes from a mail")
            deed = Deed("payment.code given", f"request/{request.id}", by.id, telegram_id, {})
            await self._database.write(lambda tables: self._audit.record(tables, deed))
            seam.take_code(request.id, code)
        self._again()
        return connection
