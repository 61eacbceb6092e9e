"""Images as users log them: arrays, Pillow's and MLflow's images, in the files that MLflow's UI shows."""

from __future__ import annotations

import io
import re
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook import _validate
from fitbook._log import FitbookWarning
from fitbook.artifacts import checked
from fitbook.errors import InvalidValue

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image as pillow

# MLflow's UI looks for images of runs that have this tag.
LOGGED_IMAGES = "mlflow.loggedImages"

THUMBNAIL_PIXELS = 256

_KEY = re.compile(r"[a-zA-Z0-9_\-./ ]+")


class Image:
    """An image under MLflow's name.

    Parameters
    ----------
    image : ndarray, PIL.Image.Image, list, str or Path
        Pixels (see `fitbook.log_image`), or the path of an image file.

    Raises
    ------
    InvalidValue
        It is no image.
    """

    def __init__(self, image: Any) -> None:
        import numpy as np  # noqa: PLC0415
        from PIL import Image as pillow  # noqa: PLC0415

        if isinstance(image, (str, Path)):
            with pillow.open(image) as opened:
                opened.load()
                self.image: pillow.Image = opened
        else:
            self.image = to_pillow(np.array(image) if isinstance(image, list) else image)
        self.size = self.image.size

    def to_pil(self) -> pillow.Image:
        """Give Pillow's image."""
        return self.image

    def to_array(self) -> np.ndarray[Any, Any]:
        """Give the pixels."""
        import numpy as np  # noqa: PLC0415

        return np.array(self.image)

    def to_list(self) -> list[Any]:
        """Give the pixels row by row, each a number or a tuple of its channels."""
        pixels = self.to_array()
        flat = pixels.reshape(-1, *pixels.shape[2:]).tolist()
        return [tuple(pixel) if isinstance(pixel, list) else pixel for pixel in flat]

    def save(self, path: str | Path) -> None:
        """Write it to a local file."""
        self.image.save(path)

    def resize(self, size: tuple[int, int]) -> Image:
        """Give a copy of another width and height."""
        return Image(self.image.resize(size))


def to_pillow(image: Any) -> pillow.Image:
    """Turn what users give as an image into Pillow's.

    Raises
    ------
    InvalidValue
        It is no image; says what would be one.
    """
    from PIL import Image as pillow  # noqa: PLC0415

    if hasattr(image, "to_pil"):
        image = image.to_pil()
    if isinstance(image, pillow.Image):
        return image
    if not hasattr(image, "__array_interface__"):
        raise InvalidValue(f"log_image got a {type(image).__name__}; give a numpy array or a PIL.Image.Image.")
    pixels = image
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))) or 0 in pixels.shape:
        raise InvalidValue(
            f"The image has the shape {image.shape}; height x width is needed, with 1, 3 or 4 channels last if any."
        )
    return pillow.fromarray(_bytes_of(pixels))


def _bytes_of(pixels: Any) -> Any:
    kind, name = pixels.dtype.kind, pixels.dtype.name
    if kind not in "buif":
        raise InvalidValue(
            f"The image has pixels of type {name}; bool, integers of 0 to 255 or floats of 0 to 1 are possible."
        )
    low, high = pixels.min(), pixels.max()
    if kind in "ui":
        if low < 0 or high > 255:
            raise InvalidValue(f"The image has integers of {low} to {high}; 0 to 255 are possible.")
        return pixels.astype("uint8")
    if kind == "f":
        if not (abs(low) < float("inf") and abs(high) < float("inf")):
            raise InvalidValue("The image has pixels that are NaN or infinite; replace them.")
        if low < 0 or high > 1:
            warnings.warn(
                f"The image has floats of {low:g} to {high:g}; they are scaled to 0 to 1. Scale them yourself to compare "
                "images.",
                FitbookWarning,
                stacklevel=2,
            )
            pixels = (pixels - low) / ((high - low) or 1)
    return (pixels * 255).astype("uint8")


def encoded(image: pillow.Image, artifact_file: str) -> bytes:
    """Write an image in the format of the file's ending.

    Raises
    ------
    InvalidValue
        There is no such format, or it can't hold the image.
    """
    from PIL import Image as pillow  # noqa: PLC0415

    ending = Path(checked(artifact_file)).suffix.lower()
    name = pillow.registered_extensions().get(ending)
    if name is None:
        raise InvalidValue(f"The image {artifact_file!r} needs an ending that tells its format, like '.png'.")
    buffer = io.BytesIO()
    try:
        image.save(buffer, format=name)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidValue(f"The image {artifact_file!r} can't be written: {error}. Take '.png'.") from error
    return buffer.getvalue()


def thumbnail(image: pillow.Image) -> pillow.Image:
    """Scale an image so that its longer side has the length that MLflow's UI shows first."""
    factor = THUMBNAIL_PIXELS / max(image.size)
    width, height = (max(1, int(side * factor)) for side in image.size)
    return image.resize((width, height))


def stepped_files(image: pillow.Image, key: str, step: Any, timestamp: int) -> dict[str, bytes]:
    """Give name and content of the two files of an image at a step: as it is, and small.

    The names are MLflow's: its UI reads key, step and time from them.

    Raises
    ------
    InvalidValue
        The key or the step breaks a rule.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise InvalidValue(f"The image key {key!r} may have letters, digits, and _ - . / and space only.")
    place = f"{key.replace('/', '~')}+step+{_validate.step(step)}+timestamp+{timestamp}+{uuid.uuid4()}"
    return {
        f"images/{place}.png": encoded(image, "image.png"),
        f"images/{place}+compressed.webp": encoded(thumbnail(image), "image.webp"),
    }
