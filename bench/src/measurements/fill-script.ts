const files = 10_000;

/** A shell script that makes `data` in the working directory: so many GB in 10,000 files. */
export function fillScript(sizeGb: number): string {
  const bytes = Math.round((sizeGb * 1e9) / files);
  // the noise is the same in each, behind a number: making more of it would take longer than writing it
  const program = `
import os
noise = os.urandom(${Math.ceil(bytes / 2)})
for n in range(${files}):
    d = f'data/{n // 100}'
    if n % 100 == 0: os.makedirs(d)
    with open(f'{d}/{n}', 'wb') as f:
        f.write(n.to_bytes(8, 'big')); f.write(noise); f.write(noise[: ${bytes} - len(noise) - 8])`;
  return `python3 -c '${program.replaceAll("'", `'"'"'`)}'`;
}
