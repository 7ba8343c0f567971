"""Imported first by `run`: what waits for no Python, while Python is busy with the other imports.

aiohttp reads the machine's certificates when it is imported, and lets go of the interpreter meanwhile. That is a tenth
of the start wherever there is a second core. Whoever imports it next waits for this one, or gets the same error.
"""

from importlib import import_module
from threading import Thread

Thread(target=import_module, args=("aiohttp",), name="ahead", daemon=True).start()
