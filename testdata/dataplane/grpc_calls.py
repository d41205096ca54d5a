"""Calls of gRPC by grpcio, through whatever stands between: `grpc_calls.py serve` prints its port and serves;
`grpc_calls.py call PORT [KIND..]` makes one call of each kind, or of these, and one attack in each, and prints what
came of them as JSON.

Messages are protobuf with one string (field 1), written by hand, so that no compiler for schemas is needed.
"""

import json
import sys
from concurrent import futures

import grpc

ATTACK = "1' UNION SELECT username, password FROM users-- "


def message(text):
    data = text.encode()
    return b"\x0a" + bytes([len(data)]) + data


def text(data):
    return data[2:].decode()


class Service(grpc.GenericRpcHandler):
    # Messages with an attack that have come here.
    attacks = 0

    def service(self, details):
        return {
            "/test.Shop/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "/test.Shop/Client": grpc.stream_unary_rpc_method_handler(self.client),
            "/test.Shop/Server": grpc.unary_stream_rpc_method_handler(self.server),
            "/test.Shop/Bidi": grpc.stream_stream_rpc_method_handler(self.bidi),
            "/test.Shop/Attacks": grpc.unary_unary_rpc_method_handler(self.attacks_seen),
        }.get(details.method)

    def said(self, request):
        self.attacks += b"UNION" in request
        return text(request)

    def attacks_seen(self, request, context):
        return message(str(self.attacks))

    def unary(self, request, context):
        context.set_trailing_metadata((("x-seen", "1"),))
        return message("hello " + self.said(request))

    def client(self, requests, context):
        return message("+".join(self.said(request) for request in requests))

    def server(self, request, context):
        said = self.said(request)
        for number in range(5):
            yield message(f"{said} {number}")

    def bidi(self, requests, context):
        for request in requests:
            yield message("echo " + self.said(request))


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((Service(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


def outcome(call):
    try:
        return call()
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details()}


def bidi(channel, texts):
    """Sends each message only when the answer to the one before has come: a proxy that waits for the end stalls."""
    answers, told = [], futures.ThreadPoolExecutor(1)
    import queue

    out = queue.Queue()
    stream = channel.stream_stream("/test.Shop/Bidi")(iter(out.get, None), timeout=10)
    for said in texts:
        out.put(message(said))
        answers.append(text(next(stream)))
    out.put(None)
    answers.extend(text(rest) for rest in stream)
    told.shutdown()
    return answers


def call(port, kinds):
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    seen = {}
    for name, word in (("benign", "blue shoes"), ("attack", ATTACK)):
        unary = channel.unary_unary("/test.Shop/Unary")
        gzip = dict(compression=grpc.Compression.Gzip)
        calls = {
            "unary": lambda: outcome(lambda: text(unary(message(word), timeout=10))),
            "unary gzip": lambda: outcome(lambda: text(unary(message(word * 2), timeout=10, **gzip))),
            "client": lambda: outcome(
                lambda: text(
                    channel.stream_unary("/test.Shop/Client")(
                        iter([message("a"), message(word), message("b")]), timeout=10
                    )
                )
            ),
            "server": lambda: outcome(
                lambda: [text(m) for m in channel.unary_stream("/test.Shop/Server")(message(word), timeout=10)]
            ),
            "bidi": lambda: outcome(lambda: bidi(channel, ["one", "two", word, "three"])),
        }
        seen[name] = {kind: call() for kind, call in calls.items() if not kinds or kind in kinds}
    _, made = channel.unary_unary("/test.Shop/Unary").with_call(message("x"), timeout=10)
    seen["trailers"] = dict(made.trailing_metadata())
    seen["attacks at the service"] = text(channel.unary_unary("/test.Shop/Attacks")(message("x"), timeout=10))
    print(json.dumps(seen))


def hold(port):
    import queue

    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    unary = channel.unary_unary("/test.Shop/Unary")
    out = queue.Queue()
    stream = channel.stream_stream("/test.Shop/Bidi")(iter(out.get, None))
    for line in sys.stdin:
        out.put(message(line.strip()))
        print(outcome(lambda: text(next(stream))), "|", outcome(lambda: text(unary(message(line.strip()), timeout=10))), flush=True)
    out.put(None)
    print(outcome(lambda: len(list(stream))), flush=True)


if __name__ == "__main__":
    serve() if sys.argv[1] == "serve" else hold(sys.argv[2]) if sys.argv[1] == "hold" else call(sys.argv[2], sys.argv[3:])
