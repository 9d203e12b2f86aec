import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { type AgentConfig, MachineFile, parseConfig } from './config.ts';
import { FileThread } from './files/file-thread.ts';
import { createFilesResource } from './files/resource.ts';
import { serveFiles } from './files/thread/serve.ts';
import { createActivityResource } from './http/activity.ts';
import { createControlResource, createExecResource } from './http/exec.ts';
import { createHealthResource } from './http/health.ts';
import { createIngressResource } from './http/ingress.ts';
import type { Resource } from './http/resource.ts';
import { createAgentServer } from './http/server.ts';
import { createServicesResource } from './http/services.ts';
import { createTasksResource } from './http/tasks.ts';
import { renewHostKeys } from './inside/host-keys.ts';
import { watchLimitsView } from './inside/limits-view.ts';
import { prepareInside } from './inside/prepare-inside.ts';
import { ChildExits } from './kernel/child-exits.ts';
import { findOwnUser, findUser } from './kernel/user.ts';
import { ActivityBoard } from './link/activity.ts';
import { listenInside } from './link/api-socket.ts';
import { Link } from './link/link.ts';
import { createRelayResource } from './link/relay.ts';
import { PortMonitor } from './ports/port-monitor.ts';
import { createPortsResource } from './ports/resource.ts';
import { createProxyResource } from './proxy/resource.ts';
import { createRestoreResource, type RestoreTask, runRestore } from './restore/resource.ts';
import { ServiceFiles } from './services/service-files.ts';
import { Supervisor } from './services/supervisor.ts';
import { SessionTable } from './sessions/session-table.ts';
import { TaskTable } from './tasks/task-table.ts';

if (parentPort === null) start(parseConfig(process.argv.slice(2)));
else if (typeof workerData === 'string') serveFiles(parentPort, workerData);
// no other thread is started with anything else
else parentPort.postMessage(runRestore(workerData as RestoreTask));

/** Runs until the process is killed: PID 1 starts the agent and ends with it. */
function start(config: AgentConfig): void {
  // One connection's failure must not end everybody's commands.
  process.on('uncaughtException', (error) => console.error('uncaught:', error));
  process.on('unhandledRejection', (error) => console.error('unhandled:', error));
  // Or `pkill node` would end the agent along with the user's own programs.
  process.title = 'sprite-agent';
  prepareSessionDir(config.sessionDir);
  const machine = new MachineFile(config.machineFile);
  const exits = new ChildExits();
  const ports = new PortMonitor();
  const sessions = new SessionTable({
    logDirectory: config.sessionDir,
    logBytes: config.sessionLogBytes,
    exits,
    findUser: () => findUser(config.user) ?? findOwnUser(),
    readEnvironment: () => machine.read().environment,
  });
  const activity = new ActivityBoard(sessions);
  const link = new Link(activity);
  const tasks = new TaskTable(() => activity.changed());
  activity.add(() => tasks.holds());
  const services = new Supervisor({
    files: new ServiceFiles(config.servicesDir),
    logDir: join(config.logDir, 'services'),
    exits,
    findUser: (name) => (name === undefined ? (findUser(config.user) ?? findOwnUser()) : findUser(name)),
    readEnvironment: () => machine.read().environment,
    onChange: () => activity.changed(),
  });
  activity.add(() => services.holds());
  const resources: Record<string, Resource> = {
    exec: createExecResource(sessions, machine, ports),
    control: createControlResource(sessions, machine, ports),
    health: createHealthResource(sessions, machine),
    services: createServicesResource(services, () => sessions.releaseSoon()),
    tasks: createTasksResource(tasks),
    ingress: createIngressResource(services),
    link: link.resource,
    activity: createActivityResource(activity),
    checkpoint: createRelayResource('checkpoint', link),
    checkpoints: createRelayResource('checkpoints', link),
    sprite: createRelayResource('sprite', link),
    events: createRelayResource('events', link),
    proxy: createProxyResource(),
    ports: createPortsResource(ports),
    restore: createRestoreResource(ownScript()),
    fs: createFilesResource(
      new FileThread({ script: ownScript(), account: config.user, idleMs: config.fileIdleMs }),
    ),
  };
  createAgentServer({ resources, machine, origin: 'host' }).listen(config.listen, () => {
    console.error('agent ready');
    prepareInside({ dir: config.insideDir, logDir: config.logDir, version: machine.read().version });
    void watchLimitsView();
    void renewHostKeys(exits).then(() => services.startAll());
    const inside = createAgentServer({ resources, machine, origin: 'inside' });
    listenInside(inside, config.apiSocket, findUser(config.user) ?? findOwnUser());
  });
}

/** Output files are unlinked as soon as they are open, so there is nothing of an earlier agent to clean up. */
function prepareSessionDir(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    // A full or broken disk costs long replays, not the way into the sprite.
    console.error('no directory for session output:', error);
  }
}

/** The file this program was started from, which its threads run, too. */
function ownScript(): string {
  const [, script] = process.argv;
  if (script === undefined) throw new Error('the agent must be started from a file');
  return script;
}
