export { ReflinkChecksums } from './reflink-checksums.ts';
