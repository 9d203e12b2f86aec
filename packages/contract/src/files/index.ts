export * from './archive-path.ts';
export * from './entry.ts';
export * from './errors.ts';
export { type FileFields, readFlag, toFileFields } from './fields.ts';
export * from './paths.ts';
export * from './requests.ts';
export * from './tar.ts';
export * from './tar-reader.ts';
export * from './watch.ts';
