export { ChecksumThread } from './checksum-thread.ts';
export { ReflinkChecksums } from './reflink-checksums.ts';
