import { APIError } from '@sprites/sdk';

/** The error a call ends with; a call that succeeds, or fails otherwise, is thrown. */
export async function failure(call: Promise<unknown>): Promise<APIError> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  if (error instanceof APIError) return error;
  throw error;
}
