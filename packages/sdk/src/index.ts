export type {
  FileEvent,
  NetworkPolicy,
  NetworkRule,
  PortEvent,
  PortList,
  PrivilegesPolicy,
} from '@sprites/contract';
export { ControlConnection, ProxySession, SocketStream, SpriteCommand } from '#transport';
export { defaultBaseURL, SpritesClient } from './client.ts';
export {
  APIError,
  APIError as SpritesAPIError,
  type APIErrorFields,
  ConnectionError,
  type ConnectionFailure,
  ERR_CODE_CONCURRENT_LIMIT_EXCEEDED,
  ERR_CODE_CREATION_RATE_LIMITED,
  ExecError,
  FilesystemError,
  parseAPIError,
} from './errors.ts';
export type { SpriteCommandEvents } from './exec/command.ts';
export { StreamID } from './exec/frames.ts';
export type * from './files/file-options.ts';
export { type FileContent, SpriteFilesystem, type Unpacked } from './files/filesystem.ts';
export { DiffStream } from './http/diff-stream.ts';
export {
  CheckpointStream,
  EventStream,
  RestoreStream,
  ServiceLogStream,
  SessionKillStream,
  SpriteListStream,
  VerifyStream,
} from './http/streams.ts';
export type * from './options.ts';
export type { DnsVolume, EgressEntry, ResourcesPolicy } from './policies.ts';
export type * from './ports/port-options.ts';
export type * from './services/service.ts';
export { Sprite } from './sprite.ts';
