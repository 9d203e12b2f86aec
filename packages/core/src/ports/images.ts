/** An installed base image: a read-only file system in one file, named by its content. */
export type Image = {
  /** what users call it, e.g. `standard` */
  readonly name: string;
  /** `sha256:` and hex of the file */
  readonly digest: string;
  /** absolute host path of the EROFS file */
  readonly file: string;
  readonly sizeBytes: number;
  /** RFC 3339 */
  readonly createdAt: string;
};

/** The base images of this server. */
export interface Images {
  /** The newest image of that name (or with that digest), or undefined. */
  find(nameOrDigest: string): Promise<Image | undefined>;
  list(): Promise<readonly Image[]>;
}
