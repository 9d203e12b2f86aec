import { lookup } from 'node:dns/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHostRegistries, samples } from './host-registries.ts';
import { buildTimeoutMs, type Internet, openInternet, shell } from './internet.ts';

const registries = await readHostRegistries();
const installTimeoutMs = 5 * 60_000;

let internet: Internet;
beforeAll(async () => {
  internet = await openInternet(registries);
}, buildTimeoutMs);
afterAll(async () => {
  await internet?.[Symbol.asyncDispose]();
});
const run = (script: string): Promise<string> => shell(internet.sprite, script);

describe('packages', { timeout: installTimeoutMs }, () => {
  const { pip, npm } = registries;

  it.skipIf(pip.unreachable)(`install by pip as user, without flags${reason(pip.unreachable)}`, async () => {
    await run(`pip install ${samples.pip}`);
    expect(await run(`command -v ${samples.pip}`)).toBe(`/home/sprite/.local/bin/${samples.pip}\n`);
    expect(await run(`python -c 'import ${samples.pip} as it; print(it.__name__)'`)).toBe(`${samples.pip}\n`);
  });

  it.skipIf(pip.unreachable)(`install by pip in a venv${reason(pip.unreachable)}`, async () => {
    await run(`python -m venv v && v/bin/pip install ${samples.pip} && v/bin/${samples.pip} --help`);
  });

  it.skipIf(npm.unreachable)(
    `install by npm -g as user, without flags${reason(npm.unreachable)}`,
    async () => {
      await run(`npm install -g ${samples.npm}`);
      expect(await run(`${samples.npm} 1.2.3`)).toBe('1.2.3\n');
      expect(await run(`fish -lc '${samples.npm} 1.2.3'`)).toBe('1.2.3\n');
    },
  );

  it.skipIf(npm.unreachable)(`install by npm in a folder${reason(npm.unreachable)}`, async () => {
    await run(`mkdir app && cd app && npm init -y && npm install ${samples.npm}`);
    expect(await run(`cd app && node -p 'require("${samples.npm}").valid("1.2.3")'`)).toBe('1.2.3\n');
  });

  it('install by apt with sudo', async () => {
    const conf = '/etc/apt/apt.conf.d/99host';
    await run(`sudo tee ${conf} > /dev/null <<'END'\n${registries.aptOptions}END`);
    await run(`sudo apt-get update && sudo apt-get install -y ${samples.apt}`);
    expect(await run(samples.apt)).toBe('Hello, world!\n');
  });

  it('of the image can be removed and come back', async () => {
    await run('sudo apt-get remove -y jq && ! command -v jq && sudo apt-get install -y jq && jq --version');
  });
});

describe('names', () => {
  it.skipIf(registries.pip.unreachable)('resolve to what this host resolves them to', async () => {
    const { host } = registries.pip;
    const addresses = (await lookup(host, { all: true, family: 4 })).map(({ address }) => address);
    expect(addresses).toContain((await run(`getent ahostsv4 ${host} | head -n 1 | cut -d ' ' -f 1`)).trim());
  });

  it('that do not exist are told apart from a resolver that does not answer', async () => {
    const script = `python3 -c 'import socket; socket.getaddrinfo("no-such-name.invalid", 80)' 2>&1 || true`;
    expect(await run(script)).toContain('Name or service not known');
  });
});

describe('an extra authority', () => {
  const python = (url: string): string =>
    `import urllib.request as r; print(r.urlopen("${url}").read().decode())`;
  const node = (url: string): string => `require("node:https").get("${url}", (a) => a.pipe(process.stdout))`;

  it.each<readonly [string, (url: string) => string]>([
    ['the system store', (url) => `wget -qO- ${url}`],
    ['curl', (url) => `curl -sS ${url}`],
    ['curl of root', (url) => `sudo curl -sS ${url}`],
    ['curl in a login shell', (url) => `env -i HOME=$HOME bash -lc 'curl -sS ${url}'`],
    ['https of Node.js', (url) => `node -e '${node(url)}'`],
    [
      'fetch of Node.js',
      (url) => `node -p '"";fetch("${url}").then((a) => a.text()).then(console.log)' | grep hello`,
    ],
    ['Node.js of root', (url) => `sudo node -e '${node(url)}'`],
    ['Python', (url) => `python -c '${python(url)}'`],
    ['Python of root', (url) => `sudo python3 -c '${python(url)}'`],
  ])('is trusted by %s', async (_, command) => {
    expect((await run(command(`${internet.gitHost.url}/hello`))).trim()).toBe('hello');
  });

  it.skipIf(registries.pip.unreachable)(
    'is trusted by requests of Python',
    { timeout: installTimeoutMs },
    async () => {
      await run('pip install requests');
      const script = `import requests; print(requests.get("${internet.gitHost.url}/hello").text)`;
      expect(await run(`python -c '${script}'`)).toBe('hello\n');
    },
  );

  it('is trusted by git, which clones over HTTPS', async () => {
    expect(await run(`git clone -q ${internet.gitHost.url}/demo.git && cat demo/README`)).toBe('cloned\n');
    expect(await run(`sudo git ls-remote ${internet.gitHost.url}/demo.git HEAD`)).toMatch(
      /^[0-9a-f]{40}\tHEAD\n$/,
    );
  });

  it('is the only reason: a program that does not look there refuses the server', async () => {
    const script = `curl --cacert /dev/null -sS ${internet.gitHost.url}/hello`;
    const bare = `env -u NODE_EXTRA_CA_CERTS node -e '${node(`${internet.gitHost.url}/hello`)}'`;
    await expect(run(script)).rejects.toThrow('exit code');
    await expect(run(bare)).rejects.toThrow('unable to verify the first certificate');
  });
});

function reason(unreachable: string | undefined): string {
  return unreachable === undefined ? '' : ` (${unreachable})`;
}
