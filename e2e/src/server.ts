import { randomBytes } from 'node:crypto';

/** The server that all end-to-end tests share; `global-setup.ts` started it or was told of it. */
export type ServerUnderTest = {
  readonly baseURL: string;
  readonly token: string;
  /** a token of another organisation */
  readonly otherToken: string;
};

export function testServer(): ServerUnderTest {
  return {
    baseURL: required('SPRITES_E2E_URL'),
    token: required('SPRITES_E2E_TOKEN'),
    otherToken: required('SPRITES_E2E_OTHER_TOKEN'),
  };
}

/** A name for a sprite that no other test uses. */
export function uniqueName(kind: string): string {
  return `${kind}-${randomBytes(5).toString('hex')}`;
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name} is not set; run the tests with the e2e project of vitest`);
  return value;
}
