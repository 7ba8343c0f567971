"""Who is at the desk in the demo, and what a newcomer may try first."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the play. `part` is the word the page's tests know them by."""

    id: int
    name: str
    part: str
    title: str
    roles: tuple[str, ...]
    suggestions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The desk's own chat, with everybody and the bot in it."""

    id: int
    title: str


TRANSFER = "/transfer 250.00 USD from Treasury Operating to Harbour Freight for Invoice 4711"
PAYMENT = "/payagent 40.00 USD from CR900001 to Budi Santoso for Commission October"
READING = ("/balance", "/positions", "/quote GOLD", "/chart GOLD", "/connections", "/status", "/help")
DEALING = ("/alert", "/buy 1 GOLD", "/close")

PEOPLE = (
    Person(
        710_001,
        "Olga",
        "operator",
        "Operator",
        ("operator",),
        ("/transfer", *READING[:4], *DEALING, TRANSFER, PAYMENT, "/withdrawals", "/history", "/connect", *READING[4:]),
    ),
    Person(710_002, "Anna", "approver", "Approver", ("approver", "viewer"), (*READING, "/withdrawals", "/pending")),
    Person(
        710_003,
        "Ben",
        "second-approver",
        "Second approver",
        ("approver", "viewer"),
        (*READING, "/withdrawals", "/pending"),
    ),
    Person(710_004, "Vera", "viewer", "Viewer", ("viewer",), READING),
    Person(710_005, "Adam", "admin", "Admin", ("admin",), ("/people", "/role", "/invite viewer", "/pending", "/help")),
    Person(
        710_006,
        "Bea",
        "second-admin",
        "Second admin, auditor",
        ("admin", "auditor"),
        ("/audit", "/people", "/pending", "/status", "/help"),
    ),
)
GROUP = Group(-1_002_710_000_001, "Treasury desk")

OPERATOR = PEOPLE[0]
ADMINS = tuple(person for person in PEOPLE if "admin" in person.roles)
