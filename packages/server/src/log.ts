import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** Makes the server's log: JSON lines on standard error, with everything that may hold a secret left out. */
export function createLog(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: [
          'token',
          '*.token',
          'authorization',
          '*.authorization',
          '*.cookie',
          'environment',
          '*.environment',
        ],
        censor: '[redacted]',
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
