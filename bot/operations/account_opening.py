"""Opening an account at Deriv, step by step.

What is answered lies sealed until the account is open, and is erased then, or when the form is given up. What Deriv is
asked on the way is in `account_calls.py`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bot.access.model import Person, Right, Roster
from bot.audit.service import Audit
from bot.clock import Clock
from bot.errors import (
    InputError,
    NotAllowedError,
    RefusedError,
    ReplyError,
    ScopeMissingError,
    SilentError,
)
from bot.ids import short_id
from bot.messages.cards import Cards, Draft
from bot.operations import account_form as forms
from bot.operations.account_calls import TOKEN, Calls, home, is_field, served
from bot.operations.account_form import Asking, Filled, Kind, Step
from bot.operations.changing import Changing
from bot.operations.connections import Connections
from bot.operations.credentials import Credentials, Wanted
from bot.operations.derivs import DerivDesk
from bot.operations.linking import Linked, Linking
from bot.ports import Deed
from bot.providers import deriv
from bot.providers.deriv import signup
from bot.providers.deriv.signup import Form
from bot.providers.deriv.wire.opening import State
from bot.providers.records import Environment
from bot.secret import Secret
from bot.store import Database, Tables
from bot.vault.service import Subject, Vault

KIND: Final = "openaccount"
SECRET: Final = "openaccount/secret"  # noqa: S105  # a kind of draft


class AccountOpening:
    """The form, from the first question to the account."""

    def __init__(
        self,
        database: Database,
        cards: Cards,
        vault: Vault,
        audit: Audit,
        connections: Connections,
        credentials: Credentials,
        linking: Linking,
        changing: Changing,
        derivs: DerivDesk,
        clock: Clock,
    ) -> None:
        self._database = database
        self._cards = cards
        self._vault = vault
        self._audit = audit
        self._connections = connections
        self._credentials = credentials
        self._linking = linking
        self._calls = Calls(connections, changing)
        self._derivs = derivs
        self._clock = clock

    async def begin(self, person: Person, word: str | None) -> Step:
        """A fresh form, through a login of the person's own.

        Raises:
            NotAllowedError: Not this person, or not through this login.
            NotFoundError: There is no login at Deriv.
        """
        if not person.may(Right.ASK):
            raise NotAllowedError(Right.ASK)
        connection = await self._derivs.meant(person, word)
        connection.check_own(person, "open accounts through")
        await self._linking.cancel(person)  # one thing is asked at a time
        await self.forget(person)
        live = connection.environment is Environment.LIVE
        return await self._save(person, Filled(short_id(), connection.id, connection.name, live))

    async def waiting(self, person: Person) -> Step | None:
        """The open question of this person's form, if there is one."""
        draft = await self._cards.draft(person.id)
        if draft is None or draft.kind not in (KIND, SECRET):
            return None
        return forms.next_step(forms.read(draft.body))

    async def answer(
        self, person: Person, said: str, roster: Roster, *, origin: str, telegram_id: int
    ) -> Step | Linked | None:
        """Take one answer: the next question, or the connection that was made; None: it is over without one.

        Args:
            origin: What the answer came with. The same twice is one answer, and never that to the next question.
        Raises:
            InputError: It does not fit; the question stands.
            RefusedError: Deriv did not take it. What was wrong is asked for again (`waiting`), if that can help.
            SilentError, ReplyError: It may be open, and nobody can say; the form is gone.
            ProviderError: Nothing was opened; the question stands.
        """
        step = await self.waiting(person)
        if step is None:
            return None
        if step.form.last == origin:
            return step
        form, text = replace(step.form, last=origin), said.strip()
        match step.asking:
            case Asking.KIND:
                return await self._kind_chosen(person, form, text, telegram_id)
            case Asking.COUNTRY:
                return await self._country_said(person, form, text, telegram_id)
            case Asking.PASSWORD:
                return await self._password_said(person, form, text, telegram_id)
            case Asking.ADDRESS:
                return await self._address_said(person, form, text, telegram_id)
            case Asking.CODE:
                return await self._code_said(person, form, text, telegram_id)
            case Asking.FIELD:
                return await self._field_said(person, form, step, text)
            case Asking.CURRENCY:
                code = text.upper()
                if code not in form.currencies:
                    raise InputError("please tap one of the currencies", form.currencies[0])
                return await self._save(person, replace(form, currency=code))
            case Asking.LOOK:
                if text.lower() != forms.OPEN:
                    raise InputError("tap Open it, or /cancel", "")
                return await self._open(person, form, telegram_id)
            case Asking.LINK:
                return await self._link_or_not(person, form, text, roster, telegram_id)

    async def told(self, person: Person) -> Mapping[str, str]:
        """What was answered so far, by Deriv's names of the fields, without what is secret."""
        step, sealed = await self.waiting(person), await self._vault.open(_subject(person))
        given = step.form.given if step is not None else ()
        return {key: sealed[key].reveal() for key in given if is_field(key) and not signup.blank(key).secret}

    async def forget(self, person: Person) -> None:
        """Everything that was answered is erased."""
        await self._vault.erase(_subject(person).name)

    async def prune(self) -> int:
        """Erase what is sealed for forms that are no more; answers for how many people there was something."""

        def change(tables: Tables) -> int:
            left = tables.conn.execute(
                "SELECT DISTINCT subject FROM sealed WHERE subject LIKE 'opening/%'"
                " AND person_id NOT IN (SELECT person_id FROM drafts WHERE kind IN (?, ?))",
                (KIND, SECRET),
            ).fetchall()
            for (subject,) in left:
                self._vault.erasing(subject)(tables)
            return len(left)

        return await self._database.write(change)

    # -- answers ---------------------------------------------------------------------------------------------

    async def _kind_chosen(self, person: Person, form: Filled, text: str, telegram_id: int) -> Step:
        if text not in [kind.value for kind in Kind]:
            raise InputError("please tap one of the buttons", "")
        kind = Kind(text)
        if kind is Kind.MORE:
            return await self._open(person, replace(form, kind=kind), telegram_id)
        async with self._calls.reading(form) as binary:
            if kind is Kind.REAL:
                await binary.opening.check_may_open_real()
            lives = await home(binary)
            form = replace(form, kind=kind)
            if lives is not None:
                form = replace(form, home=lives.code, home_name=lives.name)
            if kind is Kind.REAL and form.live and lives is not None:
                form = await served(binary, form, lives)
        return await self._save(person, form)

    async def _country_said(self, person: Person, form: Filled, text: str, telegram_id: int) -> Step:
        async with self._calls.reading(form) as binary:
            lives = signup.country_in(await binary.opening.residences(), text)
            if not lives.can_sign_up:
                raise InputError(f"Deriv opens no accounts for people who live in {lives.name}", "")
            if form.kind is Kind.REAL:
                form = await served(binary, form, lives)
            else:
                form = forms.living_in(form, lives)
        return await self._save_or_open(person, form, telegram_id)

    async def _password_said(self, person: Person, form: Filled, text: str, telegram_id: int) -> Step:
        password = f"Aa1{secrets.token_urlsafe(15)}" if text == forms.MAKE else text
        if not signup.PASSWORD.fullmatch(password):
            raise InputError(
                "Deriv wants 8 to 25 characters, a small letter, a capital and a digit among them; send it again, or "
                "tap the button",
                "",
            )
        await self._vault.keep(_subject(person), {Asking.PASSWORD: Secret(password)})
        return await self._save_or_open(person, forms.with_given(form, Asking.PASSWORD), telegram_id)

    async def _address_said(self, person: Person, form: Filled, text: str, telegram_id: int) -> Step:
        if not signup.EMAIL.fullmatch(text):
            raise InputError("that is no e-mail address", "name@example.org")
        await self._calls.mail(person, form, text, telegram_id)
        await self._vault.keep(_subject(person), {Asking.ADDRESS: Secret(text)})
        return await self._save(person, forms.with_given(form, Asking.ADDRESS))

    async def _code_said(self, person: Person, form: Filled, text: str, telegram_id: int) -> Step:
        if text == forms.AGAIN:
            sealed = await self._vault.open(_subject(person))
            await self._calls.mail(person, form, sealed[Asking.ADDRESS].reveal(), telegram_id)
            return await self._save(person, form)
        if not signup.MAILED.fullmatch(text):
            raise InputError("a code is eight letters and digits, or more; send it alone", "")
        await self._vault.keep(_subject(person), {Asking.CODE: Secret(text)})
        return await self._save_or_open(person, forms.with_given(form, Asking.CODE), telegram_id)

    async def _field_said(self, person: Person, form: Filled, step: Step, text: str) -> Step:
        field = step.field
        if field is None:
            raise InputError("nothing is being asked", "/openaccount")
        if text == forms.SKIP and step.is_optional:
            return await self._save(person, replace(form, skipped=(*form.skipped, field.key)))
        if field.form is Form.COUNTRY:
            async with self._calls.reading(form) as binary:
                value: str | int = signup.country_in(await binary.opening.residences(), text).code
        else:
            states = [State(code, name) for code, name in form.states]
            value = signup.written(field, text, self._clock.now().date(), form.youngest, states)
        await self._vault.keep(_subject(person), {field.key: Secret(str(value))})
        return await self._save(person, forms.with_given(form, field.key))

    async def _link_or_not(
        self, person: Person, form: Filled, text: str, roster: Roster, telegram_id: int
    ) -> Linked | None:
        if text.lower() not in (forms.LINK, forms.NO):
            raise InputError("tap one of the buttons", "")
        linked = None
        if text.lower() == forms.LINK:
            through = await self._connections.numbered(form.connection)
            login = await self._vault.open(through.subject)  # the token is good with the app it was made by
            fields = {"app_id": login["app_id"], "token": (await self._vault.open(_subject(person)))[TOKEN]}
            environment = Environment.LIVE if form.opened_live else Environment.DEMO
            wanted = Wanted(deriv.SPEC.name, form.opened.lower(), environment, fields)
            linked = Linked(*await self._credentials.link(person, wanted, roster, telegram_id=telegram_id))
        await self._end(person)
        return linked

    # -- opening ---------------------------------------------------------------------------------------------

    async def _save_or_open(self, person: Person, form: Filled, telegram_id: int) -> Step:
        if forms.next_step(form) is None:
            return await self._open(person, form, telegram_id)
        return await self._save(person, form)

    async def _open(self, person: Person, form: Filled, telegram_id: int) -> Step:
        """With a refusal, what was refused is taken out of the form before it is raised."""
        connection = await self._connections.numbered(form.connection)
        try:
            sealed = await self._vault.open(_subject(person))
            opened = await self._calls.open(person, form, connection, sealed, telegram_id)
        except (ScopeMissingError, SilentError, ReplyError):
            await self._end(person)
            raise
        except RefusedError as error:
            left = forms.after(form, signup.refusal_of(error))
            if left is None or form.kind is Kind.MORE:
                await self._end(person)
            else:
                await self._save(person, left)
            raise
        form = replace(form, opened=opened.account, opened_live=form.kind is Kind.REAL)
        deed = Deed(
            "account.opened",
            f"connection/{connection.id}",
            person.id,
            telegram_id,
            {"connection": connection.name, "account": opened.account},
        )

        def change(tables: Tables) -> None:
            self._vault.erasing(_subject(person).name)(tables)
            self._vault.keeping(_subject(person), {TOKEN: opened.token})(tables)
            self._cards.saving(tables, Draft(person.id, KIND, forms.packed(form)))
            self._audit.record(tables, deed)

        await self._database.write(change)
        return _asked(form)

    # -- rows ------------------------------------------------------------------------------------------------

    async def _save(self, person: Person, form: Filled) -> Step:
        step = _asked(form)
        await self._cards.save(Draft(person.id, SECRET if step.asks_secret else KIND, forms.packed(form)))
        return step

    async def _end(self, person: Person) -> None:
        await self.forget(person)
        await self._cards.drop(person.id)


def _asked(form: Filled) -> Step:
    """The next question of a form that is not ready."""
    step = forms.next_step(form)
    if step is None:
        raise InputError("nothing is being asked", "/openaccount")
    return step


def _subject(person: Person) -> Subject:
    return Subject(f"opening/{person.id}", person.id, "opening", "opening", "opening")
