import {
  FileError,
  type FileFields,
  parseChecksum,
  parseChmod,
  parseChown,
  parseCopy,
  parseDelete,
  parseList,
  parseRename,
  readFlag,
  renderFileError,
  toFileFields,
} from '@sprites/contract/files';
import { readBody, sendJson } from '../http/answer.ts';
import { type Call, notAllowed, notFound, type Resource, upgradeRequired } from '../http/resource.ts';
import { receiveArchive, sendArchive } from './archive.ts';
import type { FileThread } from './file-thread.ts';
import { receiveFile } from './receive-file.ts';
import { sendFile } from './send-file.ts';
import { sendList } from './send-list.ts';
import { WatchSocket } from './watch-socket.ts';

/** The parameters of an operation are a few paths. */
const largestBodyBytes = 64 * 1024;

/** Answers one kind of request. */
type Handler = (files: FileThread, call: Call, fields: FileFields) => Promise<void>;

/** `METHOD name` of what is under `/v1/fs`. Those in `withoutBody` have their parameters in the query alone. */
const handlers: Readonly<Record<string, Handler>> = {
  'GET read': sendFile,
  'PUT write': receiveFile,
  'GET archive': sendArchive,
  'PUT archive': receiveArchive,
  'GET checksum': async (files, { response }, fields) =>
    sendJson(response, 200, await files.call('checksum', parseChecksum(fields))),
  'GET list': (files, { response }, fields) => sendList(files, response, parseList(fields)),
  'DELETE delete': async (files, { response }, fields) =>
    sendJson(response, 200, await files.call('remove', parseDelete(fields))),
  'POST rename': async (files, { response }, fields) =>
    sendJson(response, 200, await files.call('rename', parseRename(fields))),
  'POST copy': async (files, { response }, fields) =>
    sendJson(response, 200, await files.call('copy', parseCopy(fields))),
  'POST chmod': async (files, { response }, fields) =>
    sendJson(response, 200, await files.call('chmod', parseChmod(fields))),
  'POST chown': async (files, { response }, fields) =>
    sendJson(response, 200, await files.call('chown', parseChown(fields))),
};

/** Files of the sprite, `/v1/fs`. Spec section 10. */
export function createFilesResource(files: FileThread): Resource {
  return {
    answer: async (call) => {
      try {
        await answer(files, call);
      } catch (error) {
        if (!(error instanceof FileError) || call.response.headersSent) throw error;
        const { status, body } = renderFileError(error);
        sendJson(call.response, status, body);
      }
    },
    upgrade: ({ socket, path, accept }) => {
      if (path.length !== 1 || path[0] !== 'watch') throw notFound('fs', path);
      accept();
      new WatchSocket(files, socket);
    },
  };
}

async function answer(files: FileThread, call: Call): Promise<void> {
  const { request, method, path, query } = call;
  const [name = ''] = path;
  if (path.length === 1 && name === 'watch') throw upgradeRequired('fs/watch');
  const key = `${method} ${name}`;
  const handler = Object.hasOwn(handlers, key) ? handlers[key] : undefined;
  if (path.length !== 1 || handler === undefined) {
    const isKnown = path.length === 1 && Object.keys(handlers).some((one) => one.endsWith(` ${name}`));
    throw isKnown ? notAllowed(`fs/${name}`, method) : notFound('fs', path);
  }
  const body = method === 'POST' || method === 'DELETE' ? await readBody(request, largestBodyBytes) : '';
  const fields = toFileFields(query, body);
  if (call.origin === 'inside' && readFlag(fields, 'asRoot')) {
    throw new FileError('EPERM', '', 'asRoot is for requests from outside; use sudo in the sprite');
  }
  await handler(files, call, fields);
}
