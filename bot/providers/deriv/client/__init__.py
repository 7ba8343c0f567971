"""One Deriv login, talking.

line        the socket: logged in, kept alive, asked
feeds       what it tells by itself
provider    what the house asks of every provider
one file a matter, as in `wire`
"""

from bot.providers.deriv.client.provider import Deriv as Deriv
from bot.providers.deriv.settings import Settings as Settings
