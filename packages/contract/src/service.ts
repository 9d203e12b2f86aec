import { z } from 'zod';

const Timestamp = z.string().meta({ format: 'date-time' });

/** A service as clients send it; the agent checks it in full. Spec section 11.4. */
export const ServiceBody = z
  .object({
    cmd: z.string().meta({ description: 'The program, a path or a name looked up in PATH' }),
    args: z.array(z.string()).optional(),
    env: z.record(z.string(), z.string()).optional().meta({ description: 'Over the sprite’s environment' }),
    needs: z.array(z.string()).optional().meta({ description: 'Services that are started before this one' }),
    dir: z.string().optional().meta({ description: 'Working directory; default the user’s home' }),
    http_port: z.int().nullable().optional().meta({ description: 'Port that the sprite’s URL leads to' }),
    user: z.string().optional().meta({ description: 'Account to run as; default `sprite`' }),
  })
  .meta({ id: 'ServiceBody' });

const ServiceStateAnswer = z
  .object({
    name: z.string(),
    status: z.enum(['stopped', 'starting', 'running', 'stopping', 'failed']),
    pid: z.int().optional(),
    started_at: Timestamp.optional(),
    restart_count: z.int(),
    next_restart_at: Timestamp.nullable(),
    error: z.string(),
  })
  .meta({ id: 'ServiceState' });

/** A service as the API shows it. Spec section 11.1. */
export const Service = z
  .object({
    name: z.string(),
    cmd: z.string(),
    args: z.array(z.string()),
    env: z.record(z.string(), z.string()),
    needs: z.array(z.string()),
    dir: z.string().optional(),
    http_port: z.int().nullable(),
    user: z.string().optional(),
    state: ServiceStateAnswer,
  })
  .meta({ id: 'Service' });

/** One line of a service's stream; the last one is `complete`. Spec section 11.11. */
export const ServiceLine = z
  .object({
    type: z.enum(['started', 'stdout', 'stderr', 'exit', 'error', 'stopping', 'stopped', 'complete']),
    timestamp: z.int().meta({ description: 'Unix milliseconds' }),
    data: z.string().optional(),
    exit_code: z.int().optional(),
    log_files: z.record(z.string(), z.string()).optional(),
  })
  .meta({ id: 'ServiceLine' });

const duration = z.string().optional();

export const ServiceStartQuery = z.object({
  duration: duration.meta({ description: 'How long to stream output after the start; default 5s' }),
});
export const ServiceStopQuery = z.object({
  timeout: duration.meta({ description: 'How long to wait before SIGKILL; default 10s' }),
});
export const ServiceLogsQuery = z.object({
  lines: z.string().optional().meta({ description: 'Only the last so many lines; default all' }),
  duration: duration.meta({ description: 'How long to follow new output; default 0' }),
});
export const ServiceSignal = z.object({ name: z.string(), signal: z.string() }).meta({ id: 'ServiceSignal' });
