import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { listSources, root } from '../tree.ts';

/** Every link of a Markdown file that leads nowhere in this repository, as `file: link`. */
export async function linkProblems(): Promise<readonly string[]> {
  const files = (await listSources(root)).filter((file) => file.endsWith('.md'));
  const found = await Promise.all(files.map(brokenLinks));
  return found.flat();
}

async function brokenLinks(file: string): Promise<readonly string[]> {
  const text = withoutCode(await readFile(file, 'utf8'));
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap((match) => match[1] ?? []);
  const broken = await Promise.all(
    links
      .filter((link) => !/^[a-z]+:/.test(link))
      .map(async (link) => ((await leads(file, link)) ? [] : [link])),
  );
  return broken.flat().map((link) => `${path.relative(root, file)}: ${link} leads nowhere`);
}

async function leads(file: string, link: string): Promise<boolean> {
  const [target = '', anchor] = link.split('#');
  const place = target === '' ? file : path.resolve(path.dirname(file), target);
  if (!(await exists(place))) return false;
  if (anchor === undefined || !place.endsWith('.md')) return true;
  return headings(await readFile(place, 'utf8')).has(anchor);
}

function headings(text: string): ReadonlySet<string> {
  const titles = [...withoutCode(text).matchAll(/^#+ +(.+)$/gm)].flatMap((match) => match[1] ?? []);
  return new Set(titles.map(toAnchor));
}

function toAnchor(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '');
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}
