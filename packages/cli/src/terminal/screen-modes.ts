/** Private modes that outlive the program that set them, with what makes a terminal usable again. */
const resets: Readonly<Record<string, string>> = {
  '1': '\x1b[?1l',
  '9': '\x1b[?9l',
  '1000': '\x1b[?1000l',
  '1002': '\x1b[?1002l',
  '1003': '\x1b[?1003l',
  '1004': '\x1b[?1004l',
  '1005': '\x1b[?1005l',
  '1006': '\x1b[?1006l',
  '1015': '\x1b[?1015l',
  '1016': '\x1b[?1016l',
  '2004': '\x1b[?2004l',
  '2026': '\x1b[?2026l',
  '47': '\x1b[?47l',
  '1047': '\x1b[?1047l',
  '1049': '\x1b[?1049l',
};

/** Longest piece of a sequence kept between two chunks. */
const maxTail = 64;

/**
 * Watches the output of a remote terminal program for modes it switches on: mouse, bracketed paste, alternate screen,
 * hidden cursor, keyboard protocols. `reset()` is what must be written when the program is left while it runs.
 */
export class ScreenModes {
  readonly #on = new Set<string>();
  #cursorHidden = false;
  #keyboardLevels = 0;
  #keypad = false;
  #modifyOtherKeys = false;
  #tail = '';

  see(chunk: Uint8Array): void {
    const text = this.#tail + Buffer.from(chunk).toString('latin1');
    const pattern = /\x1b(?:\[\?([\d;]+)([hl])|\[([><])([\d;]*)([um])|([=>])|c)/g;
    let seen = 0;
    for (const match of text.matchAll(pattern)) {
      this.#apply(match);
      seen = match.index + match[0].length;
    }
    const start = text.lastIndexOf('\x1b');
    this.#tail = start >= seen && text.length - start <= maxTail ? text.slice(start) : '';
  }

  /** Whether a program has taken the whole screen. */
  get isFullScreen(): boolean {
    return ['47', '1047', '1049'].some((mode) => this.#on.has(mode));
  }

  reset(): string {
    const parts = [...this.#on].map((mode) => resets[mode] ?? '');
    if (this.#keyboardLevels > 0) parts.push(`\x1b[<${this.#keyboardLevels}u`);
    if (this.#modifyOtherKeys) parts.push('\x1b[>4m');
    if (this.#keypad) parts.push('\x1b>');
    if (this.#cursorHidden) parts.push('\x1b[?25h');
    return parts.length === 0 ? '' : `${parts.join('')}\x1b[0m`;
  }

  #apply([, modes, action, keyboard, parameters, final, keypad]: RegExpExecArray): void {
    if (modes !== undefined) for (const mode of modes.split(';')) this.#set(mode, action === 'h');
    else if (final === 'u') this.#setKeyboard(keyboard === '>', parameters ?? '');
    else if (final === 'm') this.#modifyOtherKeys = /^4;[1-9]/.test(parameters ?? '');
    else if (keypad !== undefined) this.#keypad = keypad === '=';
    else this.#forget();
  }

  #set(mode: string, on: boolean): void {
    if (mode === '25') this.#cursorHidden = !on;
    else if (on && Object.hasOwn(resets, mode)) this.#on.add(mode);
    else this.#on.delete(mode);
  }

  #setKeyboard(push: boolean, parameters: string): void {
    const levels = push ? 1 : -(Number.parseInt(parameters, 10) || 1);
    this.#keyboardLevels = Math.min(16, Math.max(0, this.#keyboardLevels + levels));
  }

  #forget(): void {
    this.#on.clear();
    this.#cursorHidden = false;
    this.#keyboardLevels = 0;
    this.#keypad = false;
    this.#modifyOtherKeys = false;
  }
}
