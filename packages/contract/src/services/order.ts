import { SpriteError } from '../errors.ts';

/** What each service needs, by name. */
export type Needs = ReadonlyMap<string, readonly string[]>;

/**
 * The service's needs and what those need, each after all of its own, the service itself last. Needs that are in no
 * service are left out. Throws `invalid_request` on a cycle and names it.
 */
export function startOrder(needs: Needs, name: string): readonly string[] {
  const order = new Set<string>();
  const path: string[] = [];
  const visit = (next: string): void => {
    if (order.has(next) || !needs.has(next)) return;
    if (path.includes(next)) {
      const cycle = [...path.slice(path.indexOf(next)), next].join(' → ');
      throw new SpriteError('invalid_request', `services must not need each other in a circle: ${cycle}`);
    }
    path.push(next);
    for (const need of needs.get(next) ?? []) visit(need);
    path.pop();
    order.add(next);
  };
  visit(name);
  return [...order];
}
