"""The README's moving picture of Pong, from a video that `evaluate` has recorded.

    python -m pg_experiments.train env=pong hydra.run.dir=outputs/pong
    python -m pg_experiments.evaluate run=outputs/pong video=true
    python -m docs.poster outputs/pong/videos/seed_0_greedy_return_21.mp4 docs/pong.gif start=8 seconds=10

`start` and `seconds` choose a part of the video, `colours` how many there are at most. A GIF has pictures of whole
hundredths of a second each, so it may be a little faster or slower than the video.
"""

from __future__ import annotations

import sys
from pathlib import Path

import av
from PIL import Image

LARGEST = 1_500_000  # bytes that a README should load
SAMPLES = 16  # pictures that the colours are chosen from


def poster(video: Path, gif: Path, *, start: float = 0.0, seconds: float = 12.0, colours: int = 64) -> None:
    """Make the GIF. Exits with a line where the video has no such part, or the GIF becomes too large."""
    with av.open(str(video)) as container:
        (stream,) = container.streams.video
        per_second = float(stream.average_rate or 1)
        frames = [frame.to_image() for frame in container.decode(stream)]
    frames = frames[round(start * per_second) : round((start + seconds) * per_second)]
    if not frames:
        sys.exit(f"error: {video}: has no picture {start:g} s after its beginning")
    palette = _palette(frames, colours)
    # without dithering, which would make noise of what the video's compression has left
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    drawn[0].save(gif, save_all=True, append_images=drawn[1:], duration=round(1000 / per_second), loop=0, optimize=True)
    size = gif.stat().st_size
    print(f"{gif}: {len(drawn)} pictures, {size:,} bytes")
    if size > LARGEST:
        sys.exit(f"error: {gif}: more than {LARGEST:,} bytes; fewer seconds or colours make it smaller")


def _palette(frames: list[Image.Image], colours: int) -> Image.Image:
    """The colours of pictures from the whole part, side by side: one alone may lack some."""
    chosen = frames[:: max(1, len(frames) // SAMPLES)]
    width, height = chosen[0].size
    sheet = Image.new("RGB", (width * len(chosen), height))
    for number, frame in enumerate(chosen):
        sheet.paste(frame, (width * number, 0))
    return sheet.quantize(colours, method=Image.Quantize.FASTOCTREE)


if __name__ == "__main__":
    video, gif, *options = sys.argv[1:]
    numbers = dict(option.split("=") for option in options)
    as_numbers = {key: int(value) if key == "colours" else float(value) for key, value in numbers.items()}
    poster(Path(video), Path(gif), **as_numbers)
