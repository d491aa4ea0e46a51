"""Masks and pictures as they go over the wire."""

from __future__ import annotations

import cv2
import numpy as np
from cleanplate.v1 import media_pb2, prompt_pb2

from cleanplate_server.errors import InputError, MaskError, NotFoundError
from cleanplate_server.messages.paths import Admit, absolute_path
from cleanplate_server.models.protocols import Mask
from cleanplate_server.stages.viewing import Picture

_PICTURE_ENDINGS: dict[int, tuple[str, list[int]]] = {
    media_pb2.GetFrameRequest.ENCODING_UNSPECIFIED: (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 92]),
    media_pb2.GetFrameRequest.ENCODING_JPEG: (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 92]),
    media_pb2.GetFrameRequest.ENCODING_PNG: (".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]),
}
_MASK_PNG = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 1]
_JPEG_LIMIT_PX = 65500


def encode_mask(mask: Mask) -> bytes:
    """A bool [H, W] mask as PNG with 0 and 255, a bit for each pixel."""
    written, png = cv2.imencode(".png", mask.astype(np.uint8) * 255, _MASK_PNG)
    assert written
    return png.tobytes()


def encode_picture(picture: Picture, encoding: int) -> bytes:
    """A uint8 [H, W, 3] RGB picture as JPEG or PNG.

    Args:
        encoding: ``media_pb2.GetFrameRequest.Encoding``.

    Raises:
        InputError: an encoding that is not known, or a picture that it cannot hold.
    """
    if encoding not in _PICTURE_ENDINGS:
        raise InputError(f"encoding {encoding} is not known; give ENCODING_JPEG or ENCODING_PNG")
    ending, options = _PICTURE_ENDINGS[encoding]
    height, width = picture.shape[:2]
    if ending == ".jpg" and max(height, width) > _JPEG_LIMIT_PX:
        raise InputError(
            f"a JPEG cannot hold {width}x{height} pixels; ask for PNG, or for less with max_height",
            metadata={"height": str(height), "width": str(width)},
        )
    written, data = cv2.imencode(ending, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    assert written
    return data.tobytes()


def decode_mask(picture: bytes, origin: str) -> Mask:
    """Reads a mask picture: bool [H, W], True where its code value is 128 of 255 and above.

    Args:
        picture: an image file's bytes.
        origin: names it in the error.

    Raises:
        MaskError: it is no picture.
    """
    encoded = np.frombuffer(picture, np.uint8)
    try:
        decoded = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    except cv2.error:  # no bytes at all, or a size beyond OpenCV's limit
        decoded = None
    if decoded is None:
        raise MaskError(f"{origin} cannot be read as a picture; give a PNG of one channel, 128 and above is object")
    return np.asarray(decoded >= 128, np.bool_)


def mask_from_message(message: prompt_pb2.Mask, *, frame: int, admit: Admit) -> Mask:
    """The mask of a prompt, inline or from its file: bool [H, W].

    Raises:
        NotFoundError: no such file.
        MaskError: neither picture nor path, or no picture.
    """
    if message.WhichOneof("source") == "png":
        return decode_mask(message.png, f"the mask of the prompt on frame {frame}")
    if message.WhichOneof("source") != "path":
        raise MaskError(f"the mask of the prompt on frame {frame} has neither picture nor path; give one of them")
    file = admit(absolute_path(message.path, "mask"), "mask")
    if not file.is_file():
        raise NotFoundError(f"the mask {file} is not there; correct its path", metadata={"path": str(file)})
    return decode_mask(file.read_bytes(), f"the mask {file}")
