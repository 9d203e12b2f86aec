"""A web server for tests: says what it was asked, streams, and misbehaves on demand."""
import json, socket, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                if size == 0:
                    while self.rfile.readline() not in (b"\r\n", b""):
                        pass
                    return data
                data += self.rfile.read(size)
                self.rfile.readline()
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, data, headers=(), status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/stream":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Trailer", "X-Sum")
            self.end_headers()
            for i in range(5):
                line = f"data: {i}\n\n".encode()
                self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                self.wfile.flush()
                time.sleep(0.1)
            self.wfile.write(b"0\r\nX-Sum: 10\r\n\r\n")
        elif path == "/big":
            self.send_response(200)
            self.send_header("Content-Length", str(64 * 1024 * 1024))
            self.end_headers()
            block = b"x" * 65536
            for _ in range(1024):
                self.wfile.write(block)
        elif path == "/cookies":
            self.reply(b"ok", [("Set-Cookie", "a=1; Domain=sprites.localhost; Path=/"), ("Set-Cookie", "sprites-session=stolen"), ("Set-Cookie", "b=2")])
        elif path == "/old":
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")
            self.close_connection = True
        elif path == "/garbage":
            self.wfile.write(b"SSH-2.0-nonsense\r\n\r\n")
            self.close_connection = True
        elif path == "/both":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            self.close_connection = True
        elif path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
            self.close_connection = True
        elif path == "/die":
            self.close_connection = True
        elif path == "/headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            try:
                while True:
                    self.wfile.write(b"X-Filler: " + b"y" * 65000 + b"\r\n")
            except OSError:
                pass
            self.close_connection = True
        elif path == "/switch":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: nonsense\r\nConnection: Upgrade\r\n\r\n")
            self.close_connection = True
        else:
            said = {
                "method": self.command,
                "path": self.path,
                "headers": [[k, v] for k, v in self.headers.items()],
                "body": self.body().decode("latin-1"),
                "port": self.server.server_port,
            }
            self.reply(json.dumps(said).encode(), [("Content-Type", "application/json")])

    do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_GET


ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
