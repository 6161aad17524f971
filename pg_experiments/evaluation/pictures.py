"""Frames of a video: the screen, the observation beside it, and a caption above."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pg_experiments.env import AtariEnv, EnvOption

CAPTION = 28  # height of the caption in pixels
GAP = 12  # pixels between the screen and the observation
LARGER = 2  # scale of an Atari screen
INK, PAPER = (235, 235, 235), (24, 24, 24)
NOTHING = (46, 46, 50)  # where the observation is 0
CAME, WENT = (255, 170, 60), (70, 140, 255)  # where the observation is 1, and where it is −1


def picture(env: EnvOption, screen: np.ndarray, observation: np.ndarray, caption: str) -> np.ndarray:
    """One frame, uint8 [height, width, 3], with even height and width as video encoders require.

    Args:
        env: the environment's settings. For an Atari game, the observation is shown at the height of its crop.
        screen: uint8 [H, W, 3], as rendered by the environment.
        observation: the observation of the same step.
        caption: text above the screen.
    """
    if not isinstance(env, AtariEnv):
        return np.asarray(_framed(caption, [(Image.fromarray(screen), 0)]))
    height, width, _ = screen.shape
    large = Image.fromarray(screen).resize((width * LARGER, height * LARGER), Image.Resampling.NEAREST)
    tones = np.array([WENT, NOTHING, CAME], dtype=np.uint8)
    small = Image.fromarray(tones[observation.astype(np.int64) + 1])
    scale = env.stride * LARGER
    observed = small.resize((small.width * scale, small.height * scale), Image.Resampling.NEAREST)
    return np.asarray(_framed(caption, [(large, 0), (observed, env.top * LARGER)]))


def _framed(caption: str, parts: list[tuple[Image.Image, int]]) -> Image.Image:
    """Place parts side by side below a caption; each part has its offset from the caption in pixels."""
    width = sum(part.width + GAP for part, _ in parts) - GAP
    height = CAPTION + max(part.height for part, _ in parts)
    whole = Image.new("RGB", (width + width % 2, height + height % 2), PAPER)
    left = 0
    for part, down in parts:
        whole.paste(part, (left, CAPTION + down))
        left += part.width + GAP
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(16)
    pen.text((6, 4), caption, INK, font)
    if len(parts) > 1:
        pen.text((parts[0][0].width + GAP, 4), "what comes", CAME, font)
        pen.text((parts[0][0].width + GAP + 110, 4), "what goes", WENT, font)
    return whole
