/**
 * A program that stands for the internet: it echoes TCP on port 80 of all its addresses, and answers DNS by UDP and TCP
 * from a zone given as JSON: name to a list of `[type, data, ttl]`, type 1 with an address or type 5 with a name. A name
 * that begins with `*.` answers for all below it, and `crowd<n>.` has a thousand addresses.
 */
export const zoneServer = `
import json, socket, struct, sys, threading
zone = json.loads(sys.argv[1]) if len(sys.argv) > 1 else ZONE
def wire(name):
    return b''.join(bytes([len(l)]) + l.encode() for l in name.split('.') if l) + b'\\x00'
def find(name):
    if name.startswith('crowd'):
        n = int(name[5:].split('.')[0]); return [(1, '100.%d.%d.%d' % (n + 1, i >> 8, i & 255), 3600) for i in range(1000)]
    if name in zone: return zone[name]
    for at in range(len(name)):
        if name[at] == '.' and '*' + name[at:] in zone: return zone['*' + name[at:]]
    return None
def answer(q, tcp):
    end, labels = 12, []
    while q[end]:
        labels.append(q[end+1:end+1+q[end]].decode('latin1').lower()); end += q[end] + 1
    end += 5
    name, records, found = '.'.join(labels), [], True
    for _ in range(20):
        rows = find(name)
        if rows is None: found = bool(records); break
        records += [(name, *row) for row in rows]
        alias = [row[1] for row in rows if row[0] == 5]
        if not alias: break
        name = alias[0]
    body = b''
    for owner, kind, data, ttl in records:
        data = socket.inet_aton(data) if kind == 1 else wire(data)
        body += wire(owner) + struct.pack('>HHIH', kind, 1, ttl, len(data)) + data
    flags = b'\\x81\\x80' if found else b'\\x81\\x83'
    whole = q[:2] + flags + struct.pack('>HHHH', 1, len(records), 0, 0) + q[12:end] + body
    if len(whole) > 512 and not tcp: return q[:2] + b'\\x83\\x80\\x00\\x01' + bytes(6) + q[12:end]
    return whole
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 53))
    while True:
        q, a = s.recvfrom(4096); s.sendto(answer(q, False), a)
def serve(port, f):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('0.0.0.0', port)); s.listen(64)
    while True:
        c, a = s.accept(); threading.Thread(target=f, args=(c, a), daemon=True).start()
def dns(c, a):
    q = c.recv(4096)
    r = answer(q[2:], True); c.sendall(struct.pack('>H', len(r)) + r); c.close()
def echo(c, a):
    try:
        while True:
            d = c.recv(4096)
            if not d: return
            if d == b'stream\\n':
                import time
                while True: c.sendall(b'x'); time.sleep(0.05)
            c.sendall(d)
    except OSError: pass
threading.Thread(target=udp, daemon=True).start()
threading.Thread(target=serve, args=(53, dns), daemon=True).start()
print('ready')
serve(80, echo)
`;
