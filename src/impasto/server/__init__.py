"""The service: an HTTP API, the web page that uses it, and the jobs of both.

``routes`` has the routes, and ``guard.py`` what stands before them. ``painters.py`` paints while a
client waits. ``jobs.py`` keeps work that takes longer, and ``parts.py`` its pictures and films.
``work.py`` does it. Painting has processes of its own (``processes.py``). A decoder that crashes,
or a painting that takes too long, ends one of those and not the service.
"""
