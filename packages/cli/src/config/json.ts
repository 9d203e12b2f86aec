/** A JSON object whose members are not known yet. */
export type JsonObject = { readonly [member: string]: unknown };

/** Whether a parsed JSON value is an object, not an array or null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The member as an object; empty when it is missing or something else. */
export function objectAt(parent: JsonObject, member: string): JsonObject {
  const value = Object.hasOwn(parent, member) ? parent[member] : undefined;
  return isJsonObject(value) ? value : {};
}

/** The member as a non-empty string, else undefined. */
export function textAt(parent: JsonObject, member: string): string | undefined {
  const value = Object.hasOwn(parent, member) ? parent[member] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A copy without one member. */
export function withoutMember(parent: JsonObject, member: string): JsonObject {
  return Object.fromEntries(Object.entries(parent).filter(([name]) => name !== member));
}
