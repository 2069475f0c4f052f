"""A loopback proxy that holds every byte back for half a round trip in each direction.

What was sent earlier never waits for what comes later, so pipelined commands cost one round trip together. At most WINDOW
bytes are under way in one direction, as on a real link.
"""
import collections
import socket
import threading
import time

WINDOW = 4 << 20


def pump(source, sink, delay):
    """Carries bytes one way until the source closes, each piece `delay` seconds after it came."""
    waiting, lock = collections.deque(), threading.Condition()
    held = 0

    def write():
        nonlocal held
        while True:
            with lock:
                while not waiting:
                    lock.wait()
                due, data = waiting[0]
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
            except OSError:
                data = b""
            with lock:
                waiting.popleft()
                held -= len(data)
                lock.notify()
            if not data:
                return

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    while True:
        with lock:
            while held > WINDOW and writer.is_alive():
                lock.wait(1)
        try:
            data = source.recv(1 << 18)
        except OSError:
            data = b""
        with lock:
            waiting.append((time.monotonic() + delay, data))
            held += len(data)
            lock.notify()
        if not data or not writer.is_alive():
            return


def start(port, rtt):
    """Listens on a free port and connects through to `port`; `rtt` in seconds. Gives the port it listens on."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve():
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=(*pair, rtt / 2), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]
