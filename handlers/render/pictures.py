"""Pictures, made in memory."""

from io import BytesIO

_PIXELS_OF_A_DOT = 8
_QUIET_DOTS = 4


def qr_code(text: str) -> bytes:
    """A PNG that a phone's camera reads as `text`."""
    import segno  # drawn now and then: not every start need wait for it

    picture = BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="png", scale=_PIXELS_OF_A_DOT, border=_QUIET_DOTS)
    return picture.getvalue()
