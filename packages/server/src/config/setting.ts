import { z } from 'zod';

/** One setting of the server: its variable, its flag, what it may be, and what `--help` says of it. */
export type Setting<S extends z.ZodType = z.ZodType> = {
  readonly env: string;
  readonly flag: string;
  readonly placeholder: string;
  readonly help: string;
  /** what is allowed, in words, for errors and help */
  readonly range: string;
  readonly schema: S;
  /** text used when neither flag nor variable is given; undefined leaves the setting out */
  readonly fallback?: string;
  /** true when the value must never be printed */
  readonly secret?: boolean;
};

/** Declares a setting and keeps its exact type. */
export function defineSetting<const S extends Setting>(setting: S): S {
  return setting;
}

export const wholeNumber = (min: number, max: number): z.ZodType<number, string> =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(min).max(max)) as unknown as z.ZodType<
    number,
    string
  >;

export const text = z.string().min(1);
export const absolutePath = z.string().regex(/^\/[^\0]*$/);
export const onOff = z.enum(['on', 'off']).transform((value) => value === 'on');
