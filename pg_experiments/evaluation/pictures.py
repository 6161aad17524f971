"""Frames of a video: the screen, the observation beside it, and a caption above."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pg_experiments.env import AtariEnv, EnvOption

CAPTION = 28  # height of the caption in pixels
GAP = 12  # pixels between the screen and the observation
LARGER = 2  # scale of an Atari screen
INK, PAPER = (235, 235, 235), 24  # PAPER is a tone of grey
NOTHING, STAYED = (46, 46, 50), (150, 150, 150)  # background, and foreground on both screens
CAME, WENT = (255, 170, 60), (70, 140, 255)  # foreground on this screen only, and on the previous one only


def picture(env: EnvOption, screen: np.ndarray, observation: np.ndarray, caption: str) -> np.ndarray:
    """One frame, uint8 [height, width, 3], with even height and width as video encoders require.

    Args:
        env: the environment's settings. For an Atari game, the observation is shown at the height of its crop,
            except for grey screens.
        screen: uint8 [H, W, 3], as rendered by the environment.
        observation: the observation of the same step.
        caption: text above the screen.
    """
    if not isinstance(env, AtariEnv) or env.observation == "screens":
        return _framed(_caption(caption, screen.shape[1]), [(screen, 0)])
    large = screen.repeat(LARGER, 0).repeat(LARGER, 1)
    tones = tones_of(observation)
    scale = env.stride * LARGER
    observed = tones.repeat(scale, 0).repeat(scale, 1)
    legend = {0: ("what comes", CAME), 110: ("what goes", WENT)}
    width = large.shape[1] + GAP + observed.shape[1]
    strip = _caption(caption, width, {large.shape[1] + GAP + left: text for left, text in legend.items()})
    return _framed(strip, [(large, 0), (observed, env.top * LARGER)])


def tones_of(observation: np.ndarray) -> np.ndarray:
    """Colours of an observation [h, w] or [2, h, w] as of `Crop.space` -> uint8 [h, w, 3]."""
    numbers = observation.astype(np.int64)
    two = numbers.ndim == 3
    kinds = 2 * numbers[0] + numbers[1] if two else numbers + 1
    tones: np.ndarray = np.array([NOTHING, WENT, CAME, STAYED] if two else [WENT, NOTHING, CAME], np.uint8)[kinds]
    return tones


def _framed(caption: np.ndarray, parts: list[tuple[np.ndarray, int]]) -> np.ndarray:
    """Place parts side by side below a caption; each part has its offset from the caption in pixels."""
    height, width = CAPTION + max(len(part) for part, _ in parts), caption.shape[1]
    whole = np.full((height + height % 2, width, 3), PAPER, np.uint8)
    whole[:CAPTION] = caption
    left = 0
    for part, down in parts:
        whole[CAPTION + down : CAPTION + down + len(part), left : left + part.shape[1]] = part
        left += part.shape[1] + GAP
    return whole


def _caption(
    text: str, width: int, legend: Mapping[int, tuple[str, tuple[int, int, int]]] = MappingProxyType({})
) -> np.ndarray:
    """uint8 [CAPTION, even width, 3]: a text, and a legend of texts and colours by their distance from the left.

    Text is drawn on a strip of this size, and not on the whole frame, which would be converted twice.
    """
    strip = Image.new("RGB", (width + width % 2, CAPTION), (PAPER, PAPER, PAPER))
    pen, font = ImageDraw.Draw(strip), _font()
    pen.text((6, 4), text, INK, font)
    for left, (name, colour) in legend.items():
        pen.text((left, 4), name, colour, font)
    return np.asarray(strip)


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(16)
