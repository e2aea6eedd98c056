"""Jobs that tests make, and what is kept of them."""

import io

import numpy as np
import pytest

from impasto.server.records import Job


def new(jobs, image=b"image"):
    job = Job("", "stylize", "udnie", "png", {"size": 64})
    return jobs.submit(job, image=io.BytesIO(image))


def keep(jobs, job, data, name="result"):
    return jobs.keep(job.id, name, io.BytesIO(data))


def kept(jobs, job):
    """What is kept of a job, and is large."""
    return {
        name for name in ("image", "painting", "style1", "result") if jobs._parts.find(job.id, name)
    }


def done(client, folder):
    """The next job of a service in this process, done here; the job as clients see it."""
    from impasto.server import making

    app = client.app
    jobs, options = app.state.jobs, app.state.options
    job = jobs.take()
    outcome = making.made(options, job, jobs, folder)
    return jobs.status(jobs.end(job, outcome.pop("state"), **outcome))


def film(path, frames):
    """Writes a film, and gives its content."""
    av = pytest.importorskip("av", reason="needs impasto[video]")
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            pixels = np.full((48, 64, 3), 20 * number, np.uint8)
            made.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        made.mux(stream.encode())
    return path.read_bytes()
