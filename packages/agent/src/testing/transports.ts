import { formatExecCommand, formatOpStart, streamIds } from '@sprites/contract/exec';
import { ExecConnection, runOverSocket } from './exec-connection.ts';
import { httpRequest } from './http-request.ts';

/** What one run of a command gave; a terminal has stdout only. */
export type RunResult = {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | undefined;
};

/** Runs commands one after another. */
export type Lane = AsyncDisposable & { run(argv: readonly string[]): Promise<RunResult> };

export const transportNames = ['ws', 'control', 'http', 'tty'] as const;
export type TransportName = (typeof transportNames)[number];

/** Opens a lane: a control connection is shared by its runs, the other transports make one for each. */
export async function openLane(name: TransportName, socketPath: string): Promise<Lane> {
  switch (name) {
    case 'ws':
      return createLane((argv) => runPlain(socketPath, argv));
    case 'tty':
      return createLane((argv) => runOnTerminal(socketPath, argv));
    case 'http':
      return createLane((argv) => runOverHttp(socketPath, argv));
    case 'control':
      return await openControlLane(socketPath);
  }
}

function createLane(run: Lane['run']): Lane {
  return { run, async [Symbol.asyncDispose]() {} };
}

async function runPlain(socketPath: string, argv: readonly string[]): Promise<RunResult> {
  const { stdout, stderr, frameExitCode, exitCode } = await runOverSocket(
    socketPath,
    formatExecCommand({ argv }),
  );
  return { stdout, stderr, exitCode: frameExitCode === exitCode ? exitCode : undefined };
}

async function runOnTerminal(socketPath: string, argv: readonly string[]): Promise<RunResult> {
  const { raw, exitCode } = await runOverSocket(socketPath, formatExecCommand({ argv, tty: true }));
  return { stdout: raw.toString(), stderr: '', exitCode };
}

/** Reads the answer as the JS client does: each piece that arrives is one frame. */
async function runOverHttp(socketPath: string, argv: readonly string[]): Promise<RunResult> {
  const { pieces } = await httpRequest(socketPath, {
    method: 'POST',
    path: `/v1/exec?${formatExecCommand({ argv })}`,
  });
  const text = (stream: number): string =>
    Buffer.concat(pieces.filter((piece) => piece[0] === stream).map((piece) => piece.subarray(1))).toString();
  const exit = pieces.at(-1);
  const exitCode = exit?.length === 2 && exit[0] === streamIds.exit ? exit[1] : undefined;
  return { stdout: text(streamIds.stdout), stderr: text(streamIds.stderr), exitCode };
}

async function openControlLane(socketPath: string): Promise<Lane> {
  const connection = await ExecConnection.open(socketPath, '/v1/control');
  const { socket } = connection;
  return {
    async run(argv) {
      return await new Promise((resolve) => {
        const frames: Buffer[] = [];
        const take = (data: Buffer, isBinary: boolean): void => {
          if (isBinary) frames.push(data);
          else if (data.toString().startsWith('control:')) {
            socket.off('message', take);
            resolve(toResult(frames, data.toString()));
          }
        };
        socket.on('message', take);
        socket.send(formatOpStart('exec', { cmd: argv, stdin: 'true' }));
        socket.send(Buffer.of(streamIds.stdinEof));
      });
    },
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}

function toResult(frames: readonly Buffer[], complete: string): RunResult {
  const text = (stream: number): string =>
    Buffer.concat(frames.filter((frame) => frame[0] === stream).map((frame) => frame.subarray(1))).toString();
  const code = frames.find((frame) => frame[0] === streamIds.exit)?.[1];
  const agrees = complete === `control:{"type":"op.complete","args":{"exitCode":${code}}}`;
  return {
    stdout: text(streamIds.stdout),
    stderr: text(streamIds.stderr),
    exitCode: agrees ? code : undefined,
  };
}
