import {
  parseLogRequest,
  parseServiceDefinition,
  parseServiceName,
  parseSignalRequest,
  parseStopMs,
  parseStreamMs,
} from '@sprites/contract/services';
import { streamService } from '../services/stream-service.ts';
import type { Supervisor } from '../services/supervisor.ts';
import { readJson, sendJson } from './answer.ts';
import { type Call, notAllowed, notFound, type Resource } from './resource.ts';

const largestBodyBytes = 4 * 1024 * 1024;

/** Supervised processes, `/v1/services`; `onDone` is called behind each answer. Spec section 11. */
export function createServicesResource(supervisor: Supervisor, onDone: () => void): Resource {
  return {
    answer: async (call) => {
      call.response.once('close', onDone);
      await supervisor.load();
      const [name, verb] = call.path;
      if (call.path.length > 2) throw notFound('services', call.path);
      if (name === undefined) return answerAll(supervisor, call);
      if (verb === undefined) return await answerOne(supervisor, call, name);
      return await answerVerb(supervisor, call, { name, verb });
    },
  };
}

function answerAll(supervisor: Supervisor, { response, method }: Call): void {
  if (method !== 'GET') throw notAllowed('services', method);
  sendJson(response, 200, supervisor.list());
}

async function answerOne(supervisor: Supervisor, call: Call, name: string): Promise<void> {
  const { response, method } = call;
  switch (method) {
    case 'GET':
      sendJson(response, 200, supervisor.get(name).toEntry());
      return;
    case 'PUT':
      return await put(supervisor, call, name);
    case 'DELETE':
      await supervisor.remove(name);
      response.writeHead(204).end();
      return;
    case 'POST':
      if (name === 'signal') return await signal(supervisor, call);
      throw notAllowed('services/{service}', method);
    default:
      throw notAllowed('services/{service}', method);
  }
}

async function answerVerb(
  supervisor: Supervisor,
  call: Call,
  { name, verb }: { readonly name: string; readonly verb: string },
): Promise<void> {
  const { method, path } = call;
  if (verb !== 'logs' && verb !== 'start' && verb !== 'stop' && verb !== 'restart')
    throw notFound('services', path);
  if (method !== (verb === 'logs' ? 'GET' : 'POST')) throw notAllowed(`services/{service}/${verb}`, method);
  switch (verb) {
    case 'logs':
      return await logs(supervisor, call, name);
    case 'start':
      return await start(supervisor, call, name);
    case 'stop':
      return await stop(supervisor, call, name);
    case 'restart':
      return await restart(supervisor, call, name);
    default:
      verb satisfies never;
  }
}

async function put(supervisor: Supervisor, { request, response, query }: Call, name: string): Promise<void> {
  const followMs = parseStreamMs(query);
  const definition = parseServiceDefinition(
    parseServiceName(name),
    await readJson(request, largestBodyBytes),
  );
  const service = await supervisor.define(name, definition);
  await streamService(response, service, {
    from: service.log.end,
    followMs,
    moments: true,
    work: () => supervisor.restart(name),
  });
}

async function start(supervisor: Supervisor, { response, query }: Call, name: string): Promise<void> {
  const followMs = parseStreamMs(query);
  const service = supervisor.get(name);
  supervisor.refuseBusy(name);
  const runningSinceMs = service.startedMs;
  await streamService(response, service, {
    from: service.log.end,
    followMs,
    moments: true,
    work: () => supervisor.start(name),
    ...(runningSinceMs === undefined ? {} : { first: { type: 'started', timestamp: runningSinceMs } }),
  });
}

async function stop(supervisor: Supervisor, { response, query }: Call, name: string): Promise<void> {
  const timeoutMs = parseStopMs(query);
  const service = supervisor.get(name);
  supervisor.refuseNotUp(name);
  supervisor.refuseBusy(name);
  const from = service.log.end;
  const work = (): Promise<void> => supervisor.stop(name, timeoutMs);
  await streamService(response, service, { from, followMs: 0, moments: true, work });
}

async function restart(supervisor: Supervisor, { response, query }: Call, name: string): Promise<void> {
  const followMs = parseStreamMs(query);
  const service = supervisor.get(name);
  supervisor.refuseBusy(name);
  const from = service.log.end;
  await streamService(response, service, {
    from,
    followMs,
    moments: true,
    work: () => supervisor.restart(name),
  });
}

async function logs(supervisor: Supervisor, { response, query }: Call, name: string): Promise<void> {
  const { lines, followMs } = parseLogRequest(query);
  const service = supervisor.get(name);
  const { start: from, end } = await service.log.findLast(lines);
  const to = followMs === 0 ? { to: end } : {};
  await streamService(response, service, { from, followMs, moments: false, ...to });
}

async function signal(supervisor: Supervisor, { request, response }: Call): Promise<void> {
  const { name, signal: chosen } = parseSignalRequest(await readJson(request, largestBodyBytes));
  supervisor.signal(name, chosen.number);
  response.writeHead(204).end();
}
