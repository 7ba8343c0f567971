"""A provider's simulator behind a reservoir: what it streams is held back, and let out all at once.

A simulator sends a price more slowly than a client reads one; out of the reservoir, only the client's pace counts.
Arguments: the provider, and what stands in each frame that holds a price. The first line is the simulator's, with the
address of the reservoir as that of its streams. Then `hold` gathers, tells `full` as soon as the given number of prices
is in, and `flow` lets them out.
"""

import asyncio
import importlib
import json
import sys

from bot.loopback.server import serving

_PROVIDER, _MARK = sys.argv[1], sys.argv[2].encode()


class Reservoir:
    def __init__(self) -> None:
        self.wanted = 0
        """Prices to be gathered; 0 = everything flows."""
        self._gathered = 0
        self._held: dict[asyncio.StreamWriter, bytearray] = {}

    def hold(self, prices: int) -> None:
        self.wanted, self._gathered = prices, 0

    def flow(self) -> None:
        self.wanted = 0
        for writer, held in self._held.items():
            writer.write(bytes(held))
            held.clear()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        theirs, ours = await asyncio.open_connection(host, port)
        self._held[writer] = bytearray()
        back = asyncio.create_task(self._back(theirs, writer))
        while chunk := await reader.read(1 << 16):
            ours.write(chunk)
        del self._held[writer]
        ours.close()
        back.cancel()
        writer.close()

    async def _back(self, theirs: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = self._held[writer]
        while chunk := await theirs.read(1 << 20):
            if not self.wanted:
                writer.write(chunk)
                continue
            looked, before = max(len(held) - len(_MARK) + 1, 0), self._gathered  # a mark may lie across two chunks
            held += chunk
            self._gathered += held.count(_MARK, looked)
            if before < self.wanted <= self._gathered:
                print("full", flush=True)
        writer.close()  # else whoever says goodbye waits for it


async def main() -> None:
    simulator = importlib.import_module(f"bot.providers.{_PROVIDER}.simulator").make()
    reservoir = Reservoir()
    async with serving(simulator) as listening:
        host, port = "127.0.0.1", int(listening.ws.rpartition(":")[2])
        server = await asyncio.start_server(lambda reader, writer: reservoir.relay(reader, writer, host, port), host, 0)
        ours = f"ws://{host}:{server.sockets[0].getsockname()[1]}"
        simulator.switches.origin_ws = ours  # where it is told in a reply
        print(json.dumps(json.loads(listening.line()) | {"ws": ours}), flush=True)
        said = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), sys.stdin)
        while line := await said.readline():
            word, _, count = line.decode().strip().partition(" ")
            if word == "hold":
                reservoir.hold(int(count))
            else:
                reservoir.flow()


asyncio.run(main())
