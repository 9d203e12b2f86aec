import { describe, expect, it } from 'vitest';
import { openUpstreams, parseResolvConf } from './upstreams.ts';

describe('parseResolvConf', () => {
  it('takes the name servers and leaves search domains, comments and nonsense behind', () => {
    const text =
      'search corp.example\n# nameserver 9.9.9.9\nnameserver 10.0.0.2\n nameserver\t::1 # local\nnameserver x\n';
    expect(parseResolvConf(text)).toEqual([
      { address: '10.0.0.2', port: 53, family: 4 },
      { address: '::1', port: 53, family: 6 },
    ]);
  });

  it('takes at most six', () => {
    expect(parseResolvConf('nameserver 10.0.0.2\n'.repeat(20))).toHaveLength(6);
  });
});

describe('openUpstreams', () => {
  it('accepts addresses with and without a port', async () => {
    const upstreams = await openUpstreams(['10.0.0.2', '10.0.0.3:5353', '::1', '[fd00::1]:54'])();
    expect(upstreams.map((each) => `${each.address} ${each.port} ${each.family}`)).toEqual([
      '10.0.0.2 53 4',
      '10.0.0.3 5353 4',
      '::1 53 6',
      'fd00::1 54 6',
    ]);
  });

  it.each(['dns.example', '10.0.0.2:0', '10.0.0.2:99999', ''])('refuses %s', (text) => {
    expect(() => openUpstreams([text])).toThrow(`name server ${text} is not`);
  });
});
