/** Colours by meaning; plain text when the stream cannot show them. */
export type Style = {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
};

/** Makes the style of a stream: colours only on a terminal, and never under `NO_COLOR`. */
export function createStyle(stream: { readonly isTTY?: boolean }, noColor: boolean): Style {
  const enabled = stream.isTTY === true && !noColor;
  const sgr = (on: number, off: number) => (text: string) =>
    enabled ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return { bold: sgr(1, 22), dim: sgr(2, 22), good: sgr(32, 39), warn: sgr(33, 39), bad: sgr(31, 39) };
}

/** Makes text from a server or sprite harmless for a terminal: control characters become `?`. */
export function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
}
