import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { EnvError } from '../api.ts';
import { type CommandHost, createCommand } from './command.ts';

type CurlOptions = {
  readonly request?: string;
  readonly data?: string;
  readonly include?: boolean;
  readonly fail?: boolean;
};

/** Defines `sprite-env curl`. */
export function defineCurl({ program, api, exit }: CommandHost): void {
  const curl = createCommand('curl', 'send one request to the API of this sprite and print the answer', [
    'sprite-env curl /v1/services',
    'sprite-env curl -X POST -d \'{"name":"build","expire":"30m"}\' /v1/tasks',
  ])
    .argument('<path>', 'begins with /v1/')
    .option('-X, --request <method>', 'method; default GET, or POST with data')
    .option('-d, --data <text>', 'body: JSON, @file, or @- for standard input')
    .option('-i, --include', 'print status and headers, too')
    .option('-f, --fail', 'exit with 22 on an error answer')
    .action(async (path: string, { request, data, include, fail }: CurlOptions) => {
      if (!path.startsWith('/')) throw new EnvError(`bad path ${path}: must begin with /v1/`, 2);
      const body = data === undefined ? {} : { body: await readData(data) };
      const method = request ?? (data === undefined ? 'GET' : 'POST');
      const answer = await api.send({ method, path, ...body });
      const { statusCode = 0, statusMessage = '', rawHeaders } = answer;
      if (include === true) {
        const lines = rawHeaders.flatMap((name, index) =>
          index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : [],
        );
        process.stdout.write(`HTTP/1.1 ${statusCode} ${statusMessage}\n${lines.join('\n')}\n\n`);
      }
      for await (const chunk of answer) process.stdout.write(chunk);
      if (fail === true && statusCode >= 400) exit(22);
    });
  program.addCommand(curl);
}

async function readData(data: string): Promise<string> {
  if (data === '@-') return await text(process.stdin);
  return data.startsWith('@') ? await readFile(data.slice(1), 'utf8') : data;
}
