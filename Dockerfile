# impasto serve, for one machine or, with Redis and workers, for several: see compose.yaml.
#
#   docker build -t impasto .
#   docker run --rm -p 8000:8000 -e IMPASTO_TOKEN=a-long-secret impasto
#
# The page is at http://localhost:8000/#token=a-long-secret. Any flag of impasto serve can be
# given as a variable, such as IMPASTO_QUEUE=64.

FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
# Optimising needs torch, which adds gigabytes: --build-arg EXTRAS=serve,video,train
ARG EXTRAS=serve,video
RUN pip wheel --no-cache-dir --wheel-dir /wheels ".[${EXTRAS}]"

FROM python:3.12-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && useradd --create-home --uid 10001 impasto \
    && install --directory --mode=700 --owner=impasto /state
USER 10001
ENV IMPASTO_HOST=0.0.0.0 \
    IMPASTO_PORT=8000 \
    IMPASTO_STATE=/state \
    IMPASTO_CACHE=/tmp/impasto \
    ORT_DISABLE_TELEMETRY=1 \
    RAY_USAGE_STATS_ENABLED=0 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    PYTHONUNBUFFERED=1
VOLUME /state
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["impasto", "serve", "--check"]
CMD ["impasto", "serve"]
