"""Requests of http.client on one connection: one after another, then twenty at once."""

import http.client
import sys

host, port = sys.argv[1].rsplit(":", 1)

connection = http.client.HTTPConnection(host, int(port), timeout=20)
for path, status in [("/healthz", 200), ("/nothing", 404), ("/api/v1/status", 200), ("/", 200)]:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    assert response.status == status, (path, response.status)
    assert len(body) == int(response.getheader("Content-Length")), path
    assert not response.will_close, path
# A chunked upload, which is read and refused; the connection goes on.
connection.request("POST", "/", body=iter([b"first ", b"second"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
response = connection.getresponse()
assert (response.status, response.getheader("Allow")) == (405, "GET, HEAD, OPTIONS")
response.read()


class Pipeline:
    """What HTTPResponse takes for a socket: all responses are read through one buffer."""

    def __init__(self, file):
        self.file = file

    def makefile(self, mode):
        return Unclosed(self.file)


class Unclosed:
    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def close(self):
        pass


paths = ["/healthz", "/nothing", "/api/v1/status", "/metrics", "/"] * 4
request = "".join(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n" for path in paths)
connection.sock.sendall(request.encode())
pipeline = Pipeline(connection.sock.makefile("rb"))
for path in paths:
    response = http.client.HTTPResponse(pipeline)
    response.begin()
    body = response.read()
    assert response.status == (404 if path == "/nothing" else 200), (path, response.status)
    kind = {"/": b"<!doctype html>", "/api/v1/status": b"{", "/metrics": b"# HELP", "/healthz": b"ok"}
    assert body.startswith(kind.get(path, b"There is nothing")), (path, body[:40])
print("pipelined", len(paths))
