/**
 * What can go wrong with a file, by the kernel's name for it: HTTP status and words. The first nine are those the
 * official clients know. Spec section 10.1.
 */
const fileErrorTable = {
  ENOENT: { status: 404, text: 'no such file or directory' },
  EEXIST: { status: 409, text: 'file exists' },
  ENOTEMPTY: { status: 409, text: 'directory not empty' },
  ENOTDIR: { status: 400, text: 'not a directory' },
  EISDIR: { status: 400, text: 'is a directory' },
  EINVAL: { status: 400, text: 'invalid argument' },
  EACCES: { status: 403, text: 'permission denied' },
  EPERM: { status: 403, text: 'operation not permitted' },
  EIO: { status: 500, text: 'input/output error' },
  EROFS: { status: 403, text: 'read-only file system' },
  ELOOP: { status: 400, text: 'too many levels of symbolic links' },
  ENAMETOOLONG: { status: 400, text: 'file name too long' },
  EXDEV: { status: 400, text: 'the paths are on different file systems' },
  EBUSY: { status: 409, text: 'device or resource busy' },
  ETXTBSY: { status: 409, text: 'text file busy' },
  ERANGE: { status: 416, text: 'the file ends before that offset' },
  EFBIG: { status: 413, text: 'file too large' },
  ENOSPC: { status: 507, text: 'no space left on device' },
  EDQUOT: { status: 507, text: 'disk quota exceeded' },
  EMFILE: { status: 503, text: 'too many open files' },
  ENFILE: { status: 503, text: 'too many open files' },
  ECANCELED: { status: 400, text: 'the request ended too early' },
} as const satisfies Record<string, { readonly status: number; readonly text: string }>;

export type FileErrorCode = keyof typeof fileErrorTable;

/** A file operation the kernel, or we in its stead, refused. */
export class FileError extends Error {
  readonly code: FileErrorCode;
  readonly path: string;

  /** `detail` stands for the usual words of the code. */
  constructor(code: FileErrorCode, path: string, detail?: string, operation = '') {
    const what = detail ?? fileErrorTable[code].text;
    super([operation, path].filter((part) => part !== '').join(' ') + (path === '' ? what : `: ${what}`));
    this.name = 'FileError';
    this.code = code;
    this.path = path;
  }
}

/** The error body of the file endpoints. */
export type FileErrorBody = { readonly error: string; readonly code: FileErrorCode; readonly path: string };

export function renderFileError(error: FileError): { readonly status: number; readonly body: FileErrorBody } {
  return {
    status: fileErrorTable[error.code].status,
    body: { error: error.message, code: error.code, path: error.path },
  };
}

export function isFileErrorCode(code: unknown): code is FileErrorCode {
  return typeof code === 'string' && Object.hasOwn(fileErrorTable, code);
}
