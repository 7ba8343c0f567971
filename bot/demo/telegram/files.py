"""Photos and documents: how they are sent and how large a picture is.

Source: Telegram Bot API, sections "Sending files", "sendPhoto", "sendDocument", "PhotoSize", "Document".
"""

import struct

from bot.demo.telegram.model import Obj, Upload, bad
from bot.demo.telegram.parameters import Parameters
from bot.demo.telegram.world import StoredFile, World

MAX_PHOTO_BYTES = 10 * 1000 * 1000
MAX_UPLOAD_BYTES = 50 * 1000 * 1000
MAX_DOWNLOAD_BYTES = 20 * 1000 * 1000


def received(world: World, call: Parameters, name: str) -> StoredFile:
    """The file of parameter `name`: uploaded under that name, `attach://` another one, or the id of a known file.

    Raises:
        ApiError: None of these; the simulator fetches no addresses.
    """
    upload = call.files.get(name)
    return _kept(world, upload) if upload is not None else named(world, call, call.text(name), name)


def named(world: World, call: Parameters, value: str, name: str) -> StoredFile:
    """What `value`, given for `name`, stands for: an upload of this call, or a file that is known."""
    upload = call.files.get(value.removeprefix("attach://"))
    if upload is not None:
        return _kept(world, upload)
    if not value:
        raise bad(f"there is no {name} in the request")
    if value not in world.files:
        raise bad("wrong file identifier/HTTP URL specified")
    return world.files[value]


def _kept(world: World, upload: Upload) -> StoredFile:
    if not upload.content:
        raise bad("file must be non-empty")
    if len(upload.content) > MAX_UPLOAD_BYTES:
        raise bad("file is too big")
    return world.keep_file(upload.name, upload.media_type, upload.content)


def document(stored: StoredFile) -> Obj:
    """The content of a message with a document."""
    return {
        "document": {
            "file_name": stored.name,
            "mime_type": stored.media_type,
            "file_id": stored.id,
            "file_unique_id": stored.unique_id,
            "file_size": len(stored.content),
        }
    }


def photo(stored: StoredFile) -> Obj:
    """The content of a message with a photo.

    Raises:
        ApiError: Too large, or neither PNG nor JPEG.
    """
    if len(stored.content) > MAX_PHOTO_BYTES:
        raise bad("file is too big")
    size = picture_size(stored.content)
    if size is None:
        raise bad("IMAGE_PROCESS_FAILED")
    return {
        "photo": [
            {
                "file_id": stored.id,
                "file_unique_id": stored.unique_id,
                "file_size": len(stored.content),
                "width": size[0],
                "height": size[1],
            }
        ]
    }


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG or JPEG; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    return _jpeg_size(content) if content.startswith(b"\xff\xd8") else None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    return None
