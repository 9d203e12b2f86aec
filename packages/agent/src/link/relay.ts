import type { IncomingMessage, ServerResponse } from 'node:http';
import { SpriteError } from '@sprites/contract/errors';
import { type HostMessage, largestInsideBody } from '@sprites/contract/link';
import { readBody, sendError } from '../http/answer.ts';
import { notFound, type Resource } from '../http/resource.ts';
import type { Link } from './link.ts';

/** Most bytes of an answer that wait for a program inside; one that does not read loses it. */
const mostWaitingBytes = 1024 * 1024;

/** A part of the API that programs inside may use and that the server outside answers, such as `/v1/checkpoints`. */
export function createRelayResource(name: string, link: Link): Resource {
  return {
    answer: async ({ request, response, path, origin }) => {
      if (origin !== 'inside') throw notFound(name, path);
      const body = await readBody(request, largestInsideBody);
      relay(link, request, response, body);
    },
  };
}

function relay(link: Link, request: IncomingMessage, response: ServerResponse, body: string): void {
  const question = { method: request.method ?? 'GET', target: request.url ?? '/', body };
  const leave = link.ask(question, (message) => pass(message, response, () => leave()));
  response.on('close', leave);
}

function pass(message: HostMessage, response: ServerResponse, leave: () => void): void {
  switch (message.type) {
    case 'head':
      response.writeHead(message.status, { 'Content-Type': message.contentType });
      response.flushHeaders();
      return;
    case 'data':
      response.write(message.text);
      if (response.writableLength <= mostWaitingBytes) return;
      leave();
      response.destroy();
      return;
    case 'end':
      response.end();
      return;
    case 'fail':
      if (!response.destroyed)
        sendError(
          response,
          new SpriteError('unavailable', 'the connection with the server ended; try again'),
        );
      return;
    default:
      message satisfies never;
  }
}
