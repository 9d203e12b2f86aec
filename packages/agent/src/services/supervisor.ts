import { join } from 'node:path';
import { SpriteError } from '@sprites/contract/errors';
import type { Hold } from '@sprites/contract/link';
import {
  parseServiceName,
  type ServiceDefinition,
  type ServiceEntry,
  startOrder,
} from '@sprites/contract/services';
import type { ChildExits } from '../kernel/child-exits.ts';
import type { User } from '../kernel/user.ts';
import { BackOff } from './back-off.ts';
import { LineTagger } from './line-tagger.ts';
import { Service } from './service.ts';
import { mostServices, type ServiceFiles } from './service-files.ts';
import { ServiceLog } from './service-log.ts';

/** How long a service that someone started holds the sprite awake from then on, so that it comes up in peace. */
const settleMs = 10_000;
const defaultStopMs = 10_000;

export type SupervisorOptions = {
  readonly files: ServiceFiles;
  readonly logDir: string;
  readonly exits: ChildExits;
  readonly findUser: (name: string | undefined) => User | undefined;
  readonly readEnvironment: () => Readonly<Record<string, string>>;
  /** called when `holds` would answer something new */
  readonly onChange: () => void;
  readonly createBackOff?: () => BackOff;
};

/** All services of the sprite: which there are, who needs whom, and what is to run. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #services = new Map<string, Service>();
  /** services that a request works on, and what it does */
  readonly #busy = new Map<string, string>();
  readonly #settling = new Map<string, { readonly untilMs: number; readonly timer: NodeJS.Timeout }>();
  #loaded: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Reads what is on the disk, once; every other method needs it done. */
  load(): Promise<void> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  /** Starts everything that nobody stopped, what is needed first. */
  async startAll(): Promise<void> {
    await this.load();
    const wanted = [...this.#services.values()].filter((service) => service.wanted);
    for (const service of wanted) {
      if (!service.isUp) this.#startWithNeeds(service, (need) => need.wanted);
    }
  }

  /** Services by name. */
  list(): readonly ServiceEntry[] {
    return [...this.#services.values()]
      .map((service) => service.toEntry())
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The service of that name. Throws `service_not_found`. */
  get(name: string): Service {
    const service = this.#services.get(name);
    if (service !== undefined) return service;
    throw new SpriteError('service_not_found', `service not found: ${name.slice(0, 80)}`);
  }

  /**
   * Makes a service, or gives it another definition, which is on the disk when this resolves; `start` it then. Throws when
   * it does not go with the others.
   */
  async define(name: string, definition: ServiceDefinition): Promise<Service> {
    parseServiceName(name);
    return await this.#exclusively(name, 'being changed', () =>
      this.#inTurn(async () => {
        this.#check(name, definition);
        await this.#options.files.write(name, { definition, stopped: false });
        const known = this.#services.get(name);
        if (known !== undefined) {
          known.definition = definition;
          known.wanted = true;
          return known;
        }
        const service = this.#create(name, { definition, stopped: false }, await this.#openLog(name));
        this.#services.set(name, service);
        return service;
      }),
    );
  }

  /** Starts a service, and first what it needs; they are started by themselves from then on. */
  async start(name: string): Promise<void> {
    const service = this.get(name);
    await this.#exclusively(name, 'being started', async () => {
      const problem = await this.#wantAll(this.#order(name));
      service.forgive();
      this.#startWithNeeds(service, () => true);
      if (problem !== undefined) throw problem;
    });
  }

  /** Stops a service if it runs and starts it. */
  async restart(name: string): Promise<void> {
    const service = this.get(name);
    await this.#exclusively(name, 'being restarted', async () => {
      const problem = await this.#wantAll(this.#order(name));
      await service.stop(defaultStopMs);
      service.forgive();
      this.#startWithNeeds(service, () => true);
      if (problem !== undefined) throw problem;
    });
  }

  /** Stops a service until someone starts it. Throws `service_not_running`. */
  async stop(name: string, timeoutMs: number): Promise<void> {
    const service = this.get(name);
    this.refuseNotUp(name);
    await this.#exclusively(name, 'being stopped', async () => {
      const problem = await this.#note(service, true);
      service.wanted = false;
      this.#settled(name);
      await service.stop(timeoutMs);
      if (problem !== undefined) throw problem;
    });
  }

  /** Stops and forgets a service that no other one needs. */
  async remove(name: string): Promise<void> {
    const service = this.get(name);
    await this.#exclusively(name, 'being deleted', async () => {
      await this.#inTurn(async () => {
        this.#refuseNeeded(name);
        await this.#options.files.remove(name);
        this.#services.delete(name);
      });
      service.wanted = false;
      this.#settled(name);
      await service.stop(defaultStopMs);
      this.#options.onChange();
    });
  }

  /** Throws `service_not_running` for a service that neither runs nor is to be started again. */
  refuseNotUp(name: string): void {
    if (!this.get(name).isUp) throw notRunning(name);
  }

  /** Throws `service_conflict` while another request works on a service. */
  refuseBusy(name: string): void {
    const busy = this.#busy.get(name);
    if (busy !== undefined)
      throw new SpriteError('service_conflict', `service ${name} is ${busy}; try again`);
  }

  /** Signals a service's process group. Throws `service_not_running`. */
  signal(name: string, number: number): void {
    if (!this.get(name).signal(number)) throw notRunning(name);
  }

  /** What keeps the sprite awake: services that are on their way up. */
  holds(): readonly Hold[] {
    return [...this.#services.values()].flatMap(({ name, status }): readonly Hold[] => {
      const settling = this.#settling.get(name);
      const until = settling === undefined ? {} : { until: new Date(settling.untilMs).toISOString() };
      if (status === 'starting' || status === 'stopping')
        return [{ kind: 'service', id: name, label: `${name} ${status}` }];
      return settling === undefined
        ? []
        : [{ kind: 'service', id: name, label: `${name} starting`, ...until }];
    });
  }

  async #load(): Promise<void> {
    const stored = await this.#options.files.readAll((name, reason) => this.#report(name, reason));
    for (const [name, one] of stored)
      this.#services.set(name, this.#create(name, one, await this.#openLog(name)));
  }

  /** Says in the log of a service why it is not there. */
  #report(name: string, reason: string): void {
    console.error(`service ${name}: ${reason}`);
    try {
      parseServiceName(name);
    } catch {
      // no service has this name, so it has no log either
      return;
    }
    const text = `the definition of this service cannot be used: ${reason}\n`;
    void this.#openLog(name).then((log) => {
      log.append(new LineTagger('stderr').push(Buffer.from(text), Date.now()), () => {});
      log.close();
    });
  }

  #openLog(name: string): Promise<ServiceLog> {
    return ServiceLog.open(join(this.#options.logDir, `${name}.log`));
  }

  #create(
    name: string,
    stored: { readonly definition: ServiceDefinition; readonly stopped: boolean },
    log: ServiceLog,
  ): Service {
    const { exits, findUser, readEnvironment, onChange, createBackOff } = this.#options;
    const service: Service = new Service({
      name,
      ...stored,
      log,
      exits,
      findUser,
      readEnvironment,
      backOff: createBackOff?.() ?? new BackOff(),
      onChange,
      onRestartDue: () => this.#launch(service),
    });
    return service;
  }

  #check(name: string, definition: ServiceDefinition): void {
    const others = [...this.#services.values()].filter((service) => service.name !== name);
    if (others.length >= mostServices) {
      throw new SpriteError(
        'invalid_request',
        `a sprite has at most ${mostServices} services; delete one first`,
      );
    }
    for (const need of definition.needs) {
      if (!this.#services.has(need)) {
        throw new SpriteError('invalid_request', `bad needs "${need}": there is no service of that name`);
      }
    }
    startOrder(new Map([...this.#needs(), [name, definition.needs]]), name);
    if (definition.http_port !== undefined && others.some((one) => one.definition.http_port !== undefined)) {
      throw new SpriteError('service_conflict', 'another service already has an HTTP port configured');
    }
  }

  #refuseNeeded(name: string): void {
    const needing = [...this.#services.values()].find(({ definition }) => definition.needs.includes(name));
    if (needing === undefined) return;
    throw new SpriteError(
      'service_conflict',
      `service ${needing.name} needs ${name}; delete or change it first`,
    );
  }

  #needs(): ReadonlyMap<string, readonly string[]> {
    return new Map(Array.from(this.#services, ([name, { definition }]) => [name, definition.needs]));
  }

  #order(name: string): readonly Service[] {
    return startOrder(this.#needs(), name).map((next) => this.get(next));
  }

  /** Notes of each of the services that it is to run; answers what kept one from being noted. */
  async #wantAll(services: readonly Service[]): Promise<SpriteError | undefined> {
    let problem: SpriteError | undefined;
    for (const service of services.filter((one) => !one.wanted)) {
      problem = (await this.#note(service, false)) ?? problem;
      service.wanted = true;
    }
    return problem;
  }

  /**
   * Notes on the disk whether a service was stopped. A full disk must not keep anyone from stopping what fills it, so that
   * is answered, to be told when the rest is done.
   */
  async #note({ name, definition }: Service, stopped: boolean): Promise<SpriteError | undefined> {
    try {
      await this.#options.files.write(name, { definition, stopped });
      return undefined;
    } catch (cause) {
      if (!(cause instanceof SpriteError)) throw cause;
      const what = stopped
        ? 'stopped until the sprite restarts'
        : 'started, but stopped after a restart of the sprite';
      return new SpriteError(cause.code, `${name} is ${what}: ${cause.message}`, { cause });
    }
  }

  #startWithNeeds(service: Service, isIncluded: (need: Service) => boolean): void {
    const starting = this.#order(service.name).filter(
      (one) => one.startedMs === undefined && isIncluded(one),
    );
    for (const one of starting) one.prepare();
    for (const one of starting) {
      this.#settle(one.name);
      this.#launch(one);
    }
  }

  /** Starts a service unless something it needs, and that nobody stopped, does not run. */
  #launch(service: Service): void {
    const missing = service.definition.needs
      .map((name) => this.#services.get(name))
      .find((need) => need?.wanted === true && need.startedMs === undefined);
    if (missing === undefined) service.launch();
    else service.fail(`needs ${missing.name}, which is ${missing.status}`);
  }

  #settle(name: string): void {
    this.#settled(name);
    const timer = setTimeout(() => this.#settled(name), settleMs);
    this.#settling.set(name, { untilMs: Date.now() + settleMs, timer });
  }

  #settled(name: string): void {
    const settling = this.#settling.get(name);
    if (settling === undefined) return;
    clearTimeout(settling.timer);
    this.#settling.delete(name);
    this.#options.onChange();
  }

  /** Which services there are changes in turn: what was checked must still hold when it is on the disk. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** One request at a time changes a service; another one is told to come again. */
  async #exclusively<T>(name: string, what: string, work: () => Promise<T>): Promise<T> {
    this.refuseBusy(name);
    this.#busy.set(name, what);
    try {
      return await work();
    } finally {
      this.#busy.delete(name);
    }
  }
}

function notRunning(name: string): SpriteError {
  return new SpriteError('service_not_running', `service ${name} is not running`);
}
