/** Whether `name` matches a glob with `*`, `?` and `[a-z]`, in time proportional to both. */
export function matchesGlob(pattern: string, name: string): boolean {
  const tokens = parse(pattern);
  const chars = [...name];
  let [at, token, star, starAt] = [0, 0, -1, 0];
  while (at < chars.length) {
    const one = tokens[token];
    if (one === '*') {
      [star, starAt] = [token++, at];
    } else if (one?.(chars[at] ?? '') === true) {
      at++;
      token++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (tokens[token] === '*') token++;
  return token === tokens.length;
}

type Token = '*' | ((char: string) => boolean);

function parse(pattern: string): readonly Token[] {
  return (pattern.match(/\[[!^]?\]?[^\]]*\]|\\?./gsu) ?? []).map(toToken);
}

function toToken(text: string): Token {
  if (text === '*') return '*';
  if (text === '?') return () => true;
  if (text.length > 2 && text.startsWith('[')) return toSet(text.slice(1, -1));
  const literal = text.startsWith('\\') && text.length > 1 ? text.slice(1) : text;
  return (char) => char === literal;
}

function toSet(text: string): Token {
  const negated = /^[!^]/.test(text);
  const ranges = (negated ? text.slice(1) : text).match(/.-.|./gsu) ?? [];
  const has = (char: string): boolean =>
    ranges.some((range) => {
      const [from = '', dash, to] = [...range];
      return dash === undefined || to === undefined ? char === range : char >= from && char <= to;
    });
  return (char) => has(char) !== negated;
}
