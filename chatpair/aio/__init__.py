"""The line for programs under asyncio: no reactor of Twisted's runs, or is even installed."""

from chatpair.aio.line import Line as Line
