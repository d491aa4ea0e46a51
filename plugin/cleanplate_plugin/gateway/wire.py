"""Messages of the proto as JSON and back, by ``google.protobuf.json_format``; fields go by the proto's own names."""

from __future__ import annotations

from typing import TypeVar

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message

from cleanplate_plugin.gateway.refusals import RefusedError

AnyMessage = TypeVar("AnyMessage", bound=Message)

_DEPTH_LIMIT = 20
"""Levels of braces; the deepest message has about half as many."""


def read_message(body: bytes, kind: type[AnyMessage]) -> AnyMessage:
    """Reads a request; nothing at all is an empty message.

    Raises:
        RefusedError: not JSON, an unknown field, a value of another type.
    """
    message = kind()
    name = message.DESCRIPTOR.name
    try:
        text = body.decode()
        if text.strip() and not text.lstrip().startswith("{"):
            raise json_format.ParseError("it is not an object in braces")
        json_format.Parse(text or "{}", message, max_recursion_depth=_DEPTH_LIMIT)
    except (json_format.ParseError, ValueError, RecursionError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")
        raise RefusedError(
            f"the body cannot be read as JSON of {name} ({why}); correct it, fields go by their names in the proto",
            grpc.StatusCode.INVALID_ARGUMENT,
            reason="INVALID_BODY",
        ) from error
    return message


def write_message(message: Message) -> bytes:
    """One line of JSON; fields that are unset and have no presence are there with their default."""
    text = json_format.MessageToJson(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        indent=None,
        ensure_ascii=False,
    )
    return text.encode()
