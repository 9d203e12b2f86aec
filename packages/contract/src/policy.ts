import { z } from 'zod';

/** Most rules of a network policy. */
export const maxPolicyRules = 5000;

/** One rule of a network policy: a name and what to do with it, or a preset list of names to allow. Spec section 12.1. */
export const NetworkRule = z
  .strictObject({
    domain: z.string().max(300, 'must have at most 300 characters').optional().meta({
      description: '`example.com`, `*.example.com` (any name below it) or `*`',
      example: '*.npmjs.org',
    }),
    action: z.enum(['allow', 'deny']).optional(),
    include: z
      .enum(['defaults'])
      .optional()
      .meta({ description: '`defaults`: allow the names development tools usually need' }),
  })
  .refine((rule) => (rule.domain === undefined) !== (rule.include === undefined), {
    message: 'must have either a domain or an include',
  })
  .refine((rule) => rule.include !== undefined || rule.action !== undefined, {
    message: 'must have the action allow or deny',
  })
  .refine((rule) => rule.include === undefined || rule.action !== 'deny', {
    message: 'an include can only allow',
  })
  .meta({ id: 'NetworkRule' });
export type NetworkRule = z.infer<typeof NetworkRule>;

export const NetworkPolicy = z
  .strictObject({
    rules: z.array(NetworkRule).max(maxPolicyRules, `must be at most ${maxPolicyRules}`),
    mode: z
      .enum(['enforce', 'observe'])
      .optional()
      .meta({ description: '`observe` lets everything through and only logs what the rules would say' }),
  })
  .meta({ id: 'NetworkPolicy', description: 'Which names a sprite may reach; no rules, no restriction' });
export type NetworkPolicy = z.infer<typeof NetworkPolicy>;

/** Devices a privileges policy may list: those every sprite has anyway and that reach nothing of the host. */
export const policyDevices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'] as const;

/** What root may do inside. Camel case on the wire. Spec section 12.2. */
export const PrivilegesPolicy = z
  .strictObject({
    profile: z.enum(['', 'minimal', 'standard', 'privileged']).optional().meta({
      description:
        'Capabilities of root inside; empty means `privileged`, what a sprite has without a policy',
    }),
    devices: z.array(z.enum(policyDevices)).max(policyDevices.length).optional(),
    noNewPrivileges: z
      .boolean()
      .optional()
      .meta({ description: 'Programs gain no rights by setuid: no sudo' }),
  })
  .meta({ id: 'PrivilegesPolicy' });
export type PrivilegesPolicy = z.infer<typeof PrivilegesPolicy>;

/** How much a sprite may use. Spec section 12.3. */
export const ResourcesPolicy = z
  .strictObject({
    memory: z
      .strictObject({
        limit_mb: z.int().positive().optional(),
        autoscale: z.boolean().optional().meta({
          description:
            '`limit_mb` gives way as far as the sprite needs, up to what its config and the server allow',
        }),
      })
      .optional(),
  })
  .meta({ id: 'ResourcesPolicy' });
export type ResourcesPolicy = z.infer<typeof ResourcesPolicy>;

/** What became of a name or address: `would_deny` in mode `observe`, `private` for a name that led to a blocked address. */
export const EgressVerdict = z.enum(['allow', 'deny', 'would_deny', 'private', 'limited']);
export type EgressVerdict = z.infer<typeof EgressVerdict>;

const Timestamp = z.string().meta({ format: 'date-time', description: 'RFC 3339' });

/** What a sprite asked for by one name, or by an address without a name. */
export const EgressEntry = z
  .object({
    time: Timestamp.meta({ description: 'the last time' }),
    first_time: Timestamp,
    name: z.string().nullable().meta({ description: 'null for an address that no name led to' }),
    addresses: z.array(z.string()),
    verdict: EgressVerdict,
    count: z.int().meta({ description: 'questions, or packets refused' }),
    bytes_sent: z
      .int()
      .nullable()
      .meta({ description: 'to its addresses by the present machine; null when not counted' }),
    bytes_received: z.int().nullable(),
  })
  .meta({ id: 'EgressEntry' });
export type EgressEntry = z.infer<typeof EgressEntry>;

export const EgressLog = z
  .object({
    entries: z.array(EgressEntry).meta({ description: 'newest first' }),
    dns: z.object({ queries: z.int(), limited: z.int(), query_bytes: z.int(), answer_bytes: z.int() }).meta({
      description: 'all questions of the sprite since the server started: the volume a tunnel would have',
    }),
  })
  .meta({ id: 'EgressLog' });
export type EgressLog = z.infer<typeof EgressLog>;
