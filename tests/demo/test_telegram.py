"""What the bot may ask of Telegram: each write, and the reads that show it."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from bot.demo.telegram import make
from bot.loopback.server import serving
from tests.demo.conftest import ANNA, DESK, OLGA, Telegram

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
KEYS = {"inline_keyboard": [[{"text": "Refresh", "callback_data": "r:1"}]]}


async def test_the_bot_learns_who_it_is(telegram: Telegram) -> None:
    me = await telegram.got("getMe")
    assert me["is_bot"]
    assert str(me["id"]) == telegram.token.partition(":")[0]
    assert len(telegram.token.partition(":")[2]) == 35


@pytest.mark.parametrize(
    ("path", "code", "why"),
    [
        ("/bot1234567:wrong/getMe", 401, "Unauthorized"),
        ("/botnonsense/getMe", 404, "Not Found"),
        ("/elsewhere", 404, "Not Found"),
        ("/file/bot1234567:wrong/documents/x", 401, "Unauthorized"),
    ],
)
async def test_a_wrong_token_opens_nothing(telegram: Telegram, path: str, code: int, why: str) -> None:
    answer = await telegram.http.get(telegram.origin + path)
    assert answer.status_code == code
    assert answer.json() == {"ok": False, "error_code": code, "description": why}


async def test_an_unknown_method_is_not_found_and_case_does_not_matter(telegram: Telegram) -> None:
    assert await telegram.refused("makeCoffee") == (404, "Not Found: method not found")
    assert (await telegram.got("GETME"))["is_bot"]


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"chat_id": OLGA, "text": "hi & ho", "reply_markup": KEYS}},
        {"data": {"chat_id": str(OLGA), "text": "hi & ho", "reply_markup": json.dumps(KEYS)}},
        {"params": {"chat_id": str(OLGA), "text": "hi & ho", "reply_markup": json.dumps(KEYS)}},
        {
            "files": {
                "chat_id": (None, str(OLGA)),
                "text": (None, "hi & ho"),
                "reply_markup": (None, json.dumps(KEYS)),
            }
        },
    ],
    ids=["json", "urlencoded", "query", "multipart"],
)
async def test_parameters_come_in_four_ways(telegram: Telegram, request_: dict[str, Any]) -> None:
    answer = await telegram.http.post(f"{telegram.origin}/bot{telegram.token}/sendMessage", **request_)
    message = answer.json()["result"]
    assert message["text"] == "hi & ho"
    assert message["reply_markup"] == KEYS


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[1]"),
        ("application/json", b"[" * 100_000),
        ("application/json", b"\xff\xfe"),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"garbage"),
        ("application/x-www-form-urlencoded", b"chat_id=%ff%fe&text=x"),
        ("application/x-www-form-urlencoded", b"chat_id=501&text=x&reply_markup={{"),
        ("application/x-www-form-urlencoded", b"chat_id=501&text=x&reply_markup=" + b"[" * 50_000),
        ("application/json", b'{"chat_id":501,"text":"x","reply_parameters":{"message_id":[1]}}'),
        ("application/json", b'{"chat_id":501,"text":"x","entities":{}}'),
        ("application/json", b'{"chat_id":501,"text":"x","reply_markup":{"inline_keyboard":[[{"text":["x"]}]]}}'),
        ("application/json", b'{"chat_id":501,"text":"x","reply_markup":{"inline_keyboard":[[7]]}}'),
        ("application/json", b'{"chat_id":[501],"text":"x"}'),
    ],
)
async def test_hostile_requests_are_refused_and_nothing_breaks(
    telegram: Telegram, content_type: str, body: bytes
) -> None:
    answer = await telegram.http.post(
        f"{telegram.origin}/bot{telegram.token}/sendMessage", content=body, headers={"content-type": content_type}
    )
    assert answer.status_code == 400
    assert answer.json()["error_code"] == 400
    assert await telegram.chat(OLGA) == []


async def test_a_sent_message_shows_in_chat_ledger_and_deliveries(telegram: Telegram) -> None:
    sent = await telegram.got("sendMessage", chat_id=OLGA, text="<b>42</b>", parse_mode="HTML", protect_content=True)
    number = int(telegram.token.partition(":")[0])
    assert sent["from"] == {
        "id": number, "is_bot": True, "first_name": "Countersign", "username": "countersign_demo_bot"
    }  # fmt: skip
    assert sent["chat"] == {"id": OLGA, "first_name": "Olga", "username": "olga", "type": "private"}
    assert sent["date"] == 1772442000
    assert sent["has_protected_content"]
    assert await telegram.chat(OLGA) == [sent]
    assert await telegram.chat(ANNA) == []
    (entry,) = (await telegram.look("ledger"))["entries"]
    assert (entry["kind"], entry["to"], entry["reference"]) == ("message", str(OLGA), str(sent["message_id"]))
    (delivery,) = (await telegram.look("deliveries", method="sendMessage"))["deliveries"]
    assert delivery["ok"]
    assert delivery["params"]["text"] == "<b>42</b>"
    assert delivery["at_ms"] == 1772442000000
    assert (await telegram.look("deliveries", since=1772442000001))["deliveries"] == []


async def test_refused_calls_are_recorded_as_refused(telegram: Telegram) -> None:
    await telegram.refused("sendMessage", chat_id=404, text="x")
    (delivery,) = (await telegram.look("deliveries"))["deliveries"]
    assert not delivery["ok"]
    assert delivery["error"] == "400 Bad Request: chat not found"
    assert (await telegram.look("ledger"))["entries"] == []


@pytest.mark.parametrize(
    ("chat", "code", "why"),
    [
        (404, 400, "Bad Request: chat not found"),
        ("@olga", 400, "Bad Request: chat not found"),
        ("", 400, "Bad Request: chat_id is empty"),
        (ANNA, 403, "Forbidden: bot can't initiate conversation with a user"),
        (-77, 403, "Forbidden: bot is not a member of the group chat"),
    ],
)
async def test_messages_reach_only_chats_that_are_open(telegram: Telegram, chat: Any, code: int, why: str) -> None:
    await telegram.play(
        "people",
        people=[{"id": ANNA, "first_name": "Anna", "started": False}],
        groups=[{"id": -77, "title": "Elsewhere", "members": [OLGA], "bot": False}],
    )
    assert await telegram.refused("sendMessage", chat_id=chat, text="x") == (code, why)


async def test_a_person_who_blocks_the_bot_is_out_of_reach_until_they_write_again(telegram: Telegram) -> None:
    await telegram.play("block", user=OLGA)
    refused = await telegram.refused("sendMessage", chat_id=OLGA, text="x")
    assert refused == (403, "Forbidden: bot was blocked by the user")
    (update,) = await telegram.got("getUpdates")
    assert update["my_chat_member"]["new_chat_member"]["status"] == "kicked"
    assert (await telegram.look("chat", id=OLGA))["blocked"]
    await telegram.play("send", **{"from": OLGA}, chat=OLGA, text="/start")
    assert (await telegram.got("sendMessage", chat_id=OLGA, text="x"))["text"] == "x"


async def test_what_a_person_writes_reaches_chat_and_bot(telegram: Telegram) -> None:
    sent = await telegram.play("send", **{"from": ANNA}, chat=DESK, text="/balance main")
    (update,) = await telegram.got("getUpdates")
    assert update["update_id"] == sent["update_id"]
    message = update["message"]
    assert message["message_id"] == sent["message_id"]
    assert message["from"] == {
        "id": ANNA, "is_bot": False, "first_name": "Anna", "last_name": "Berg", "language_code": "en"
    }  # fmt: skip
    assert message["chat"] == {"id": DESK, "title": "Treasury desk", "type": "supergroup"}
    assert message["entities"] == [{"offset": 0, "length": 8, "type": "bot_command"}]
    assert await telegram.chat(DESK) == [message]


async def test_extra_fields_make_messages_of_any_kind(telegram: Telegram) -> None:
    origin = {"type": "hidden_user", "sender_user_name": "X", "date": 1}
    await telegram.play("send", **{"from": OLGA}, chat=OLGA, text="/x", message={"forward_origin": origin})
    (update,) = await telegram.got("getUpdates")
    assert update["message"]["forward_origin"] == origin


async def test_a_document_of_a_person_can_be_fetched_by_the_bot(telegram: Telegram) -> None:
    place: dict[str, Any] = {"from": OLGA, "chat": OLGA, "name": "invoice.csv", "caption": "No. 4711"}
    kind = {"content-type": "text/csv"}
    sent = await telegram.http.post(f"{telegram.origin}/_sim/upload", params=place, content=b"a;b", headers=kind)
    (update,) = await telegram.got("getUpdates")
    assert update["update_id"] == sent.json()["update_id"]
    assert await telegram.chat(OLGA) == [update["message"]]
    document = update["message"]["document"]
    assert update["message"]["caption"] == "No. 4711"
    assert (document["file_name"], document["mime_type"], document["file_size"]) == ("invoice.csv", "text/csv", 3)
    file = await telegram.got("getFile", file_id=document["file_id"])
    content = await telegram.http.get(f"{telegram.origin}/file/bot{telegram.token}/{file['file_path']}")
    assert content.content == b"a;b"
    for wrong in ({"chat": "nobody"}, {"from": ""}, {"chat": -5}):
        refused = await telegram.http.post(f"{telegram.origin}/_sim/upload", params=place | wrong, content=b"a;b")
        assert refused.status_code == 400
    large = await telegram.http.post(f"{telegram.origin}/_sim/upload", params=place, content=bytes(20_000_001))
    assert large.status_code == 413
    assert len(await telegram.chat(OLGA)) == 1


async def test_a_stranger_may_write_too(telegram: Telegram) -> None:
    await telegram.play("send", **{"from": 666}, chat=666, text="/balance")
    (update,) = await telegram.got("getUpdates")
    assert update["message"]["from"]["id"] == 666
    assert update["message"]["chat"]["type"] == "private"


async def test_a_persons_edit_shows_in_the_chat_and_comes_as_edited_message(telegram: Telegram) -> None:
    sent = await telegram.play("send", **{"from": OLGA}, chat=OLGA, text="/balanec")
    said = {"from": OLGA, "chat": OLGA, "message_id": sent["message_id"], "text": "/balance"}
    await telegram.play("edit", **said)
    update = (await telegram.got("getUpdates"))[-1]
    assert update["edited_message"]["text"] == "/balance"
    assert update["edited_message"]["edit_date"]
    assert [each["text"] for each in await telegram.chat(OLGA)] == ["/balance"]
    other = await telegram.http.post(f"{telegram.origin}/_sim/edit", json={**said, "from": ANNA})
    assert other.status_code == 400


async def test_a_person_deletes_their_own_message_and_the_bot_is_not_told(telegram: Telegram) -> None:
    sent = await telegram.play("send", **{"from": OLGA}, chat=OLGA, text="slip of the tongue")
    place = {"from": OLGA, "chat": OLGA, "message_id": sent["message_id"]}
    other = await telegram.http.post(f"{telegram.origin}/_sim/delete", json={**place, "from": ANNA})
    assert other.status_code == 400
    await telegram.play("delete", **place)
    assert await telegram.chat(OLGA) == []
    assert [set(each) for each in await telegram.got("getUpdates")] == [{"update_id", "message"}]


async def test_replies_carry_what_they_answer(telegram: Telegram) -> None:
    asked = await telegram.play("send", **{"from": OLGA}, chat=OLGA, text="/balance")
    answer = await telegram.got(
        "sendMessage", chat_id=OLGA, text="42", reply_parameters={"message_id": asked["message_id"]}
    )
    assert answer["reply_to_message"]["text"] == "/balance"
    again = await telegram.play("send", **{"from": OLGA}, chat=OLGA, text="thanks", reply_to=answer["message_id"])
    shown = (await telegram.chat(OLGA))[-1]
    assert shown["message_id"] == again["message_id"]
    assert shown["reply_to_message"]["text"] == "42"
    gone = {"message_id": 9999}
    refused = await telegram.refused("sendMessage", chat_id=OLGA, text="x", reply_parameters=gone)
    assert refused == (400, "Bad Request: message to be replied not found")
    lenient = {**gone, "allow_sending_without_reply": True}
    assert "reply_to_message" not in await telegram.got("sendMessage", chat_id=OLGA, text="x", reply_parameters=lenient)


async def test_an_edit_replaces_text_and_keyboard(telegram: Telegram) -> None:
    sent = await telegram.got("sendMessage", chat_id=OLGA, text="old", reply_markup=KEYS)
    place = {"chat_id": OLGA, "message_id": sent["message_id"]}
    changed = await telegram.got("editMessageText", **place, text="<i>new</i>", parse_mode="HTML")
    assert changed["text"] == "new"
    assert changed["entities"] == [{"offset": 0, "length": 3, "type": "italic"}]
    assert "reply_markup" not in changed
    assert changed["edit_date"]
    assert await telegram.chat(OLGA) == [changed]


async def test_a_keyboard_can_be_changed_alone(telegram: Telegram) -> None:
    sent = await telegram.got("sendMessage", chat_id=OLGA, text="card", reply_markup=KEYS)
    place = {"chat_id": OLGA, "message_id": sent["message_id"]}
    await telegram.got("editMessageReplyMarkup", **place)
    (shown,) = await telegram.chat(OLGA)
    assert shown["text"] == "card"
    assert "reply_markup" not in shown
    await telegram.got("editMessageReplyMarkup", **place, reply_markup=KEYS)
    assert (await telegram.chat(OLGA))[0]["reply_markup"] == KEYS


async def test_edits_that_cannot_be(telegram: Telegram) -> None:
    sent = await telegram.got("sendMessage", chat_id=OLGA, text="same", reply_markup=KEYS)
    place = {"chat_id": OLGA, "message_id": sent["message_id"]}
    code, why = await telegram.refused("editMessageText", **place, text="same", reply_markup=KEYS)
    assert code == 400
    assert why.startswith("Bad Request: message is not modified")
    code, why = await telegram.refused("editMessageReplyMarkup", **place, reply_markup=KEYS)
    assert why.startswith("Bad Request: message is not modified")
    refused = await telegram.refused("editMessageText", chat_id=OLGA, message_id=9999, text="x")
    assert refused == (400, "Bad Request: message to edit not found")
    theirs = await telegram.play("send", **{"from": OLGA}, chat=OLGA, text="mine")
    refused = await telegram.refused("editMessageText", chat_id=OLGA, message_id=theirs["message_id"], text="x")
    assert refused == (400, "Bad Request: message can't be edited")


async def test_deleted_messages_are_gone(telegram: Telegram) -> None:
    mine = await telegram.got("sendMessage", chat_id=OLGA, text="mine")
    theirs = await telegram.play("send", **{"from": OLGA}, chat=OLGA, text="a secret")
    place = {"chat_id": OLGA, "message_id": mine["message_id"]}
    assert await telegram.got("deleteMessage", **place) is True
    assert await telegram.got("deleteMessages", chat_id=OLGA, message_ids=[theirs["message_id"], 9999]) is True
    assert await telegram.chat(OLGA) == []
    assert await telegram.refused("deleteMessage", **place) == (400, "Bad Request: message to delete not found")
    assert (await telegram.refused("editMessageText", **place, text="x"))[1] == "Bad Request: message to edit not found"


async def test_messages_of_48_hours_and_of_others_in_groups_stay(telegram: Telegram) -> None:
    theirs = await telegram.play("send", **{"from": OLGA}, chat=DESK, text="mine")
    refused = await telegram.refused("deleteMessage", chat_id=DESK, message_id=theirs["message_id"])
    assert refused == (400, "Bad Request: message can't be deleted")
    old = await telegram.got("sendMessage", chat_id=OLGA, text="old")
    await telegram.clock.move(48 * 3600)
    refused = await telegram.refused("deleteMessage", chat_id=OLGA, message_id=old["message_id"])
    assert refused == (400, "Bad Request: message can't be deleted")
    assert len(await telegram.chat(DESK)) == 1


async def test_a_tap_arrives_with_the_message_and_can_be_answered(telegram: Telegram) -> None:
    card = await telegram.got("sendMessage", chat_id=DESK, text="card", reply_markup=KEYS)
    tap = await telegram.play("tap", **{"from": ANNA}, chat=DESK, message_id=card["message_id"], data="r:1")
    (update,) = await telegram.got("getUpdates")
    query = update["callback_query"]
    assert query["id"] == tap["callback_query_id"]
    assert query["from"]["id"] == ANNA
    assert query["data"] == "r:1"
    assert query["message"] == card
    await telegram.got("answerCallbackQuery", callback_query_id=query["id"], text="Done", show_alert=True)
    (answer,) = (await telegram.look("answers"))["answers"]
    assert (answer["user"], answer["text"], answer["show_alert"]) == (ANNA, "Done", True)


async def test_a_tap_on_a_deleted_message_says_so(telegram: Telegram) -> None:
    await telegram.play("tap", **{"from": ANNA}, chat=DESK, message_id=77, data="anything at all")
    (update,) = await telegram.got("getUpdates")
    assert update["callback_query"]["message"]["date"] == 0


async def test_old_and_unknown_queries_cannot_be_answered(telegram: Telegram) -> None:
    card = await telegram.got("sendMessage", chat_id=OLGA, text="card", reply_markup=KEYS)
    tap = await telegram.play("tap", **{"from": OLGA}, chat=OLGA, message_id=card["message_id"], data="r:1")
    too_old = (400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
    assert await telegram.refused("answerCallbackQuery", callback_query_id="12345") == too_old
    await telegram.clock.move(61)
    assert await telegram.refused("answerCallbackQuery", callback_query_id=tap["callback_query_id"]) == too_old
    assert (await telegram.look("answers"))["answers"] == []


@pytest.mark.parametrize(
    ("button", "why"),
    [
        ({"text": "x", "callback_data": "a" * 65}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "callback_data": "é" * 33}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "url": "ftp://x"}, "BUTTON_URL_INVALID"),
        ({"text": "x", "copy_text": {"text": "y" * 257}}, "BUTTON_COPY_TEXT_INVALID"),
        ({"text": "x"}, "Text buttons are unallowed"),
        ({"text": "", "callback_data": "a"}, "non-empty"),
        ({"text": "x", "callback_data": "a", "style": "loud"}, "invalid button style"),
    ],
)
async def test_buttons_the_server_refuses(telegram: Telegram, button: dict[str, Any], why: str) -> None:
    code, said = await telegram.refused(
        "sendMessage", chat_id=OLGA, text="x", reply_markup={"inline_keyboard": [[button]]}
    )
    assert code == 400
    assert why in said
    assert await telegram.chat(OLGA) == []


@pytest.mark.parametrize("data", ["a" * 64, "é" * 32])
async def test_callback_data_may_have_64_bytes(telegram: Telegram, data: str) -> None:
    keys = {"inline_keyboard": [[{"text": "x", "callback_data": data, "style": "danger"}]]}
    assert (await telegram.got("sendMessage", chat_id=OLGA, text="x", reply_markup=keys))["reply_markup"] == keys


async def test_documents_and_photos_can_be_fetched_again(telegram: Telegram) -> None:
    base = f"{telegram.origin}/bot{telegram.token}"
    sheet = {"document": ("statement.csv", b"a;b\r\n\r\n--1;2\r\n", "text/csv")}
    sent = (
        await telegram.http.post(f"{base}/sendDocument", data={"chat_id": OLGA, "caption": "May"}, files=sheet)
    ).json()
    document = sent["result"]["document"]
    assert (document["file_name"], document["mime_type"], document["file_size"]) == ("statement.csv", "text/csv", 14)
    assert sent["result"]["caption"] == "May"
    picture = {"photo": ("chart.png", PIXEL, "image/png")}
    photo = (await telegram.http.post(f"{base}/sendPhoto", data={"chat_id": OLGA}, files=picture)).json()["result"]
    assert photo["photo"][-1]["width"] == 1
    assert [set(each) & {"photo", "document"} for each in await telegram.chat(OLGA)] == [{"document"}, {"photo"}]
    file = await telegram.got("getFile", file_id=document["file_id"])
    content = await telegram.http.get(f"{telegram.origin}/file/bot{telegram.token}/{file['file_path']}")
    assert content.content == b"a;b\r\n\r\n--1;2\r\n"
    seen = await telegram.http.get(f"{telegram.origin}/_sim/file", params={"id": photo["photo"][-1]["file_id"]})
    assert (seen.content, seen.headers["content-type"]) == (PIXEL, "image/png")
    again = await telegram.got("sendDocument", chat_id=ANNA, document=document["file_id"])
    assert again["document"]["file_id"] == document["file_id"]
    (delivery, _) = (await telegram.look("deliveries", method="sendDocument"))["deliveries"]
    assert delivery["params"]["document"] == {"file_name": "statement.csv", "size": 14}


async def test_a_photo_or_document_changes_in_place_with_its_caption(telegram: Telegram) -> None:
    base = f"{telegram.origin}/bot{telegram.token}"
    card = await telegram.got("sendMessage", chat_id=OLGA, text="drawing …", reply_markup=KEYS)
    place = {"chat_id": OLGA, "message_id": card["message_id"]}
    media = {"type": "photo", "media": "attach://picture", "caption": "<b>Gold</b>", "parse_mode": "HTML"}
    answer = await telegram.http.post(
        f"{base}/editMessageMedia",
        data={**place, "media": json.dumps(media)},
        files={"picture": ("gold.png", PIXEL, "image/png")},
    )
    photo = answer.json()["result"]
    assert await telegram.chat(OLGA) == [photo]
    assert not photo.keys() & {"text", "reply_markup"}
    assert (photo["caption"], photo["caption_entities"][0]["type"]) == ("Gold", "bold")
    file = await telegram.got("getFile", file_id=photo["photo"][-1]["file_id"])
    assert (await telegram.http.get(f"{telegram.origin}/file/bot{telegram.token}/{file['file_path']}")).content == PIXEL
    shown = await telegram.got("editMessageCaption", **place, caption="Gold, 1 h", reply_markup=KEYS)
    assert (shown["caption"], shown["photo"], shown["reply_markup"]) == ("Gold, 1 h", photo["photo"], KEYS)
    known = {"type": "document", "media": photo["photo"][-1]["file_id"]}
    sheet = await telegram.got("editMessageMedia", **place, media=known)
    assert sheet["document"]["file_name"] == "gold.png"
    assert not sheet.keys() & {"photo", "caption", "reply_markup"}
    assert await telegram.chat(OLGA) == [sheet]


async def test_photos_and_captions_that_cannot_be_changed(telegram: Telegram) -> None:
    card = await telegram.got("sendMessage", chat_id=OLGA, text="card")
    place = {"chat_id": OLGA, "message_id": card["message_id"]}
    refused = await telegram.refused("editMessageCaption", **place, caption="x")
    assert refused == (400, "Bad Request: there is no caption in the message to edit")
    for media in ({"type": "sticker", "media": "x"}, {"type": "photo", "media": "F9"}, {"type": "photo"}, "photo"):
        assert (await telegram.refused("editMessageMedia", **place, media=media))[0] == 400
    sheet = {"document": ("a.csv", b"a;b", "text/csv")}
    sent = await telegram.http.post(
        f"{telegram.origin}/bot{telegram.token}/sendDocument", data={"chat_id": OLGA, "caption": "May"}, files=sheet
    )
    place["message_id"] = sent.json()["result"]["message_id"]
    _, why = await telegram.refused("editMessageCaption", **place, caption="May")
    assert why.startswith("Bad Request: message is not modified")
    _, why = await telegram.refused("editMessageText", **place, text="x")
    assert why == "Bad Request: there is no text in the message to edit"
    assert (await telegram.chat(OLGA))[1] == sent.json()["result"]


async def test_files_the_server_refuses(telegram: Telegram) -> None:
    base = f"{telegram.origin}/bot{telegram.token}"
    text = {"photo": ("chart.png", b"no picture", "image/png")}
    answer = (await telegram.http.post(f"{base}/sendPhoto", data={"chat_id": OLGA}, files=text)).json()
    assert answer["description"] == "Bad Request: IMAGE_PROCESS_FAILED"
    assert (await telegram.refused("sendDocument", chat_id=OLGA, document="http://example.org/x"))[0] == 400
    assert (await telegram.refused("getFile", file_id="nothing")) == (400, "Bad Request: invalid file_id")
    assert await telegram.chat(OLGA) == []


async def test_the_narrowest_command_menu_wins(telegram: Telegram) -> None:
    async def menu(chat: int, person: int) -> list[str]:
        return [each["command"] for each in (await telegram.look("chat", id=chat, **{"as": person}))["commands"]]

    await telegram.play(
        "people", groups=[{"id": DESK, "title": "Treasury desk", "members": [OLGA, ANNA], "admins": [ANNA]}]
    )
    scopes: list[tuple[str, dict[str, Any]]] = [
        ("plain", {"type": "default"}),
        ("private", {"type": "all_private_chats"}),
        ("groups", {"type": "all_group_chats"}),
        ("admins", {"type": "all_chat_administrators"}),
        ("here", {"type": "chat", "chat_id": DESK}),
        ("deskadmins", {"type": "chat_administrators", "chat_id": DESK}),
        ("olga", {"type": "chat_member", "chat_id": DESK, "user_id": OLGA}),
    ]
    seen = []
    for command, scope in scopes:
        await telegram.got("setMyCommands", commands=[{"command": command, "description": "d"}], scope=scope)
        assert (await telegram.got("getMyCommands", scope=scope))[0]["command"] == command
        seen.append((await menu(OLGA, OLGA), await menu(DESK, OLGA), await menu(DESK, ANNA)))
    assert seen == [
        (["plain"], ["plain"], ["plain"]),
        (["private"], ["plain"], ["plain"]),
        (["private"], ["groups"], ["groups"]),
        (["private"], ["groups"], ["admins"]),
        (["private"], ["here"], ["here"]),
        (["private"], ["here"], ["deskadmins"]),
        (["private"], ["olga"], ["deskadmins"]),
    ]
    assert len((await telegram.look("state"))["commands"]) == 7
    await telegram.got("deleteMyCommands", scope=scopes[6][1])
    assert await menu(DESK, OLGA) == ["here"]
    assert await telegram.got("getMyCommands", scope=scopes[6][1]) == []


@pytest.mark.parametrize(
    ("commands", "scope"),
    [
        ([{"command": "Balance", "description": "d"}], None),
        ([{"command": "b" * 33, "description": "d"}], None),
        ([{"command": "b", "description": ""}], None),
        ([{"command": "b", "description": "d"}] * 101, None),
        ([{"command": "b", "description": "d"}], {"type": "everyone"}),
        ([{"command": "b", "description": "d"}], {"type": "chat", "chat_id": 404}),
        ([{"command": "b", "description": "d"}], {"type": "chat", "chat_id": [1]}),
        ("b", None),
    ],
)
async def test_command_menus_the_server_refuses(telegram: Telegram, commands: Any, scope: Any) -> None:
    assert (await telegram.refused("setMyCommands", commands=commands, scope=scope))[0] == 400
    assert (await telegram.look("state"))["commands"] == []


async def test_members_are_known_by_their_status(telegram: Telegram) -> None:
    assert (await telegram.got("getChatMember", chat_id=DESK, user_id=OLGA))["status"] == "member"
    await telegram.play("people", groups=[{"id": DESK, "title": "Treasury desk", "members": [ANNA], "admins": [ANNA]}])
    assert (await telegram.got("getChatMember", chat_id=DESK, user_id=OLGA))["status"] == "left"
    assert (await telegram.got("getChatMember", chat_id=DESK, user_id=ANNA))["status"] == "administrator"
    assert (await telegram.refused("getChatMember", chat_id=DESK, user_id=404))[0] == 400


async def test_limits_are_off_until_switched_on(telegram: Telegram) -> None:
    for _ in range(40):
        await telegram.got("sendMessage", chat_id=OLGA, text="x")
    await telegram.play("flood", enabled=True)
    await telegram.got("sendMessage", chat_id=OLGA, text="x")
    body = await telegram.ask("sendMessage", chat_id=OLGA, text="too soon")
    assert body["error_code"] == 429
    assert body["description"] == "Too Many Requests: retry after 1"
    assert body["parameters"] == {"retry_after": 1}
    assert len(await telegram.chat(OLGA)) == 41
    await telegram.got("sendMessage", chat_id=ANNA, text="another chat")
    await telegram.clock.move(1)
    await telegram.got("sendMessage", chat_id=OLGA, text="a second later")
    assert (await telegram.look("state"))["flood"] == {"enabled": True, "refused": 1}


async def test_a_group_takes_20_a_minute_edits_included(telegram: Telegram) -> None:
    await telegram.play("flood", enabled=True)
    sent = await telegram.got("sendMessage", chat_id=DESK, text="card")
    for number in range(19):
        await telegram.clock.move(2)
        await telegram.got("editMessageText", chat_id=DESK, message_id=sent["message_id"], text=f"card {number}")
    await telegram.clock.move(2)
    body = await telegram.ask("sendMessage", chat_id=DESK, text="the 21st")
    assert body["parameters"] == {"retry_after": 20}
    await telegram.clock.move(20)
    await telegram.got("sendMessage", chat_id=DESK, text="a minute after the first")


async def test_all_chats_together_take_30_a_second(telegram: Telegram) -> None:
    await telegram.play("people", people=[{"id": 1000 + n, "first_name": f"P{n}"} for n in range(31)])
    await telegram.play("flood", enabled=True)
    codes = [(await telegram.ask("sendMessage", chat_id=1000 + n, text="x")).get("error_code") for n in range(31)]
    assert codes == [None] * 30 + [429]
    await telegram.http.post(f"{telegram.origin}/_sim/limits", json={"lifted": True})
    await telegram.got("sendMessage", chat_id=1030, text="lifted")


async def test_a_misfortune_hits_the_method_it_names(telegram: Telegram) -> None:
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 7}}
    script = {"match": {"path": "/sendMessage"}, "action": "status", "status": 429, "body": body}
    await telegram.http.post(f"{telegram.origin}/_sim/faults", json=script)
    assert (await telegram.got("getMe"))["is_bot"]
    assert (await telegram.ask("sendMessage", chat_id=OLGA, text="x"))["parameters"] == {"retry_after": 7}
    await telegram.got("sendMessage", chat_id=OLGA, text="x")


async def test_listeners_hear_what_happens(telegram: Telegram) -> None:
    async with connect(f"{telegram.ws}/_sim/stream") as one, connect(f"{telegram.ws}/_sim/stream") as two:
        asked = await telegram.play("send", **{"from": OLGA}, chat=OLGA, text="/balance")
        await telegram.got("sendChatAction", chat_id=OLGA, action="typing")
        sent = await telegram.got("sendMessage", chat_id=OLGA, text="card", reply_markup=KEYS)
        await telegram.got("editMessageReplyMarkup", chat_id=OLGA, message_id=sent["message_id"])
        tap = await telegram.play("tap", **{"from": OLGA}, chat=OLGA, message_id=sent["message_id"], data="r")
        await telegram.got("answerCallbackQuery", callback_query_id=tap["callback_query_id"], text="ok")
        await telegram.got("deleteMessage", chat_id=OLGA, message_id=sent["message_id"])
        await telegram.got("setMyCommands", commands=[{"command": "help", "description": "d"}])
        await telegram.got("getUpdates", offset=asked["update_id"] + 1)
        for listener in (one, two):
            events = [json.loads(await listener.recv()) for _ in range(8)]
            kinds = [each["type"] for each in events]
            assert kinds == ["message", "typing", "message", "edit", "answer", "delete", "commands", "read"]
            assert events[4]["text"] == "ok"
            assert events[5]["message_ids"] == [sent["message_id"]]
            assert events[7]["chat"] == OLGA


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("send", b"{"),
        ("send", b"[]"),
        ("send", b"{}"),
        ("send", b'{"from":1,"chat":-5,"text":"no such group"}'),
        ("edit", b'{"from":501,"chat":501,"message_id":5,"text":"x"}'),
        ("tap", b'{"from":"x"}'),
        ("updates", b'{"updates":[7]}'),
        ("people", b'{"people":[{"id":1}]}'),
        ("block", b"{}"),
    ],
)
async def test_mistaken_controls_are_refused(telegram: Telegram, act: str, body: bytes) -> None:
    answer = await telegram.http.post(f"{telegram.origin}/_sim/{act}", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "telegram.json"

    async def call(http: httpx.AsyncClient, origin: str, method: str, **body: Any) -> Any:
        return (await http.post(f"{origin}{method}", json=body)).json()

    async with httpx.AsyncClient(trust_env=False) as http:
        async with serving(make(seed=3), state=state) as first:
            token = first.credentials["bot_token"]
            await call(http, first.control, "/send", **{"from": OLGA}, chat=OLGA, text="/start")
            bot = f"{first.http}/bot{token}"
            sent = await call(http, bot, "/sendMessage", chat_id=OLGA, text="hello")
            await call(http, bot, "/setMyCommands", commands=[{"command": "help", "description": "d"}])
            upload = {"document": ("a.bin", b"\x00\xff", "application/zip")}
            await http.post(f"{bot}/sendDocument", data={"chat_id": OLGA}, files=upload)
        async with serving(make(seed=4), state=state) as second:
            bot = f"{second.http}/bot{token}"
            (update,) = (await call(http, bot, "/getUpdates"))["result"]
            assert update["message"]["text"] == "/start"
            chat = (await http.get(f"{second.control}/chat", params={"id": OLGA})).json()
            assert [each.get("text") for each in chat["messages"]] == ["/start", "hello", None]
            assert chat["commands"] == [{"command": "help", "description": "d"}]
            file_id = chat["messages"][2]["document"]["file_id"]
            assert (await http.get(f"{second.control}/file", params={"id": file_id})).content == b"\x00\xff"
            later = await call(http, bot, "/sendMessage", chat_id=OLGA, text="later")
            assert later["result"]["message_id"] == sent["result"]["message_id"] + 2
            entries = (await http.get(f"{second.control}/ledger")).json()["entries"]
            assert [each["reference"] for each in entries] == ["2", "3", "4"]
