"""What the service takes."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.options.fields import Checked, knob


@dataclass(frozen=True, kw_only=True)
class ServeOptions(Checked):
    """What the service takes, and how long it works on it. No request can change these."""

    host: str = knob("127.0.0.1", "Address to listen at; any but this machine's own needs --token.")
    port: int = knob(8000, "Port to listen at; 0 takes a free one.", low=0, high=65_535)
    token: str | None = knob(None, "Password of the API, as Authorization: Bearer TOKEN.")
    redis: str | None = knob(
        None, "Keep jobs in this Redis (redis://...); impasto worker does them."
    )
    state: str | None = knob(None, "Folder where jobs are kept; in the user's cache by default.")
    device: str = knob("auto", "Device that paints; impasto doctor lists them.")
    painters: int = knob(0, "Processes that paint; 0 chooses.", low=0, high=256)
    queue: int = knob(16, "Requests, and jobs, that wait at most; more get 429.", low=0)
    deadline: float = knob(30.0, "Seconds for a picture, its waiting included.", low=0.1)
    job_deadline: float = knob(1800.0, "Seconds for a job, its waiting not included.", low=0.1)
    polish_deadline: float = knob(
        600.0, "Longest polish of a painting, in seconds; the best so far is kept.", low=0.1
    )
    idle: float = knob(10.0, "Seconds without a byte until a client is disconnected.", low=0.1)
    connections: int = knob(1000, "Connections at a time; more get 503.", low=1)
    per_client: int = knob(
        500, "Connections of one address at a time, be it a proxy's; more get 429.", low=1
    )
    expires: float = knob(600.0, "Seconds that the result of a job is kept.", low=0.1)
    results: int = knob(
        1_000_000_000, "Bytes of results that are kept; the oldest go first.", low=1
    )
    max_bytes: int = knob(33_554_432, "Largest body of a request, in bytes.", low=1)
    max_pixels: int = knob(
        50_000_000, "Most pixels that are read; of a JPEG made smaller, four times as many.", low=1
    )
    max_side: int = knob(16_384, "Longest side that is read, in pixels.", low=1)
    stylize_side: int = knob(2048, "Longest side that is painted at once; jobs do more.", low=64)
    job_side: int = knob(8192, "Longest side that a job paints.", low=64)
    optimize_side: int = knob(1024, "Longest side of an optimised picture.", low=64)
    film_frames: int = knob(1800, "Frames of the longest film.", low=1)
