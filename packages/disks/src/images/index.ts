export { ImageLibrary, type InUse } from './image-library.ts';
export { type ImagesOptions, openImages } from './open-images.ts';
export type { Progress } from './progress.ts';
