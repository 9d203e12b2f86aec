import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contains, formatAddress, formatCidr, overlaps, parseAddress, parseCidr, size } from './address.ts';
import { planAddresses, slotAddress, slotDevice, slotOfDevice } from './plan.ts';

describe('planAddresses', () => {
  it('derives every name from range and server', () => {
    const plan = planAddresses('10.88.0.0/16', '0123abcd');
    expect(plan).toMatchObject({ gateway: '10.88.0.1', capacity: 65_000, table: 'sprites_0123abcd' });
    expect(slotAddress(plan, 0)).toBe('10.88.0.2');
    expect(slotAddress(plan, plan.capacity - 1)).toBe('10.88.253.233');
    expect(slotDevice(plan, 64_999)).toBe('sp0123abcd64999');
    expect(slotDevice(plan, 64_999).length).toBeLessThanOrEqual(15);
  });

  it('knows its own interfaces and nobody else’s', () => {
    const plan = planAddresses('10.88.0.0/16', '0123abcd');
    expect(slotOfDevice(plan, 'sp0123abcd17')).toBe(17);
    for (const other of ['sp0123abce17', 'sp0123abcd', 'sp0123abcd01', 'sp0123abcdx', 'eth0']) {
      expect(slotOfDevice(plan, other), other).toBeUndefined();
    }
  });

  it.each([
    ['10.88.0.1/16', 'is not a range'],
    ['10.88.0.0/33', 'is not a range'],
    ['fd00::/64', 'is not a range'],
    ['010.1.0.0/16', 'is not a range'],
    ['8.8.0.0/16', 'is not private'],
    ['172.0.0.0/8', 'is not private'],
    ['10.88.0.0/29', 'is too small'],
  ])('refuses %s', (range, why) => {
    expect(() => planAddresses(range, '0123abcd')).toThrow(`SPRITES_NETWORK ${range} ${why}`);
  });
});

describe('addresses', () => {
  it('are the same after writing and reading', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.nat(32), (value, prefixLength) => {
        expect(parseAddress(formatAddress(value))).toBe(value);
        const cidr = { base: value - (value % 2 ** (32 - prefixLength)), prefixLength };
        expect(parseCidr(formatCidr(cidr))).toEqual(cidr);
        expect(contains(cidr, { base: value, prefixLength: 32 })).toBe(true);
        expect(overlaps(cidr, { base: cidr.base + size(cidr), prefixLength: 32 })).toBe(false);
      }),
    );
  });

  it('are never made of anything else', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const value = parseAddress(text);
        if (value !== undefined) expect(formatAddress(value)).toBe(text);
        parseCidr(text);
      }),
    );
  });
});
