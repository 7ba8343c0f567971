"""What the bot serves: Telegram's webhook, a health page, and the pages on which people enter what no chat should hold.

    listeners   sites → servers               telegram   updates that are pushed
    pages       the site of the pages         entry      the one-time page
    crm         what the CRM tells by itself   psp   what a payment provider tells
    rates       what the CRM asks us
    redirect    back from a provider's login  cookie     which browser was sent there
    asking      the guard around each page    body       what may be sent, in what time
    answers     headers, CSP among them       views      HTML; `page/` has style and script
    initdata    whether Telegram opened the page, and for whom

TLS is the reverse proxy's in front. Paths of pages hold one-time tokens, and one of them, for a moment, a provider's
own; so nothing here writes a path, a query or a body to the log.
"""

from bot.http.crm import events as events
from bot.http.crm import from_crm as from_crm
from bot.http.listeners import Site as Site
from bot.http.listeners import serving as serving
from bot.http.pages import pages as pages
from bot.http.telegram import pushed as pushed
