import { type IncomingHttpHeaders, request } from 'node:http';

export type HttpAnswer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** the body as it arrived, piece by piece */
  readonly pieces: readonly Buffer[];
};

/** Sends one request to a unix socket and reads the whole answer. */
export async function httpRequest(
  socketPath: string,
  options: {
    readonly method?: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Buffer;
  },
): Promise<HttpAnswer> {
  return await new Promise((resolve, reject) => {
    const { method = 'GET', path, headers = {}, body } = options;
    const outgoing = request({ socketPath, method, path, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, body: Buffer.concat(pieces).toString(), pieces });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
