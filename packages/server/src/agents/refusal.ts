import { type ErrorCode, SpriteError } from '@sprites/contract';

const mostCharacters = 500;

/** What an agent may refuse an order with. */
const codes = ['invalid_request', 'path_not_found', 'not_supported', 'unavailable', 'out_of_space'] as const;

/** The error that an agent's answer is; undefined when it is none that an agent of ours would give. */
export function refusalOf(answer: unknown): SpriteError | undefined {
  if (typeof answer !== 'object' || answer === null || !('error' in answer) || !('message' in answer))
    return undefined;
  const { error, message } = answer;
  const code: ErrorCode | undefined = codes.find((one) => one === error);
  if (code === undefined || typeof message !== 'string') return undefined;
  return new SpriteError(code, message.slice(0, mostCharacters));
}
