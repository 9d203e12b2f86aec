import type { Lifecycle, LifecycleDeps } from '../lifecycle/lifecycle.ts';

/** What the verbs on sprites work with. */
export type SpriteDeps = LifecycleDeps & { readonly lifecycle: Lifecycle };
