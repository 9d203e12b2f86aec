import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf, emptyAnswer, isAnswerTo, parseQuery, type Query, refusal, withId } from './message.ts';

const label = fc
  .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 })
  .map((text) => text.replaceAll('.', '-'));

/** A query as a resolver would send it, with an OPT record behind the question. */
function query(labels: readonly string[], recordType: number, id = 0x1234): Buffer {
  const name = labels.map((each) => Buffer.concat([Buffer.of(each.length), Buffer.from(each, 'latin1')]));
  const header = Buffer.of(id >> 8, id & 255, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 1);
  const opt = Buffer.of(0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0);
  return Buffer.concat([header, ...name, Buffer.of(0, recordType >> 8, recordType & 255, 0, 1), opt]);
}

function parsed(bytes: Uint8Array): Query {
  const result = parseQuery(bytes);
  if (result.type !== 'query') throw new Error(`parsed as ${result.type}`);
  return result;
}

describe('parseQuery', () => {
  it('reads name, type and id of any well-formed query', () => {
    fc.assert(
      fc.property(fc.array(label, { maxLength: 8 }), fc.nat(65535), fc.nat(65535), (labels, type, id) => {
        expect(parsed(query(labels, type, id))).toMatchObject({
          id,
          name: labels.join('.').toLowerCase(),
          recordType: type,
        });
      }),
    );
  });

  it('never throws on hostile bytes, and every answer it leads to is an answer', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.tuple(fc.array(label, { maxLength: 4 }), fc.nat(400), fc.nat(255)).map(([labels, at, value]) => {
        const bytes = query(labels, 1);
        bytes[at % bytes.length] = value;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(hostile, (bytes) => {
        const result = parseQuery(bytes);
        if (result.type === 'query') expect(isAnswerTo(result, result.id, emptyAnswer(result, 2))).toBe(true);
        if (result.type === 'refuse') expect(codeOf(refusal(bytes, result.code))).toBe(result.code);
      }),
      { numRuns: 2000 },
    );
  });

  it('ignores answers and fragments, refuses other operations and pointers', () => {
    const answer = query(['a'], 1);
    answer[2] = 0x81;
    expect(parseQuery(answer).type).toBe('ignore');
    expect(parseQuery(query(['a'], 1).subarray(0, 11)).type).toBe('ignore');
    expect(parseQuery(Buffer.alloc(5000)).type).toBe('ignore');
    const update = query(['a'], 1);
    update[2] = 0x28;
    expect(parseQuery(update)).toMatchObject({ type: 'refuse', code: 4 });
    const pointer = Buffer.from(query(['abc'], 1)).fill(0xc0, 12, 13);
    expect(parseQuery(pointer)).toMatchObject({ type: 'refuse', code: 1 });
  });
});

describe('isAnswerTo', () => {
  it('accepts an answer to the question in another case, and nothing to another question or id', () => {
    const asked = parsed(query(['example', 'com'], 1));
    const answer = (labels: string[], type: number): Uint8Array => emptyAnswer(parsed(query(labels, type)));
    expect(isAnswerTo(asked, 0x1234, answer(['eXample', 'COM'], 1))).toBe(true);
    expect(isAnswerTo(asked, 0x1235, answer(['example', 'com'], 1))).toBe(false);
    expect(isAnswerTo(asked, 0x1234, answer(['example', 'org'], 1))).toBe(false);
    expect(isAnswerTo(asked, 0x1234, answer(['example', 'com'], 28))).toBe(false);
    expect(isAnswerTo(asked, 0x1234, asked.bytes)).toBe(false);
  });

  it('accepts a refusal without the question', () => {
    const asked = parsed(query(['example', 'com'], 1));
    expect(isAnswerTo(asked, 0x1234, refusal(asked.bytes, 5))).toBe(true);
    expect(isAnswerTo(asked, 0x1234, refusal(asked.bytes, 0))).toBe(false);
  });

  it('never throws on hostile bytes', () => {
    const asked = parsed(query(['example', 'com'], 1));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const forged = Uint8Array.from(bytes);
        forged.set([0x12, 0x34, 0x80].slice(0, forged.length));
        isAnswerTo(asked, 0x1234, forged);
      }),
    );
  });
});

describe('withId', () => {
  it('changes the id of a copy and nothing else', () => {
    const bytes = query(['example', 'com'], 1);
    const copy = withId(bytes, 0xabcd);
    expect([copy[0], copy[1]]).toEqual([0xab, 0xcd]);
    expect(Buffer.from(copy).subarray(2)).toEqual(bytes.subarray(2));
    expect(bytes[0]).toBe(0x12);
  });
});
