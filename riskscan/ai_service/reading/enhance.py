"""Pictures of pages as OCR reads them best: lines that are level, on paper that is white throughout."""

from itertools import pairwise
from statistics import median

from PIL import Image, ImageChops, ImageFilter

# the copy that is measured has at most this many pixels a side
SIDE_PIXELS = 800
# paper is the lightest of 25 squares of so many pixels of the copy: wider than the strokes of a heading
SQUARE_PIXELS = 4
# where the paper of a tenth of the page is darker than this share of that of another, light falls unevenly
UNEVEN = 0.75
# the light part of what is darker than the paper becomes white
NOISE = 24
# more than the height of a line in the copy
BLUR_PIXELS = 12
# degrees: Tesseract loses lines from two on, and half of one moves the end of a line by half its height
MAX_SLOPE = 10
STEP = 0.5
# lines are level where rows differ this many times more than at other slopes
SHARPNESS = 3


def enhance(image: Image.Image) -> Image.Image:
    """Return a grey image on white paper and straight, the image itself if it is so; takes 0.1 s."""
    scale = min(1.0, SIDE_PIXELS / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    copy = image.resize(size, Image.Resampling.BOX)
    paper = copy.reduce(SQUARE_PIXELS).filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.BoxBlur(2))
    shades = sorted(paper.tobytes())
    if shades[len(shades) // 10] < UNEVEN * shades[-len(shades) // 10]:
        image = _whiten(image, paper)
        copy = _whiten(copy, paper)
    slope = find_slope(copy)
    if not slope:
        return image
    return image.rotate(slope, Image.Resampling.BICUBIC, expand=True, fillcolor="white")


def _whiten(image: Image.Image, paper: Image.Image) -> Image.Image:
    """Return an image with the contrast of what is darker than its paper."""
    ink = ImageChops.subtract(paper.resize(image.size, Image.Resampling.BILINEAR), image)
    return ink.point([255 - min(255, 2 * max(0, shade - NOISE)) for shade in range(256)])


def find_slope(image: Image.Image) -> float:
    """Return the degrees, counterclockwise, by which text has to be turned to be level, or upright."""
    ink = ImageChops.subtract(image.filter(ImageFilter.BoxBlur(BLUR_PIXELS)), image)
    steps = round(MAX_SLOPE / STEP)
    scores = {STEP * step: _sharpness(ink, STEP * step) for step in range(-steps, steps + 1)}
    best = max(scores, key=scores.__getitem__)
    is_certain = scores[best] > SHARPNESS * max(1.0, median(scores.values()))
    return best if is_certain else 0.0


def _sharpness(ink: Image.Image, angle: float) -> int:
    """Return how much neighbouring rows differ, or columns, of an image that is turned by an angle."""
    turned = ink.rotate(angle)
    profiles = (turned.resize(size, Image.Resampling.BOX) for size in ((1, ink.height), (ink.width, 1)))
    return max(sum((one - other) ** 2 for one, other in pairwise(profile.tobytes())) for profile in profiles)
