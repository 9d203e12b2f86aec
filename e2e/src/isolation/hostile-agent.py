# Takes the place of the agent: stops it, takes the listening socket from the sprite's first process, and answers the
# server as the first word of the command asks. `end` gives the agent its place back. Prints `ready` when in place.
import ctypes, os, re, socket, sys, threading, time

libc = ctypes.CDLL(None, use_errno=True)
ending = threading.Event()


def call(number, *args):
    return libc.syscall(ctypes.c_long(number), *[ctypes.c_long(arg) for arg in args])


# No signal from inside stops the first process; a tracer does. Only the thread that stopped it can let it go.
def stop(pid):
    if call(101, 0x4206, pid, 0, 0) != 0 or call(101, 0x4207, pid, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), 'ptrace')
    os.waitpid(pid, 0x40000000)


def let_go(pid):
    call(101, 17, pid, 0, 0)


def read_head(peer):
    head = b''
    while b'\r\n\r\n' not in head and len(head) < 1 << 20:
        part = peer.recv(65536)
        if not part:
            break
        head += part
    return head


def flood(peer, start, part):
    peer.sendall(start)
    while True:
        peer.sendall(part)


def drip(peer):
    while True:
        peer.sendall(b'H')
        time.sleep(0.1)


ok = b'HTTP/1.1 200 OK\r\n'
switch = b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
forged = ok + b'Content-Type: application/json\r\nContent-Length: 8\r\n\r\n"forged"'
answers = {
    'nothing': lambda peer: peer.shutdown(socket.SHUT_RDWR),
    'silence': lambda peer: time.sleep(60),
    'garbage': lambda peer: peer.sendall(bytes(range(256)) * 64),
    'headers': lambda peer: flood(peer, ok, b'A: b\r\n' * 100),
    'header': lambda peer: flood(peer, ok + b'A: ', b'b' * 1000),
    'interim': lambda peer: flood(peer, b'', b'HTTP/1.1 102 Processing\r\n\r\n' * 50),
    'drip': drip,
    'switch': lambda peer: peer.sendall(switch + b'\r\n'),
    'lengths': lambda peer: peer.sendall(ok + b'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n' + forged),
    'short': lambda peer: (peer.sendall(ok + b'Content-Length: 100\r\n\r\nabc'), peer.shutdown(socket.SHUT_RDWR)),
    'long': lambda peer: peer.sendall(ok + b'Content-Length: 3\r\n\r\nabc' + forged),
    'chunks': lambda peer: flood(peer, ok + b'Transfer-Encoding: chunked\r\n\r\n', b'fffffffffffffffffffff\r\n'),
    'status': lambda peer: peer.sendall(b'HTTP/1.1 000 No\r\n\r\n'),
    'body': lambda peer: flood(peer, ok + b'\r\n', b'\0' * 65536),
    'extra': lambda peer: peer.sendall(ok + b'Set-Cookie: a=b\r\nX-Own: c\r\nContent-Length: 2\r\n\r\nok'),
    'split': lambda peer: (peer.sendall(ok + b'Connection: keep-alive\r\nContent-Length: 0\r\n\r\n' + forged), peer.recv(1)),
    'refuse': lambda peer: flood(peer, b'HTTP/1.1 404 Not Found\r\n\r\n', b'x' * 65536),
    'join': lambda peer: (peer.sendall(switch + b'Set-Cookie: a=b\r\nX-Own: c\r\n\r\n'), peer.recv(1)),
    'end': lambda peer: (peer.sendall(ok + b'Content-Length: 0\r\n\r\n'), ending.set()),
}


def serve(peer):
    try:
        head = read_head(peer)
        os.write(seen, head + b'\n')
        asked = re.search(rb'cmd=(\w+)', head)
        answers[asked.group(1).decode() if asked else 'nothing'](peer)
        while True:
            part = peer.recv(65536)
            if not part:
                break
            os.write(seen, part)
    except OSError:
        pass
    finally:
        peer.close()


seen = os.open('/root/seen', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
agent = 1
listener = socket.socket(fileno=call(438, call(434, agent, 0), 3, 0))
if os.fork() > 0:
    print('ready')
    sys.exit(0)
os.setsid()
for number in (0, 1, 2):
    os.dup2(os.open('/dev/null', os.O_RDWR), number)
# what the server already reads must be on its way before the agent stops
time.sleep(0.5)
stop(agent)
listener.settimeout(0.2)
until = time.time() + 120
while not ending.is_set() and time.time() < until:
    try:
        peer, _ = listener.accept()
        peer.settimeout(60)
        threading.Thread(target=serve, args=(peer,), daemon=True).start()
    except OSError:
        pass
let_go(agent)
os._exit(0)
