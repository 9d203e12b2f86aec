/** Size of the output with which clients are tested for lost bytes. */
export const bigOutputBytes = 50 * 1024 * 1024;

/** A shell line that writes bytes which are the same each time and differ from place to place. */
export const bigOutputScript = `seq 1 9000000 | head -c ${bigOutputBytes}`;
