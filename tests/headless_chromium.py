"""A headless Chromium that is spoken to through a pipe (the DevTools protocol), with Python's standard library alone."""

import base64
import json
import os
import shutil
import subprocess
import time

from outside_program import Failed

PROGRAMS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
SECONDS = 60  # that an answer may take


def find_program():
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


class Chromium:
    """One tab. `log` holds all that its console said and all that went wrong; `requests` every address asked for."""

    def __init__(self, program, profile):
        to_browser, self.out = os.pipe()
        self.into, from_browser = os.pipe()
        # The protocol is spoken on descriptors 3 and 4.
        shell = f'exec 3<&{to_browser} 4>&{from_browser} && exec "$@"'
        words = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--force-device-scale-factor=1",
                 f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        self.process = subprocess.Popen(["bash", "-c", shell, "bash"] + words, pass_fds=[to_browser, from_browser],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.session = b"", 0, None
        self.log, self.requests, self.events = [], [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.out)  # the browser ends with its pipe
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.into)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        number = self.number
        answer = self.receive_until(lambda received: received.get("id") == number, method)
        if "error" in answer:
            raise Failed(f"Chromium: {method}: {answer['error']['message']}")
        return answer["result"]

    def receive_until(self, wanted, what):
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            while b"\0" in self.buffer:
                text, self.buffer = self.buffer.split(b"\0", 1)
                received = json.loads(text)
                self.note(received)
                if wanted(received):
                    return received
            chunk = os.read(self.into, 1 << 20)
            if not chunk:
                raise Failed(f"Chromium ended while asked for {what}")
            self.buffer += chunk
        raise Failed(f"Chromium: no answer to {what}")

    def note(self, received):
        method, parameters = received.get("method"), received.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.log.append(json.dumps(parameters.get("args")))
        elif method == "Runtime.exceptionThrown":
            self.log.append(json.dumps(parameters.get("exceptionDetails")))
        elif method == "Log.entryAdded":
            self.log.append(parameters["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def open(self, path, width, height, dark=False):
        """Shows a file in a window of that size, as a reader who asked for light or dark sees it."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.number += 1
        number = self.number
        message = {"id": number, "method": "Page.navigate", "params": {"url": path.as_uri()}, "sessionId": self.session}
        os.write(self.out, json.dumps(message).encode() + b"\0")
        self.receive_until(lambda received: received.get("method") == "Page.loadEventFired", "the page")

    def evaluate(self, code):
        answer = self.call("Runtime.evaluate", expression=code, returnByValue=True)
        if "exceptionDetails" in answer:
            raise Failed(f"{code}: {answer['exceptionDetails']['text']}")
        return answer["result"].get("value")

    def press(self, key, code=None, text=None):
        virtual = {"Tab": 9, "Enter": 13}[key]
        extra = {"text": text} if text else {}
        for kind in ["keyDown", "keyUp"]:
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, windowsVirtualKeyCode=virtual, **extra)
            extra = {}

    def screenshot(self, path, whole=True):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))
