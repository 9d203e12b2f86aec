export { ArchiveFiles } from './archive-files.ts';
