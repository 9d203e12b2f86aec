export type { PortEvent, PortList } from '@sprites/contract';
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
  parseAPIError,
} from './errors.ts';
export type { SpriteCommandEvents } from './exec/command.ts';
export { StreamID } from './exec/frames.ts';
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
export type * from './services/service.ts';
export { Sprite } from './sprite.ts';
