"""Reading one still image, PNG, JPEG, WebP, BMP or PPM, to a frame: 8 bits, RGB, of one size.

Files are written by others: whatever they hold, the answer is a frame or a `UserError` that names
the file and the cure. An image cut short is refused, since part of an image is not the image.
"""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from foreframe.errors import UserError
from foreframe.sources.reading.fitting import LARGEST_PICTURE, Crop, fit, over_black

# The endings of the images that are read; what a file holds is looked at, not its name.
ENDINGS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".webp")

FORMATS = ("BMP", "JPEG", "PNG", "PPM", "WEBP")

# Bytes; an image of the largest size without any compression has fewer.
LARGEST_FILE = 5 * LARGEST_PICTURE

# How Pillow calls the pixels that have 8 bits and a colour that needs no guess.
OPAQUE = ("1", "L", "P", "RGB")
TRANSPARENT = ("LA", "PA", "RGBA", "La", "RGBa")

# What Pillow raises for a file that is damaged.
DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


def read(
    source: Path | bytes, height: int, width: int, crop: Crop = "middle", name: str = "an image"
) -> NDArray[numpy.uint8]:
    """Return an image as a frame: uint8 (height, width, 3), RGB, 0 to 255.

    Args:
        source: the file, or its bytes where it lies inside another file.
        height: of the frame, in pixels.
        width: of the frame, in pixels.
        crop: "middle" keeps the largest middle of the frame's shape, "none" squeezes the image.
        name: what messages call an image that is given as bytes.

    Raises:
        UserError: no image, cut short, too large, an animation, or of other than 8-bit RGB or grey.
    """
    return fit(decode(source, name), height, width, crop)


def decode(source: Path | bytes, name: str = "an image") -> NDArray[numpy.uint8]:
    """Return an image in its own size, turned as it says, over black: uint8 (H, W, 3), RGB.

    Raises:
        UserError: as in `read`.
    """
    if isinstance(source, Path):
        name = str(source)
        source = _content(source)
    try:
        image = _opened(source)
    except DAMAGE as error:
        raise _damaged(name, error) from None
    if problem := _problem(image, source):
        raise UserError(f"{name} {problem}")
    try:
        # Opened again: a check of the checksums, which only PNG has, leaves nothing to decode.
        image.verify()
        return _colours(_opened(source))
    except DAMAGE as error:
        raise _damaged(name, error) from None


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(f"{path} is larger than any image that is read. Make it smaller.")
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}). Copy it again or remove it."
        ) from None


def _opened(content: bytes) -> Image.Image:
    with warnings.catch_warnings():
        # The size has a limit here that is an error, not a warning.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(content), formats=FORMATS)


def _problem(image: Image.Image, content: bytes) -> str | None:
    """Return why an image is not used, and the cure; None if all is well."""
    wide, high = image.size
    if wide * high > LARGEST_PICTURE:
        return f"has {wide} x {high} pixels. Make it smaller: mogrify -resize 1280x"
    if image.format in ("PNG", "WEBP") and getattr(image, "is_animated", False):
        return "is an animation. Convert it to a video and use the source video_folder."
    # Pillow would drop the lower byte of 16-bit colours in silence.
    deep = image.format == "PNG" and content[24] > 8
    if deep or image.mode in ("I", "F") or image.mode.startswith("I;"):
        return "has more than 8 bits for each colour; 8 are read. Convert it: mogrify -depth 8"
    if image.mode not in OPAQUE + TRANSPARENT:
        return (
            f"has colours of the kind {image.mode}; RGB and grey are read. Convert it: "
            "mogrify -colorspace sRGB"
        )
    return None


def _colours(image: Image.Image) -> NDArray[numpy.uint8]:
    turned = ImageOps.exif_transpose(image)
    if turned.has_transparency_data:
        return over_black(numpy.asarray(turned.convert("RGBA")))
    return numpy.asarray(turned.convert("RGB"))


def _damaged(name: str, error: Exception) -> UserError:
    kinds = "PNG, JPEG, WebP, BMP, PPM"
    if isinstance(error, UnidentifiedImageError):
        return UserError(f"{name} is no image ({kinds}). Remove it or convert it to PNG.")
    return UserError(f"{name} is damaged or cut short ({error}). Copy it again or remove it.")
