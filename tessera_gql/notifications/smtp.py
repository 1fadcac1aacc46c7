"""Send e-mails over SMTP, encrypted and within a bounded time; a failure says whether to try again."""

import asyncio
from dataclasses import dataclass, field
from email.message import EmailMessage
from ssl import SSLContext

import aiosmtplib

from tessera_gql.config.channels import SmtpSecurity
from tessera_gql.notifications.message_text import to_line
from tessera_gql.notifications.outbound_http import DeliveryError

PERMANENT = 500
SENT = 250


@dataclass(frozen=True)
class SmtpOptions:
    """The mail server and the sender. `domains` are those to which e-mail may go; none are all."""

    host: str
    sender: str
    port: int = 587
    security: SmtpSecurity = SmtpSecurity.STARTTLS
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    domains: tuple[str, ...] = ()
    timeout_seconds: float = 20.0
    tls_context: SSLContext | None = None


async def send_email(mail: EmailMessage, options: SmtpOptions) -> int:
    """Send an e-mail to its one recipient and return the code of success; raises DeliveryError."""
    server = f"The mail server {options.host}:{options.port}"
    try:
        async with asyncio.timeout(options.timeout_seconds):
            await _send(mail, options)
    except TimeoutError:
        raise DeliveryError(f"{server} didn't take the message within {options.timeout_seconds:g} seconds.") from None
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refused_recipient(server, mail, error) from None
    except aiosmtplib.SMTPAuthenticationError as error:
        raise DeliveryError(
            f"{server} refused SMTP_USERNAME and SMTP_PASSWORD ({error.code}). Ask an administrator to correct them.",
            error.code,
        ) from None
    except aiosmtplib.SMTPResponseException as error:
        is_final = error.code >= PERMANENT and isinstance(error, aiosmtplib.SMTPDataError)
        raise DeliveryError(
            f"{server} refused the message: {error.code} {to_line(error.message, 200)}", error.code, is_final=is_final
        ) from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise DeliveryError(f"{server} can't be used: {to_line(str(error), 200) or type(error).__name__}.") from None
    return SENT


async def _send(mail: EmailMessage, options: SmtpOptions) -> None:
    client = aiosmtplib.SMTP(
        hostname=options.host,
        port=options.port,
        username=options.username,
        password=options.password,
        use_tls=options.security is SmtpSecurity.TLS,
        start_tls=options.security is SmtpSecurity.STARTTLS,
        timeout=options.timeout_seconds,
        tls_context=options.tls_context,
    )
    try:
        async with client:
            await client.send_message(mail)
    finally:
        client.close()


def _refused_recipient(server: str, mail: EmailMessage, error: aiosmtplib.SMTPRecipientsRefused) -> DeliveryError:
    """Describe a refused address: one that is refused for good is not tried again."""
    refused = error.recipients[0]
    is_final = refused.code >= PERMANENT
    next_step = (
        "Nothing is sent there again by itself. Correct the address with updateWebhook, then use redeliverWebhook."
        if is_final
        else "It is tried again."
    )
    return DeliveryError(
        f"{server} refused {mail['To']}: {refused.code} {to_line(refused.message, 200)}. {next_step}",
        refused.code,
        is_final=is_final,
    )
