// One pod: its container as the manifest describes it (command, variables, volumes, user), its probes,
// and its end: out of its Services, preStop, SIGTERM, and what is left of the grace period.
import { execFile, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { imageOf } from "./images.mjs";
import { named } from "../manifests.mjs";
import { namespaceFile } from "./network.mjs";

const SECOND = 1000;
const idsOf = (user) =>
  ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, user], { encoding: "utf8" })));

function objectNamed(objects, kind, name) {
  const found = named(objects, kind).find(({ metadata }) => metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
}

const secretText = (objects, name, key) => {
  const { data } = objectNamed(objects, "Secret", name);
  if (!(key in data)) throw new Error(`the secret ${name} has no ${key}`);
  return Buffer.from(data[key] ?? "", "base64");
};

// The variables of a container, as the kubelet resolves them.
function variablesOf(objects, { env = [], envFrom = [] }) {
  const maps = envFrom.map(
    ({ configMapRef }) => objectNamed(objects, "ConfigMap", configMapRef.name).data,
  );
  const own = env.map(({ name, value, valueFrom }) => [
    name,
    valueFrom
      ? secretText(objects, valueFrom.secretKeyRef.name, valueFrom.secretKeyRef.key).toString()
      : String(value ?? ""),
  ]);
  return Object.assign({}, ...maps, Object.fromEntries(own));
}

// A folder with what a volume has: files of a secret or ConfigMap, or nothing yet.
function makeVolume(objects, volume, folder, [user, group]) {
  mkdirSync(folder, { recursive: true });
  const { secret, configMap } = volume;
  const data = secret
    ? objectNamed(objects, "Secret", secret.secretName).data
    : configMap
      ? objectNamed(objects, "ConfigMap", configMap.name).data
      : {};
  for (const key of Object.keys(data)) {
    const file = `${folder}/${key}`;
    writeFileSync(file, secret ? secretText(objects, secret.secretName, key) : data[key]);
    chownSync(file, 0, group);
    chmodSync(file, secret?.defaultMode ?? 0o644);
  }
  if (!secret && !configMap) chownSync(folder, user, group);
  return folder;
}

export class Pod {
  // workload: what podsOf returns; number: of its address; the rest: where the cluster keeps things.
  constructor({ objects, workload, name, address, images, folder, changed, complain }) {
    Object.assign(this, { objects, name, address, changed, complain });
    const { namespace, labels, spec, kind, component } = workload;
    Object.assign(this, {
      namespace,
      labels,
      spec,
      kind,
      component,
      ready: false,
      terminating: false,
      ended: false,
    });
    this.container = spec.containers[0];
    this.start(imageOf(this.container.image, images), folder);
  }

  start(image, folder) {
    const { runAsUser, runAsGroup } = this.spec.securityContext;
    const ids = image.user ? idsOf(image.user) : [runAsUser, runAsGroup];
    const claims = new Map((this.spec.volumes ?? []).map((volume) => [volume.name, volume]));
    const binds = (this.container.volumeMounts ?? []).map(({ name, mountPath, readOnly }) => {
      const source = makeVolume(
        this.objects,
        claims.get(name) ?? {},
        `/run/cluster/volumes/${this.name}/${name}`,
        ids,
      );
      return `${source}:${mountPath}:${readOnly ? "ro" : "rw"}`;
    });
    const { words, env } = image.start({
      name: this.name,
      user: ids.join(":"),
      binds,
      variables: variablesOf(this.objects, this.container),
      command: this.container.command,
      args: this.container.args ?? [],
    });
    const log = openSync(`${folder}/${this.name}.log`, "a");
    this.process = spawn(
      "nsenter",
      [`--net=${namespaceFile(this.name)}`, "unshare", "--mount", "--uts", ...words],
      { env, stdio: ["ignore", log, log] },
    );
    this.exited = new Promise((resolve) =>
      this.process.on("exit", (code, signal) => resolve(signal ?? code)),
    );
    this.exited.then((end) => this.end(end));
    this.probing = this.probe();
  }

  end(how) {
    this.ended = true;
    this.how = how;
    this.setReady(false);
    if (this.kind !== "Job" && !this.terminating)
      this.complain(`${this.name} ended by itself: ${how}`);
    if (this.terminating && how !== 0) this.complain(`${this.name} ended with ${how}`);
  }

  setReady(ready) {
    if (this.ready === ready) return;
    this.ready = ready;
    if (ready) this.readyAt = Date.now();
    this.changed(this);
  }

  portNumber(port) {
    return typeof port === "number"
      ? port
      : this.container.ports.find(({ name }) => name === port).containerPort;
  }

  // One look, as the kubelet takes it: from the node, or by a command inside the pod.
  look({ httpGet, tcpSocket, exec, timeoutSeconds = 1 }) {
    const signal = AbortSignal.timeout(timeoutSeconds * SECOND);
    if (httpGet)
      return fetch(`http://${this.address}:${this.portNumber(httpGet.port)}${httpGet.path}`, {
        signal,
        headers: { connection: "close" },
      }).then(
        (reply) => reply.arrayBuffer().then(() => reply.ok),
        () => false,
      );
    if (exec) return this.inside(exec.command, signal);
    return new Promise((resolve) => {
      const socket = connect({ host: this.address, port: this.portNumber(tcpSocket.port), signal });
      socket
        .on("connect", () => resolve(true))
        .on("error", () => resolve(false))
        .on("connect", () => socket.destroy());
    });
  }

  inside(command, signal) {
    const [name, ...args] = command;
    return new Promise((resolve) =>
      execFile(
        "nsenter",
        [`--target=${this.process.pid}`, "--net", name, ...args],
        { signal },
        (error) => resolve(!error),
      ),
    );
  }

  // Looks again and again until `enough` of it; failures in a row beyond the threshold give up.
  async *looks(probe) {
    const { periodSeconds = 10, initialDelaySeconds = 0 } = probe;
    await sleep(initialDelaySeconds * SECOND);
    while (!this.ended && !this.terminating) {
      yield await this.look(probe);
      await sleep(periodSeconds * SECOND);
    }
  }

  async probe() {
    const { startupProbe, readinessProbe, livenessProbe } = this.container;
    if (this.kind === "Job") return;
    if (startupProbe && !(await this.started(startupProbe))) return;
    await Promise.all([
      readinessProbe && this.watchReadiness(readinessProbe),
      livenessProbe && this.watchLiveness(livenessProbe),
    ]);
  }

  async started(probe) {
    let failures = 0;
    for await (const good of this.looks(probe)) {
      if (good) return true;
      if (++failures >= (probe.failureThreshold ?? 3)) {
        this.complain(`${this.name} does not start: its startup probe failed ${failures} times`);
        return false;
      }
    }
    return false;
  }

  async watchReadiness(probe) {
    let failures = 0;
    for await (const good of this.looks(probe)) {
      failures = good ? 0 : failures + 1;
      if (good && !this.terminating) this.setReady(true);
      else if (failures >= (probe.failureThreshold ?? 3)) this.setReady(false);
    }
  }

  async watchLiveness(probe) {
    let failures = 0;
    for await (const good of this.looks(probe)) {
      failures = good ? 0 : failures + 1;
      if (failures >= (probe.failureThreshold ?? 3) && !this.terminating)
        this.complain(
          `${this.name} would be restarted: ${failures} failures of its liveness probe`,
        );
    }
  }

  // Ends when the container has ended.
  async stop() {
    this.terminating = true;
    this.setReady(false);
    const grace = (this.spec.terminationGracePeriodSeconds ?? 30) * SECOND;
    const killer = setTimeout(() => {
      this.complain(`${this.name} had to be killed after its grace period`);
      this.process.kill("SIGKILL");
    }, grace);
    const begun = Date.now();
    await sleep((this.container.lifecycle?.preStop?.sleep?.seconds ?? 0) * SECOND);
    this.process.kill("SIGTERM");
    await this.exited;
    clearTimeout(killer);
    this.stopTook = Date.now() - begun;
  }
}
