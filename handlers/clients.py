"""/client: one client of the CRM, by id, name or e-mail."""

from bot.errors import InputError
from handlers.context import DeskContext
from handlers.doors import Words, taste_of
from handlers.pages import Reply
from handlers.render import crm as render

_EXAMPLE = "/client u7h2k9d0"


async def client(context: DeskContext, words: Words) -> Reply:
    """A single fit is shown whole, several to choose from."""
    if not words:
        raise InputError("an id, a name or an e-mail address", _EXAMPLE)
    word = " ".join(words)
    hits = await context.services.clients.search(context.person, word)
    if len(hits.clients) != 1:
        return Reply(render.found(hits))
    about = await context.services.clients.file(context.person, hits.clients[0].id)
    return Reply(render.client_file(about, taste_of(context)), again=f"/client {about.profile.id}")
