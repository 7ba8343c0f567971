"""One Deriv login, talking.

line        the socket: logged in, kept alive, asked
feeds       what it tells by itself
provider    what the house asks of every provider
seam        how money leaves; `payments` says it and reads what is answered, `traces` finds it in a statement
one file a matter, as in `wire`
"""

from bot.providers.deriv.client.provider import Deriv as Deriv
from bot.providers.deriv.settings import Settings as Settings
