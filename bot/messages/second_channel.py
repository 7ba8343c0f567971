"""Ways to reach people without Telegram: e-mail, a webhook, a program of the desk's own (SAFETY R15).

Each takes a subject and a text and raises `OSError` when it was not taken. None of them says more than it is given, and
no reason names what is secret about the way: an address, a login, what a program printed.
"""

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import partial

from bot.config import SecondChannelConfig
from bot.config.model import Mail
from bot.secret import Secret

SECONDS = 20.0
"""So long one way may take."""
Way = Callable[[str, str], Awaitable[None]]


def ways_of(config: SecondChannelConfig) -> Mapping[str, Way]:
    """Those that the configuration names."""
    ways: dict[str, Way] = {}
    if config.email is not None:
        ways["e-mail"] = partial(_mailed, config.email, config.password)
    if config.webhook is not None:
        ways["webhook"] = partial(_posted, config.webhook)
    if config.command:
        ways["command"] = partial(_run, config)
    return ways


async def _mailed(mail: Mail, password: Secret | None, subject: str, text: str) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, mail.sender, ", ".join(mail.to)
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=mail.sender.rpartition("@")[2])
    message.set_content(text)
    await asyncio.to_thread(_handed_over, mail, password, message)


def _handed_over(mail: Mail, password: Secret | None, message: EmailMessage) -> None:
    """Speak to the server; everything it may say against it is an `OSError`, as `SMTPException` is one."""
    context = ssl.create_default_context()
    if mail.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=SECONDS)
    with server:
        if mail.security == "starttls":
            server.starttls(context=context)
        if mail.user is not None and password is not None:
            server.login(mail.user, password.reveal())
        refused = server.send_message(message)
    if refused:
        raise OSError(f"{len(refused)} of {len(mail.to)} addresses not taken")


async def _posted(address: Secret, subject: str, text: str) -> None:
    import httpx

    try:
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
            answer = await client.post(address.reveal(), json={"subject": subject, "text": f"{subject}\n{text}"})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(type(error).__name__) from None
    if not answer.is_success:
        raise OSError(f"answered {answer.status_code}")


async def _run(config: SecondChannelConfig, subject: str, text: str) -> None:
    """The subject is its last word, the text comes on its standard input; what it says is not looked at."""
    quiet = asyncio.subprocess.DEVNULL
    program = await asyncio.create_subprocess_exec(
        *config.command, subject, stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet, cwd=config.folder
    )
    try:
        async with asyncio.timeout(SECONDS):
            with contextlib.suppress(ConnectionError):  # it need not read
                await program.communicate(text.encode())
            code = await program.wait()
    except TimeoutError:
        raise OSError(f"not done after {SECONDS:.0f} s") from None
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    if code:
        raise OSError(f"ended with {code}")
