import type { Sprite } from '@sprites/sdk';

/**
 * Prints every fact of every file that a sprite has changed or could have: names, kinds, modes, owners, times, targets, links,
 * allocated holes, attributes and hashes of contents. As root, through the whole tree but what belongs to the machine.
 */
const script = `
import hashlib, os, stat, sys
root = os.open('/', os.O_RDONLY)
own = {b'/proc', b'/sys', b'/dev', b'/.sprite', b'/tmp', b'/run'}
# what names the machine is its own after a move
named = {b'/etc/hostname', b'/etc/hosts', b'/etc/machine-id', b'/etc/resolv.conf'}
first, lines = {}, []
def facts(path):
    st = os.lstat(path)
    kind, extra = stat.S_IFMT(st.st_mode), b''
    if kind == stat.S_IFLNK: extra = os.readlink(path)
    if kind == stat.S_IFREG:
        digest = hashlib.sha256()
        with open(path, 'rb') as f:
            for block in iter(lambda: f.read(1 << 20), b''): digest.update(block)
        extra = digest.hexdigest().encode()
        if st.st_nlink > 1: extra += b' = ' + first.setdefault((st.st_dev, st.st_ino), path)
    attributes = [(n, os.getxattr(path, n, follow_symlinks=False)) for n in sorted(os.listxattr(path, follow_symlinks=False))]
    size = 0 if kind == stat.S_IFDIR else st.st_size
    links = 0 if kind == stat.S_IFDIR else st.st_nlink
    # it changes with the files that name the machine
    mtime = 0 if path == b'/etc' else st.st_mtime_ns
    lines.append(repr((path, oct(st.st_mode), st.st_uid, st.st_gid, size, links, mtime, extra, attributes)))
def walk(path):
    if path in own: return
    if path not in named: facts(path)
    if stat.S_ISDIR(os.lstat(path).st_mode):
        for name in sorted(os.listdir(path)): walk(os.path.join(path, name))
sys.setrecursionlimit(10000)
for top in sys.argv[1:]: walk(os.fsencode(top))
text = '\\n'.join(lines)
print(text if os.environ.get('FACTS') else hashlib.sha256(text.encode()).hexdigest())
`;

/** One hash over every fact of the whole tree, or of the part of it below `top`. */
export async function hashWhole(sprite: Sprite, top = '/'): Promise<string> {
  const { stdout } = await sprite.execFile('sudo', ['python3', '-c', script, top]);
  return stdout.trim();
}

/** The facts themselves, a line for each file, for when two hashes differ. */
export async function listWhole(sprite: Sprite, top = '/'): Promise<readonly string[]> {
  const { stdout } = await sprite.execFile('sudo', ['FACTS=1', 'python3', '-c', script, top]);
  return stdout.trim().split('\n');
}
