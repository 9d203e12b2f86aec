import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHostRegistries } from './host-registries.ts';
import { buildTimeoutMs, type Internet, openInternet, shell } from './internet.ts';

/** Each program with a command that only succeeds when it really works. */
const programs: Readonly<Record<string, string>> = {
  bash: `bash -c 'true'`,
  zsh: `zsh -lic 'true'`,
  fish: `fish -lc 'true'`,
  python3: `python3 -c 'import ssl, sqlite3, ctypes, lzma'`,
  python: `python -c 'import sys; assert sys.version_info >= (3, 11)'`,
  pip: `pip --version`,
  venv: `python3 -m venv v && v/bin/python -c 'import sys; assert sys.prefix != sys.base_prefix' && v/bin/pip --version`,
  node: `node -e 'require("node:crypto").randomUUID()'`,
  npm: `npm --version`,
  npx: `npx --version`,
  git: `git init -q g && cd g && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one && git log`,
  curl: `curl --version | grep -w https`,
  wget: `wget --version | grep -w +https`,
  vim: `echo one > v.txt && vim -es -u NONE -c '%s/one/two/' -c 'wq' v.txt && grep two v.txt`,
  nano: `nano --version`,
  gcc: `printf 'int main(void) { return 0; }' > c.c && gcc c.c -o c && ./c`,
  'g++': `printf '#include <iostream>\\nint main() { std::cout << 1; }' > p.cc && g++ p.cc -o p && test "$(./p)" = 1`,
  make: `printf 'all:\\n\\t@echo made\\n' > Makefile && make | grep made`,
  tmux: `tmux new-session -d 'sleep 60' && tmux list-sessions && tmux kill-server`,
  jq: `test "$(echo '{"a":[1,2]}' | jq '.a[1]')" = 2`,
  rg: `echo needle > hay.txt && rg -q needle hay.txt`,
  ps: `ps -ef | grep -q agent`,
  top: `top -bn1`,
  ip: `ip -4 -json address | jq -e '.[] | select(.ifname != "lo") | .addr_info[0].local'`,
  ss: `ss -tln`,
  ssh: `ssh -V`,
  'ssh-keygen': `ssh-keygen -q -t ed25519 -N '' -f key && test -s key.pub`,
  sudo: `test "$(sudo -n id -u)" = 0`,
  'update-ca-certificates': `test -s /etc/ssl/certs/ca-certificates.crt`,
};

describe('image standard', () => {
  let internet: Internet;
  beforeAll(async () => {
    internet = await openInternet(await readHostRegistries());
  }, buildTimeoutMs);
  afterAll(async () => {
    await internet?.[Symbol.asyncDispose]();
  });
  const run = (script: string): Promise<string> => shell(internet.sprite, script);

  it('runs commands as user sprite, who is at home and may become root', async () => {
    expect(await run('id -un; id -u; id -g; pwd; echo $HOME; sudo -n id -un')).toBe(
      'sprite\n1000\n1000\n/home/sprite\n/home/sprite\nroot\n',
    );
  });

  it('is Debian trixie', async () => {
    expect(await run('. /etc/os-release; echo $ID $VERSION_CODENAME')).toBe('debian trixie\n');
  });

  it('brings every program it promises, and each works', async () => {
    const checks = Object.entries(programs).map(
      ([name, command]) =>
        `if said=$(cd "$(mktemp -d)" && { ${command}; } 2>&1); then echo '${name}'; else echo "${name} fails: $said"; fi`,
    );
    const lines = (await run(checks.join('\n'))).trim().split('\n');
    expect(lines).toEqual(Object.keys(programs));
  });

  it.each(['bash', 'zsh', 'fish'])('gives a clean login of %s the environment of a command', async (name) => {
    const script = 'echo "$PATH" | cut -d: -f1; echo "$LANG" "$PIP_CERT"; command -v node python git';
    const login = `env -i HOME=$HOME USER=sprite TERM=xterm /usr/bin/${name} -lc '${script}'`;
    expect(await run(login)).toBe(await run(script));
  });

  it.each(['zsh', 'fish'])('leaves the PATH of a venv to %s', async (name) => {
    const login = `/usr/bin/${name} -lc 'command -v python'`;
    expect(await run(`python -m venv env && . env/bin/activate && ${login}`)).toBe(
      '/home/sprite/env/bin/python\n',
    );
  });

  it('speaks UTF-8', async () => {
    expect(await run(`locale charmap; python3 -c 'print("ü")'`)).toBe('UTF-8\nü\n');
  });

  it('keeps what its user changes in the system', async () => {
    await run('sudo sh -c "echo kept > /etc/kept" && sudo mv /usr/share/git-core /usr/share/git-moved');
    expect(await run('cat /etc/kept; ls /usr/share/git-moved | grep templates')).toBe('kept\ntemplates\n');
  });
});
