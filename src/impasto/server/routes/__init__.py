"""The routes of the HTTP API, and the page."""

from impasto.server.routes import jobs, monitoring, page, paint, styles

ROUTERS = paint.router, jobs.router, styles.router, monitoring.router, page.router

__all__ = ["ROUTERS"]
