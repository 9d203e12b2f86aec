import { endpoints } from '@sprites/contract';
import {
  type CheckpointDeps,
  createCheckpoint,
  findRestorable,
  getCheckpoint,
  getSprite,
  listCheckpoints,
  removeCheckpoint,
  restoreCheckpoint,
} from '@sprites/core';
import { type App, serve } from '../http/app.ts';
import { streamLines } from '../http/ndjson.ts';

type Parameters = Readonly<Record<string, string>>;

/** Spec section 13. */
export function routeCheckpoints(app: App, deps: CheckpointDeps): void {
  serve(app, deps.store, endpoints.createCheckpoint, async ({ org, parameters, body }) => {
    const input = { orgId: org.id, name: nameOf(parameters), comment: body.comment };
    await getSprite(deps, input);
    return streamLines({
      clock: deps.clock,
      work: async (report) => {
        report('Creating checkpoint...');
        const checkpoint = await createCheckpoint(deps, input);
        return `Checkpoint ${checkpoint.id} created`;
      },
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
  serve(app, deps.store, endpoints.restoreCheckpoint, async ({ org, parameters }) => {
    const input = { orgId: org.id, ...keyOf(parameters) };
    // what can be known now is an ordinary HTTP error; later failures are lines of the stream
    await findRestorable(deps, input);
    return streamLines({
      clock: deps.clock,
      work: async (report) => {
        await restoreCheckpoint(deps, input, report);
        return `Checkpoint ${input.checkpointId} restored`;
      },
    });
  });
}

function nameOf(parameters: Parameters): string {
  return parameters.name ?? '';
}

function keyOf(parameters: Parameters): { readonly name: string; readonly checkpointId: string } {
  return { name: nameOf(parameters), checkpointId: parameters.checkpoint ?? '' };
}
