import { type DiffTotals, endpoints } from '@sprites/contract';
import { type DiffInput, diffCheckpoints, patchFile, type ViewDeps } from '@sprites/core';
import { type App, serve } from '../http/app.ts';
import { streamValues } from '../http/value-stream.ts';

/** How the files of two disks of a sprite differ. */
export function routeDiff(app: App, deps: ViewDeps): void {
  serve(app, deps.store, endpoints.diffCheckpoints, ({ context, org, parameters, query, signal }) => {
    const { name = '', checkpoint: before = '', other: after = '' } = parameters;
    const input = { orgId: org.id, name, before, after };
    const left = new AbortController();
    const either = AbortSignal.any([signal, left.signal]);
    const { path, patch } = query;
    const values =
      patch === undefined
        ? changeLines(deps, { ...input, path }, either)
        : patchLines(deps, { ...input, path: patch }, either);
    const { outgoing } = context.env;
    const onFailure = (error: unknown): void => {
      // that a client left is no failure
      if (!either.aborted) outgoing.emit('sprites:error', error);
    };
    // the signal ends work under way, the return what waits for somebody to read on
    outgoing.once('close', () => {
      left.abort();
      values.return({}).catch(() => undefined);
    });
    return streamValues({ clock: deps.clock, values, onFailure });
  });
}

async function* changeLines(
  deps: ViewDeps,
  input: DiffInput & { readonly path?: string | undefined },
  signal: AbortSignal,
): AsyncGenerator<readonly object[], object> {
  const changes = diffCheckpoints(deps, input, signal);
  for (let step = await changes.next(); ; step = await changes.next()) {
    if (step.done === true) return { data: describe(step.value), totals: step.value };
    yield step.value.map((change) => ({ type: 'change', ...change }));
  }
}

async function* patchLines(
  deps: ViewDeps,
  input: DiffInput & { readonly path: string },
  signal: AbortSignal,
): AsyncGenerator<readonly object[], object> {
  let isEqual = true;
  for await (const data of patchFile(deps, input, signal)) {
    isEqual = false;
    yield [{ type: 'patch', data }];
  }
  return { data: isEqual ? 'no difference' : 'the file differs' };
}

function describe({ added, removed, changed, retyped, metadata }: DiffTotals): string {
  return `${added} added, ${removed} removed, ${changed + retyped} changed, ${metadata} with other metadata`;
}
