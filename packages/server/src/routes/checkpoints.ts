import { endpoints } from '@sprites/contract';
import {
  type CheckpointDeps,
  createCheckpoint,
  getCheckpoint,
  listCheckpoints,
  removeCheckpoint,
  restoreCheckpoint,
  restorePaths,
  verifyCheckpoints,
} from '@sprites/core';
import type { Context } from 'hono';
import { type App, type Env, serve } from '../http/app.ts';
import { type LineStreamOptions, streamLines } from '../http/ndjson.ts';

type Parameters = Readonly<Record<string, string>>;

/** Spec section 13. */
export function routeCheckpoints(app: App, deps: CheckpointDeps): void {
  serve(app, deps.store, endpoints.createCheckpoint, ({ context, org, parameters, body }) => {
    const input = { orgId: org.id, name: nameOf(parameters), comment: body.comment };
    return stream(context, deps, async (report) => {
      const { id } = await createCheckpoint(deps, input, report);
      return { data: `Checkpoint ${id} created`, checkpoint: id };
    });
  });
  serve(app, deps.store, endpoints.listCheckpoints, async ({ context, org, parameters, query }) => {
    const input = { orgId: org.id, name: nameOf(parameters), history: query.history };
    const includeAuto = query.includeAuto === 'true' || query.includeAuto === '1';
    return context.json(await listCheckpoints(deps, { ...input, includeAuto }));
  });
  serve(app, deps.store, endpoints.getCheckpoint, async ({ context, org, parameters }) =>
    context.json(await getCheckpoint(deps, { orgId: org.id, ...keyOf(parameters) })),
  );
  serve(app, deps.store, endpoints.deleteCheckpoint, async ({ context, org, parameters }) => {
    await removeCheckpoint(deps, { orgId: org.id, ...keyOf(parameters) });
    return context.body(null, 204);
  });
  serve(app, deps.store, endpoints.restoreCheckpoint, ({ context, org, parameters, body }) => {
    const input = { orgId: org.id, ...keyOf(parameters) };
    const { paths, remove = false } = body;
    return stream(context, deps, async (report) => {
      if (paths !== undefined) {
        const { restored, removed } = await restorePaths(deps, { ...input, paths, remove }, report);
        return { data: `${restored} restored, ${removed} removed`, checkpoint: input.checkpointId };
      }
      await restoreCheckpoint(deps, input, report);
      return { data: `Checkpoint ${input.checkpointId} restored`, checkpoint: input.checkpointId };
    });
  });
  routeVerification(app, deps);
}

/** Beyond the specification. */
function routeVerification(app: App, deps: CheckpointDeps): void {
  serve(app, deps.store, endpoints.verifyCheckpoints, ({ context, org, parameters, body }) => {
    const input = { orgId: org.id, name: nameOf(parameters), ids: body.ids ?? [] };
    return stream(context, deps, async (report) => {
      const good = await verifyCheckpoints(deps, input, report);
      return { data: good === 1 ? '1 checkpoint is good' : `${good} checkpoints are good` };
    });
  });
}

function stream(
  context: Context<Env>,
  { clock }: CheckpointDeps,
  work: LineStreamOptions['work'],
): Promise<Response> {
  const { outgoing } = context.env;
  return streamLines({ clock, work, onFailure: (error) => void outgoing.emit('sprites:error', error) });
}

function nameOf(parameters: Parameters): string {
  return parameters.name ?? '';
}

function keyOf(parameters: Parameters): { readonly name: string; readonly checkpointId: string } {
  return { name: nameOf(parameters), checkpointId: parameters.checkpoint ?? '' };
}
