"""Films made by PyAV, and what is in them."""

import resource
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from impasto import assets, images
from impasto.images.picture import Picture
from impasto.progress import CancelToken
from impasto.stylization.film import stylize_film
from impasto.video.pipeline import Look

MS = Fraction(1, 1000)
OTHERS = {
    ".ts": ("libx264", "aac"), ".m2ts": ("libx264", "ac3"), ".mpg": ("mpeg2video", "mp2"),
    ".vob": ("mpeg2video", "ac3"), ".m2v": ("mpeg2video", None), ".asf": ("mpeg4", "libmp3lame"),
}  # fmt: skip
"""Kinds that become .mp4, with a codec and sound that are usual in them."""

AMR = {"sound": "libopencore_amrnb", "sampling": (8000, 12200, "mono")}


def make(path, *, frames=20, size=(160, 112), step=lambda _: 40, sound="aac", turn=0, **options):
    """A film of a block that moves over a photograph."""
    clock = options.pop("time_base", MS)
    rate, bits, layout = options.pop("sampling", (48000, 64000, "stereo"))
    pixel_format = options.pop("pixel_format", "yuv420p")
    scene = images.resize_to(images.read(assets.demo_photo()), size[::-1]).pixels
    with av.open(str(path), "w") as output:
        stream = output.add_stream(options.pop("codec", "libx264"), rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.time_base = clock
        for name, value in options.items():
            setattr(stream.codec_context, name, value)
        if turn:
            stream.set_display_rotation(turn)
        audio = output.add_stream(sound, rate=rate, layout=layout) if sound else None
        if audio:
            audio.codec_context.bit_rate = bits
        at = 0
        for number in range(frames):
            pixels = scene.copy()
            pixels[20:50, 4 * number : 4 * number + 30] = (220, 30, 30)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = at, clock
            at += step(number)
            output.mux(stream.encode(frame))
            if audio:
                wave = np.sin(np.arange(1920) * (0.05 + number / 500)) * 9000
                tone = av.AudioFrame.from_ndarray(
                    wave.astype(np.int16)[None], format="s16", layout="mono"
                )
                tone.sample_rate, tone.pts = rate, number * 1920
                output.mux(audio.encode(tone))
        output.mux(stream.encode(None))
        if audio:
            output.mux(audio.encode(None))
    return path


def make_any(path):
    """A film of the kind that a suffix means, with sound that is usual in it."""
    codec, sound = OTHERS[path.suffix]
    return make(path, codec=codec, sound=sound, time_base=Fraction(1, 25), step=lambda _: 1)


def frames_of(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def pixels_of(path):
    return np.stack([frame.to_ndarray(format="rgb24") for frame in frames_of(path)]).astype(int)


def times_of(path):
    times = [float(frame.pts * frame.time_base) for frame in frames_of(path)]
    return np.array(times) - times[0]


def sound_of(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def stopped_after(clip, target, painter, count):
    cancel = CancelToken()

    def stop(progress):
        if progress.step >= count:
            cancel.cancel()

    return stylize_film(clip, target, painter, on_progress=stop, cancel=cancel)


class Copy:
    """An engine that paints nothing: what a film and its work are tested with in no time."""

    flicker = noise = 0.0

    def __init__(self):
        self.state = {}


def as_it_is():
    """How frames look that are not painted."""

    def frames(pixels):
        yield from map(Picture, pixels)

    return Look("as it is", Copy(), frames)


def cancelled():
    cancel = CancelToken()
    cancel.cancel()
    return cancel


@contextmanager
def full_disk(limit=50_000):
    """No file is larger than so many bytes; noise is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def open_files(folder):
    """Files below ``folder`` that this process has open."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # of the one that lists them
            found.append(str(number.readlink()))
    return [path for path in found if path.startswith(str(folder))]


def clear(path, codec="png", pixels="rgba", first=0, count=4, **options):
    """A film whose left half is transparent, from a frame on."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for number in range(count):
            shown = np.full((48, 64, 4), 255, np.uint8)
            shown[..., :3] = (60, 140, 30)
            shown[:, : 32 if number >= first else 0, 3] = 0
            frame = av.VideoFrame.from_ndarray(shown, format="rgba").reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path
