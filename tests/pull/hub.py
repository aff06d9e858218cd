"""hub.py: a hub for tests, on 127.0.0.1: the part of the Hugging Face API that `weft pull` speaks, with faults on order.

A repository is a dict of paths and bytes; what has more than LARGE bytes is kept as LFS does: the hub sends it on to
another server (here the same address under another name), as the real one does to its CDN. `faults[path]` is a list of
functions, one for each request of that file; each gets the handler and the bytes it should send, and answers itself.
What has been asked for is in `requests`."""

import hashlib
import http.server
import json
import re
import ssl
import threading
import urllib.parse

LARGE = 4096
PATIENCE = 240  # seconds until a test that waits has failed; nothing here is timed


def digest_of(data):
    if len(data) > LARGE:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cut(self):
        """The connection breaks."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)

    def do_GET(self):
        self.server.hub.answer(self)

    def offset(self):
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(found[1]) if found else 0

    def send_data(self, data, **headers):
        """As a server with ranges does."""
        at = self.offset()
        if at >= len(data) > 0 and at:
            return self.reply(416, Content_Range=f"bytes */{len(data)}")
        if at:
            headers["Content_Range"] = f"bytes {at}-{len(data) - 1}/{len(data)}"
        return self.reply(206 if at else 200, data[at:], **headers)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):  # who is gone is gone
        pass


class Hub:
    COMMIT = "0123456789abcdef0123456789abcdef01234567"

    def __init__(self):
        self.server, self.cdn = Server(("127.0.0.1", 0), Handler), Server(("127.0.0.1", 0), Handler)
        for server in self.server, self.cdn:
            server.hub = self
            self.start(server)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        self.repositories, self.faults, self.requests, self.edits = {}, {}, [], {}
        self.page = 3  # files in a page of the list
        self.cdn_host = "localhost"

    @staticmethod
    def start(server):
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def add(self, name, files):
        self.repositories[name] = dict(files)

    def asked(self, ending):
        return [r for r in self.requests if r["path"].split("?")[0].endswith(ending)]

    def secure(self, certificate, key):
        """Listens by https, too, as `tls`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.tls = Server(("127.0.0.1", 0), Handler)
        self.tls.hub = self
        self.tls.socket = context.wrap_socket(self.tls.socket, server_side=True, do_handshake_on_connect=False)
        self.start(self.tls)

    # ---- answers ----

    def answer(self, h):
        at_cdn = h.server is self.cdn
        self.requests.append({"cdn": at_cdn, "path": h.path, "host": h.headers.get("Host"), "range": h.headers.get("Range"),
                              "token": h.headers.get("Authorization")})
        path = urllib.parse.unquote(urllib.parse.urlsplit(h.path).path)
        for pattern, act in ((r"/cdn/([^/]+/[^/]+)/(.+)", self.cdn_file), (r"/api/models/([^/]+/[^/]+)/revision/(.+)", self.revision),
                             (r"/api/models/([^/]+/[^/]+)/tree/(.+)", self.tree),
                             (r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", self.file)):
            found = re.fullmatch(pattern, path)
            if not found:
                continue
            if found[1] not in self.repositories:
                return h.reply(401, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")
            todo = self.faults.get(("cdn/" if at_cdn else "") + found[2])
            if todo:
                return todo.pop(0)(h, self.repositories[found[1]].get(found[2], b""))
            return act(h, found[1], found[2])
        return h.reply(404, X_Error_Code="EntryNotFound")

    def revision(self, h, name, revision):
        if revision not in ("main", "refs/pr/1", "v1", "v1/fix", self.COMMIT):
            return h.reply(404, X_Error_Code="RevisionNotFound", X_Error_Message="Invalid rev id")
        return h.reply(200, json.dumps({"id": name, "sha": self.COMMIT, "siblings": []}).encode())

    def entries(self, name):
        yield {"type": "directory", "oid": "0" * 40, "size": 0, "path": "folder"}
        for path, data in self.repositories[name].items():
            entry = {"type": "file", "oid": digest_of(data), "size": len(data), "path": path}
            if len(data) > LARGE:
                entry["oid"] = hashlib.sha1(b"a pointer").hexdigest()
                entry["lfs"] = {"oid": digest_of(data), "size": len(data), "pointerSize": 134}
            yield self.edits.get(path, lambda e: e)(entry)

    def tree(self, h, name, commit):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(h.path).query)
        at = int(query.get("cursor", ["0"])[0])
        entries, headers = list(self.entries(name)), {}
        if at + self.page < len(entries):
            headers["Link"] = (f'<{self.endpoint}/api/models/{name}/tree/{commit}?recursive=true&cursor={at + self.page}>; '
                               'rel="next"')
        return h.reply(200, json.dumps(entries[at:at + self.page]).encode(), **headers)

    def file(self, h, name, path):
        data = self.repositories[name].get(path)
        if data is None:
            return h.reply(404, X_Error_Code="EntryNotFound")
        words = {"X_Repo_Commit": self.COMMIT, "ETag": f'"{digest_of(data)}"'}
        if len(data) <= LARGE:
            return h.send_data(data, **words)
        words.update(ETag='"pointer"', X_Linked_Etag=f'"{digest_of(data)}"', X_Linked_Size=str(len(data)))
        there = f"http://{self.cdn_host}:{self.cdn.server_port}/cdn/{name}/{urllib.parse.quote(path)}?signature=abc"
        return h.reply(302, b"on your way", Location=there, **words)

    def cdn_file(self, h, name, path):
        return h.send_data(self.repositories[name][path], ETag='"another-name-of-it"')

    def close(self):
        for server in self.server, self.cdn:
            server.shutdown()
            server.server_close()
