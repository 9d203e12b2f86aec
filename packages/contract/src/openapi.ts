import { z } from 'zod';
import type { Answer, Endpoint } from './endpoint.ts';
import { endpoints } from './endpoints/index.ts';
import { type ErrorCode, errorTable } from './errors.ts';
import { ErrorAnswer } from './sprite.ts';

type Json = { readonly [key: string]: unknown };

const binary: Json = { type: 'string', format: 'binary' };

/** The OpenAPI 3.1 description of every endpoint, derived from the endpoint values. */
export function createOpenApi(version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const endpoint of Object.values<Endpoint>(endpoints)) {
    const path = paths[endpoint.path] ?? {};
    paths[endpoint.path] = path;
    path[endpoint.method.toLowerCase()] = operation(endpoint);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sprites, self-hosted',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    paths,
  };
}

function operation(endpoint: Endpoint): Json {
  const responses: Record<string, Json> = {};
  for (const answer of endpoint.answers) addAnswer(responses, answer);
  for (const [status, codes] of errorsByStatus(endpoint.errors)) responses[status] = errorResponse(codes);
  return {
    operationId: endpoint.id,
    tags: [endpoint.tag],
    summary: endpoint.summary,
    ...(endpoint.description === undefined ? {} : { description: endpoint.description }),
    ...(endpoint.authenticated ? { security: [{ token: [] }] } : { security: [] }),
    parameters: [...pathParameters(endpoint.path), ...queryParameters(endpoint.query)],
    ...requestBody(endpoint),
    responses,
  };
}

function requestBody({ body, upload }: Endpoint): Json {
  if (upload !== undefined) {
    return { requestBody: { required: true, content: { [upload]: { schema: binary } } } };
  }
  if (body === undefined) return {};
  return { requestBody: { content: { 'application/json': { schema: toSchema(body, 'input') } } } };
}

function addAnswer(responses: Record<string, Json>, answer: Answer): void {
  switch (answer.type) {
    case 'json':
      addContent(responses, answer.status, 'application/json', toSchema(answer.schema, 'output'));
      return;
    case 'ndjson':
      addContent(responses, answer.status, 'application/x-ndjson', toSchema(answer.line, 'output'));
      return;
    case 'bytes':
      addContent(responses, answer.status, answer.contentType, binary);
      return;
    case 'empty':
      responses[String(answer.status)] = { description: 'Done' };
      return;
    case 'websocket':
      responses['101'] = { description: 'Upgraded to a WebSocket' };
      return;
    default:
      answer satisfies never;
  }
}

function addContent(
  responses: Record<string, Json>,
  status: number,
  contentType: string,
  schema: Json,
): void {
  const before = responses[String(status)] as { readonly content?: Json } | undefined;
  responses[String(status)] = {
    description: 'Success',
    content: { ...before?.content, [contentType]: { schema } },
  };
}

function errorsByStatus(codes: readonly ErrorCode[]): ReadonlyMap<string, readonly ErrorCode[]> {
  return Map.groupBy(codes, (code) => String(errorTable[code].status));
}

function errorResponse(codes: readonly ErrorCode[]): Json {
  const description = codes.map((code) => `\`${code}\`: ${errorTable[code].description}`).join('; ');
  return { description, content: { 'application/json': { schema: toSchema(ErrorAnswer, 'output') } } };
}

function pathParameters(path: string): readonly Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(query: z.ZodObject | undefined): readonly Json[] {
  if (query === undefined) return [];
  const schema = toSchema(query, 'input') as { readonly properties?: Readonly<Record<string, Json>> };
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    in: 'query',
    required: false,
    schema: property,
  }));
}

function toSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json & {
    readonly $schema?: string;
  };
  return rest;
}
