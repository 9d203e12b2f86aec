import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import {
  ArchiveQuery,
  ChangedModes,
  ChangedOwners,
  ChecksumQuery,
  ChmodBody,
  ChownBody,
  CopiedFiles,
  CopyFileBody,
  DeletedFiles,
  DeleteFileQuery,
  FileChecksum,
  FileList,
  ListFilesQuery,
  PackQuery,
  ReadFileQuery,
  RenamedFile,
  RenameFileBody,
  UnpackedFiles,
  WriteFileQuery,
  WrittenFile,
} from '../files/schemas.ts';
import { wakes } from './error-codes.ts';

const failures =
  'What fails with a file is told as `{error, code, path}`, with `code` the kernel’s name for it, such as `ENOENT` (404), `EACCES` (403), `EEXIST` (409) or `EISDIR` (400).';
const common = {
  tag: 'files',
  description: failures,
  errors: wakes,
  authenticated: true,
  agent: 'wakes',
} as const;

/** Files of a sprite. Spec section 10. */
export const filesEndpoints = {
  /** 10.2 */
  readFile: defineEndpoint({
    ...common,
    id: 'readFile',
    method: 'GET',
    path: '/v1/sprites/{name}/fs/read',
    summary: 'Read a file, or a part of it by `start` and `end` or a `Range` header',
    query: ReadFileQuery,
    answers: [
      { type: 'bytes', status: 200, contentType: 'application/octet-stream' },
      { type: 'bytes', status: 206, contentType: 'application/octet-stream' },
    ],
  }),
  /** 10.2 */
  headFile: defineEndpoint({
    ...common,
    id: 'headFile',
    method: 'HEAD',
    path: '/v1/sprites/{name}/fs/read',
    summary: 'Learn size and time of a file',
    query: ReadFileQuery,
    answers: [{ type: 'empty', status: 200 }],
  }),
  /** 10.3 */
  writeFile: defineEndpoint({
    ...common,
    id: 'writeFile',
    method: 'PUT',
    path: '/v1/sprites/{name}/fs/write',
    summary: 'Write the body to a file, which is replaced when all of it has come',
    query: WriteFileQuery,
    answers: [{ type: 'json', status: 200, schema: WrittenFile }],
  }),
  /** 10.4 */
  listFiles: defineEndpoint({
    ...common,
    id: 'listFiles',
    method: 'GET',
    path: '/v1/sprites/{name}/fs/list',
    summary: 'List a directory; of a file, the file itself',
    query: ListFilesQuery,
    answers: [{ type: 'json', status: 200, schema: FileList }],
  }),
  /** 10.5 */
  deleteFile: defineEndpoint({
    ...common,
    id: 'deleteFile',
    method: 'DELETE',
    path: '/v1/sprites/{name}/fs/delete',
    summary: 'Delete a file or directory; the parameters may be a JSON body',
    query: DeleteFileQuery,
    answers: [{ type: 'json', status: 200, schema: DeletedFiles }],
  }),
  /** 10.6 */
  renameFile: defineEndpoint({
    ...common,
    id: 'renameFile',
    method: 'POST',
    path: '/v1/sprites/{name}/fs/rename',
    summary: 'Rename a file or directory, in place of a file that has the new name',
    body: RenameFileBody,
    answers: [{ type: 'json', status: 200, schema: RenamedFile }],
  }),
  /** 10.7 */
  copyFile: defineEndpoint({
    ...common,
    id: 'copyFile',
    method: 'POST',
    path: '/v1/sprites/{name}/fs/copy',
    summary: 'Copy a file or directory',
    body: CopyFileBody,
    answers: [{ type: 'json', status: 200, schema: CopiedFiles }],
  }),
  /** 10.8 */
  chmodFile: defineEndpoint({
    ...common,
    id: 'chmodFile',
    method: 'POST',
    path: '/v1/sprites/{name}/fs/chmod',
    summary: 'Change permissions',
    body: ChmodBody,
    answers: [{ type: 'json', status: 200, schema: ChangedModes }],
  }),
  /** 10.9 */
  chownFile: defineEndpoint({
    ...common,
    id: 'chownFile',
    method: 'POST',
    path: '/v1/sprites/{name}/fs/chown',
    summary: 'Change owner and group; usually with `asRoot`',
    body: ChownBody,
    answers: [{ type: 'json', status: 200, schema: ChangedOwners }],
  }),
  /** 10.10 */
  watchFiles: defineEndpoint({
    ...common,
    id: 'watchFiles',
    method: 'GET',
    path: '/v1/sprites/{name}/fs/watch',
    summary: 'Follow what changes below paths',
    description:
      'The client sends `{"type":"subscribe","paths":["src"],"recursive":true,"workingDir":"/app"}` and gets `subscribed`, then `event` messages. An `error` with code `overflow` says that changes were lost.',
    answers: [{ type: 'websocket' }],
  }),
  /** of ours: many files in one request */
  packFiles: defineEndpoint({
    ...common,
    id: 'packFiles',
    method: 'GET',
    path: '/v1/sprites/{name}/fs/archive',
    summary: 'Read a directory as a tar archive',
    description: 'Its last header is a pax comment `sha256:…` of all bytes before it.',
    query: PackQuery,
    answers: [{ type: 'bytes', status: 200, contentType: 'application/x-tar' }],
  }),
  unpackFiles: defineEndpoint({
    ...common,
    id: 'unpackFiles',
    method: 'PUT',
    path: '/v1/sprites/{name}/fs/archive',
    summary: 'Unpack a tar archive, the body, into a directory',
    description:
      'Files, directories and symlinks are taken; paths that lead out of the directory are refused.',
    query: ArchiveQuery,
    answers: [{ type: 'json', status: 200, schema: UnpackedFiles }],
  }),
  checksumFile: defineEndpoint({
    ...common,
    id: 'checksumFile',
    method: 'GET',
    path: '/v1/sprites/{name}/fs/checksum',
    summary: 'SHA-256 of a file, or of its beginning',
    query: ChecksumQuery,
    answers: [{ type: 'json', status: 200, schema: FileChecksum }],
  }),
} as const satisfies Record<string, Endpoint>;
