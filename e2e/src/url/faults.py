"""A web server for tests of what breaks half-way: notes in files of /tmp how its requests ended."""
import struct, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def note(name, text):
    with open("/tmp/" + name, "w") as file:
        file.write(text)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def begin(self, *field):
        self.send_response(200)
        self.send_header(*field)
        self.end_headers()

    def do_GET(self):
        if self.path == "/numbers":
            self.begin("Content-Length", str(32 * 1024 * 1024))
            for block in range(512):
                first = block * 16384
                self.wfile.write(struct.pack("<16384I", *range(first, first + 16384)))
        elif self.path == "/endless":
            self.begin("Transfer-Encoding", "chunked")
            try:
                while True:
                    self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            except OSError as error:
                note("endless-ended", type(error).__name__)
            self.close_connection = True
        else:
            self.begin("Content-Length", "2")
            self.wfile.write(b"ok")

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        try:
            while left > 0:
                piece = self.rfile.read1(min(left, 65536))
                if piece == b"":
                    break
                left -= len(piece)
                note("upload-begun", "yes")
        except OSError:
            pass
        note("upload-ended", f"{left} missing")
        self.close_connection = True


ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
