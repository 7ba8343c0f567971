"""What a person may be called, and whom a word names. Pure.

Two names that look alike cannot stand side by side: whoever approves must know whose request it is (SAFETY F31).
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from bot.access.model import Person, Role
from bot.errors import InputError, NotFoundError

LONGEST = 64
GROUP = re.compile(r"[a-z0-9][a-z0-9_-]{0,23}", re.ASCII)
_DRAWN_LIKE = """
аa бb вb гr еe ёe зe иn йn кk мm нh оo пn рp сc тt уy хx ѕs іi їi јj ԁd ԛq ԝw һh ӏl єe
αa βb γy εe ζz ηn ιi κk μm νv οo ρp τt υu χx ωw σo ɑa ıi ſs łl đd øo ßb æa œo
0o 1l 2z 3e 4a 5s 6b 7t 8b 9g $s @a !l |l
"""
"""After case folding and decomposition: the letter or sign, and the Latin letter it is drawn like."""
_LATIN = str.maketrans({pair[0]: pair[1] for pair in _DRAWN_LIKE.split()})


_FILLER = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and signs that show nothing."""


def suggested(text: str) -> str:
    """The nearest thing to `text` that may be a name; empty when nothing is left of it."""
    shown = "".join(one if one.isprintable() else " " for one in unicodedata.normalize("NFC", text))
    name = " ".join(shown.split())[:LONGEST].strip()
    return name if _is_name(name) else ""


def checked(text: str) -> str:
    """A name as it is kept. `InputError` unless it is 1 to 64 printable characters, at least one of them a letter."""
    name = " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()
    if not _is_name(name):
        reason = f"a name is 1 to {LONGEST} printable characters on one line, with a letter among them"
        raise InputError(reason, "Olga Petrova")
    return " ".join(name.split())


def _is_name(name: str) -> bool:
    return (
        1 <= len(name) <= LONGEST
        and name.isprintable()
        and any(map(str.isalpha, name))
        and not name.startswith(("/", "@"))
        and not _FILLER & set(name)
        and all(map(_may_follow, name, f" {name}"))
    )


def _may_follow(one: str, before: str) -> bool:
    """Whether a mark stands on a letter that needs it to be written; where a whole letter exists, that is used."""
    category = unicodedata.category(one)
    if category not in ("Mn", "Mc"):
        return category != "Me"
    stands = before.isalpha() or unicodedata.category(before) in ("Mn", "Mc")
    return stands and not unicodedata.name(before, "").startswith(("LATIN", "GREEK", "CYRILLIC"))


def check_free(name: str, taken: Iterable[str]) -> None:
    """`InputError` when somebody has a name that looks like this one."""
    drawn = skeleton(name)
    if any(skeleton(other) == drawn for other in taken):
        raise InputError("somebody here has a name that looks the same; choose another one", f"{name[:50]} B.")


def skeleton(name: str) -> str:
    """What is left of a name when everything is dropped that an eye may miss: two that look alike are equal."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    letters = "".join(one for one in plain.translate(_LATIN) if one.isalnum())
    return letters.replace("rn", "m").replace("vv", "w").replace("i", "l")


def check_group(word: str) -> str:
    """An approver group's name, in small letters. `InputError` unless it is one short word, and no role's."""
    name = word.lower()
    if not GROUP.fullmatch(name) or name in set(Role):
        reason = "an approver group is one short word of small letters, digits, - or _, and no role's name"
        raise InputError(reason, "finance")
    return name


def meant(people: Sequence[Person], words: str) -> list[Person]:
    """Everybody whose number, name, or one word of it that is: the best of these fits counts."""
    wanted = words.strip().casefold()
    for fits in (_is_number, _is_name_of, _is_word_of):
        found = [person for person in people if fits(person, wanted)]
        if found:
            return found
    return []


def perhaps_meant(people: Sequence[Person], words: str) -> list[Person]:
    """Whose name begins like that, or is nearly that.

    Raises:
        NotFoundError: Nobody's; `known` are the names there are.
    """
    wanted = words.strip().casefold()
    begun = [person for person in people if any(word.startswith(wanted) for word in person.name.casefold().split())]
    near = difflib.get_close_matches(wanted, [person.name.casefold() for person in people])
    found = begun or [person for person in people if person.name.casefold() in near]
    if not wanted or not found:
        raise NotFoundError("person", words, tuple(person.name for person in people))
    return found


def _is_number(person: Person, wanted: str) -> bool:
    return wanted == str(person.id)


def _is_name_of(person: Person, wanted: str) -> bool:
    return wanted == person.name.casefold()


def _is_word_of(person: Person, wanted: str) -> bool:
    return wanted in person.name.casefold().split()
