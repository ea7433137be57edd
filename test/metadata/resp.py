"""What python-guide.py needs of the package redis, for machines that have only Python."""

import socket


class Redis:
    def __init__(self, host, port, db):
        self.socket = socket.create_connection((host, port))
        self.replies = self.socket.makefile("rb")
        self.send("SELECT", db)

    def send(self, *arguments):
        parts = [str(each).encode() for each in arguments]
        request = b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in parts)
        self.socket.sendall(b"*%d\r\n%s" % (len(parts), request))
        line = self.replies.readline()[:-2]
        if line[:1] == b"-":
            raise RuntimeError(line[1:].decode())
        if line[:1] == b"$":
            length = int(line[1:])
            return None if length < 0 else self.replies.read(length + 2)[:-2]
        return int(line[1:]) if line[:1] == b":" else line[1:]

    def fcall(self, function, numkeys, *keys_and_args):
        return self.send("FCALL", function, numkeys, *keys_and_args)

    def hget(self, name, key):
        return self.send("HGET", name, key)
