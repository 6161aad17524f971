"""Single pictures of a video: the screen, beside it what the policy sees, and above both a line that says who plays."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pg_experiments.env import AtariEnv, EnvOption

CAPTION = 28  # pixels of the line above
GAP = 12  # pixels between the screen and what is seen of it
LARGER = 2  # times as large as it is, an Atari screen is shown
INK, PAPER = (235, 235, 235), (24, 24, 24)
NOTHING = (46, 46, 50)  # where nothing has changed
CAME, WENT = (255, 170, 60), (70, 140, 255)  # where something has come, and where something has gone


def picture(env: EnvOption, screen: np.ndarray, observation: np.ndarray, caption: str) -> np.ndarray:
    """One picture, uint8 [height, width, 3] with even sides, as video encoders want them.

    Args:
        env: settings; of an Atari game the observation is shown, too, at the height where it is on the screen.
        screen: uint8 [H, W, 3], as the environment renders it.
        observation: what the policy sees at that moment.
        caption: the line above.
    """
    if not isinstance(env, AtariEnv):
        return np.asarray(_framed(caption, [(Image.fromarray(screen), 0)]))
    height, width, _ = screen.shape
    large = Image.fromarray(screen).resize((width * LARGER, height * LARGER), Image.Resampling.NEAREST)
    tones = np.array([WENT, NOTHING, CAME], dtype=np.uint8)
    seen = Image.fromarray(tones[observation.astype(np.int64) + 1])
    seen = seen.resize((seen.width * env.stride * LARGER, seen.height * env.stride * LARGER), Image.Resampling.NEAREST)
    return np.asarray(_framed(caption, [(large, 0), (seen, env.top * LARGER)]))


def _framed(caption: str, parts: list[tuple[Image.Image, int]]) -> Image.Image:
    """The parts side by side, each so far below the line, and the line."""
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
