"""Capital.com's simulator behind a reservoir: what it streams is held back, and let out all at once.

A simulator sends a quote more slowly than a client reads one; out of the reservoir, only the client's pace counts. The
first line is the simulator's, with the address of the reservoir as that of its streams. Then `hold` gathers, tells
`full` as soon as the given number of quotes is in, and `flow` lets them out.
"""

import asyncio
import json
import sys

from bot.loopback.server import serving
from bot.providers.capital.simulator import make

_MARK = b'"destination":"quote"'


class Reservoir:
    def __init__(self) -> None:
        self.wanted = 0
        """Quotes to be gathered; 0 = everything flows."""
        self._held = bytearray()
        self._looked = 0
        self._gathered = 0
        self._client: asyncio.StreamWriter | None = None

    def hold(self, quotes: int) -> None:
        self.wanted, self._looked, self._gathered = quotes, 0, 0

    def flow(self) -> None:
        self.wanted = 0
        held, self._held = self._held, bytearray()
        if self._client is not None:
            self._client.write(held)

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        theirs, ours = await asyncio.open_connection(host, port)
        self._client = writer
        back = asyncio.create_task(self._back(theirs, writer))
        while chunk := await reader.read(1 << 16):
            ours.write(chunk)
        ours.close()
        back.cancel()
        writer.close()

    async def _back(self, theirs: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await theirs.read(1 << 20):
            if not self.wanted:
                writer.write(chunk)
                continue
            self._held += chunk
            before = self._gathered
            self._gathered += self._held.count(_MARK, self._looked)
            self._looked = max(len(self._held) - len(_MARK) + 1, 0)  # one may lie across two chunks
            if before < self.wanted <= self._gathered:
                print("full", flush=True)


async def main() -> None:
    simulator, reservoir = make(), Reservoir()
    async with serving(simulator) as listening:
        host, port = "127.0.0.1", int(listening.ws.rpartition(":")[2])
        server = await asyncio.start_server(lambda *ends: reservoir.relay(*ends, host, port), host, 0)
        simulator.switches.origin_ws = f"ws://{host}:{server.sockets[0].getsockname()[1]}"
        print(json.dumps(json.loads(listening.line())), flush=True)
        said = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), sys.stdin)
        while line := await said.readline():
            word, _, count = line.decode().strip().partition(" ")
            if word == "hold":
                reservoir.hold(int(count))
            else:
                reservoir.flow()


asyncio.run(main())
