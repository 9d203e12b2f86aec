import { z } from 'zod';

/** A hold that keeps a sprite awake. Spec section 16.1. */
export const Task = z
  .object({
    name: z.string(),
    started_at: z.string().meta({ format: 'date-time' }),
    expires_at: z.string().meta({ format: 'date-time' }),
  })
  .meta({ id: 'Task' });

export const TaskList = z.object({ tasks: z.array(Task) }).meta({ id: 'TaskList' });
