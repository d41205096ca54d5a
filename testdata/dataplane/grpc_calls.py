"""Calls of gRPC by grpcio, through whatever stands between: `grpc_calls.py serve` prints its port and serves;
`grpc_calls.py call PORT` makes one call of each kind and one attack in each, and prints what came of them as JSON.

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
    def service(self, details):
        return {
            "/test.Shop/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "/test.Shop/Client": grpc.stream_unary_rpc_method_handler(self.client),
            "/test.Shop/Server": grpc.unary_stream_rpc_method_handler(self.server),
            "/test.Shop/Bidi": grpc.stream_stream_rpc_method_handler(self.bidi),
        }.get(details.method)

    def unary(self, request, context):
        context.set_trailing_metadata((("x-seen", "1"),))
        return message("hello " + text(request))

    def client(self, requests, context):
        return message("+".join(text(request) for request in requests))

    def server(self, request, context):
        for number in range(5):
            yield message(f"{text(request)} {number}")

    def bidi(self, requests, context):
        for request in requests:
            yield message("echo " + text(request))


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


def call(port):
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    seen = {}
    for name, word in (("benign", "blue shoes"), ("attack", ATTACK)):
        unary = channel.unary_unary("/test.Shop/Unary")
        gzip = dict(compression=grpc.Compression.Gzip)
        seen[name] = {
            "unary": outcome(lambda: text(unary(message(word), timeout=10))),
            "unary gzip": outcome(lambda: text(unary(message(word * 2), timeout=10, **gzip))),
            "client": outcome(
                lambda: text(
                    channel.stream_unary("/test.Shop/Client")(
                        iter([message("a"), message(word), message("b")]), timeout=10
                    )
                )
            ),
            "server": outcome(
                lambda: [text(m) for m in channel.unary_stream("/test.Shop/Server")(message(word), timeout=10)]
            ),
            "bidi": outcome(lambda: bidi(channel, ["one", "two", word, "three"])),
        }
    _, made = channel.unary_unary("/test.Shop/Unary").with_call(message("x"), timeout=10)
    seen["trailers"] = dict(made.trailing_metadata())
    print(json.dumps(seen))


if __name__ == "__main__":
    serve() if sys.argv[1] == "serve" else call(sys.argv[2])
