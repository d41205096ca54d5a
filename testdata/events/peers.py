"""Peers of sinks and webhooks over TLS, as other programs are: Python's ssl, not ours. For the tests of `tls_outlets.rs`.

peers.py syslog CRT KEY   RFC 5425: prints each message on a line; hangs up after the second, right behind it
peers.py smtp CRT KEY     ESMTP with STARTTLS and AUTH PLAIN after it: prints what it is told, `TLS` where that began

The first line is the port.
"""

import socket
import ssl
import sys


def main():
    what, certificate, key = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    say(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        try:
            (syslog if what == "syslog" else smtp)(connection, context)
        except (OSError, ssl.SSLError, EOFError) as error:
            say(f"broken: {error}")


def say(text):
    print(text, flush=True)


def syslog(connection, context):
    with context.wrap_socket(connection, server_side=True) as stream:
        reader = stream.makefile("rb")
        for _ in range(2):
            length = b""
            while (byte := reader.read(1)) != b" ":
                if not byte:
                    return
                length += byte
            say(reader.read(int(length)).decode())


def smtp(connection, context):
    stream, is_tls = connection, False
    reader = stream.makefile("rb")
    stream.sendall(b"220-peer\r\n220 ready\r\n")
    while True:
        line = reader.readline()
        if not line:
            return
        line = line.decode().rstrip("\r\n")
        say(line)
        word = line.split(" ")[0].upper()
        if word == "EHLO":
            stream.sendall(b"250-peer\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n" if not is_tls else b"250-peer\r\n250 AUTH PLAIN\r\n")
        elif word == "STARTTLS":
            stream.sendall(b"220 go on\r\n")
            stream, is_tls = context.wrap_socket(connection, server_side=True), True
            reader = stream.makefile("rb")
            say("TLS")
        elif word == "AUTH":
            stream.sendall(b"235 welcome\r\n" if is_tls else b"538 not without TLS\r\n")
        elif word == "DATA":
            stream.sendall(b"354 go on\r\n")
            while (line := reader.readline().decode().rstrip("\r\n")) != ".":
                say(line)
            stream.sendall(b"250 taken\r\n")
        elif word == "QUIT":
            stream.sendall(b"221 bye\r\n")
            return
        else:
            stream.sendall(b"250 ok\r\n")


main()
