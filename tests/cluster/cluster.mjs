// The control plane, as far as it is needed: it makes the pods that the objects ask for, scales and
// rolls Deployments by their strategy, tells names and packet filters who is there, and keeps a list
// of what should not have happened.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { named, podsOf, selects } from "../manifests.mjs";
import { Pod } from "./kubelet.mjs";
import { addPod, applyPolicies, namespaceFile, openNode, removePod } from "./network.mjs";

const DNS = { name: "kube-dns", namespace: "kube-system", labels: { "k8s-app": "kube-dns" } };
const INGRESS = {
  name: "ingress",
  namespace: "ingress-nginx",
  labels: { "app.kubernetes.io/name": "ingress-nginx" },
};
const HOSTS = "/run/cluster/hosts";

// The text of a secret's key.
export const secretOf = (objects, name, key) =>
  Buffer.from(
    named(objects, "Secret").find(({ metadata }) => metadata.name === name).data[key],
    "base64",
  ).toString();

// The four databases, as baroctl asks for them.
export const databasesOf = (objects) =>
  Object.fromEntries(
    ["user", "product", "order", "coupon"].map((name) => [
      `BARO_${name.toUpperCase()}_DATABASE_URL`,
      secretOf(objects, `baro-${name}`, "database-url"),
    ]),
  );

export async function until(what, seconds, condition) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export class Cluster {
  constructor({ objects, images, folder }) {
    Object.assign(this, {
      objects,
      images,
      folder,
      pods: [],
      cutOff: [],
      complaints: [],
      numbers: 0,
      wanted: new Map(),
    });
    openNode();
    // Those outside our namespace who speak with pods: the name server, and who brings requests in.
    this.others = [DNS, INGRESS].map((other) => ({
      ...other,
      address: addPod(other.name, this.nextNumber()),
    }));
    this.startNames();
    this.refresh();
  }

  nextNumber() {
    return ++this.numbers;
  }

  // The name server goes into the background when it listens.
  startNames() {
    writeFileSync(HOSTS, "");
    const lines = [
      `nameserver ${this.others[0].address}`,
      "search baro.svc.cluster.local svc.cluster.local cluster.local",
      "options ndots:5 timeout:1",
    ];
    writeFileSync("/run/cluster/resolv.conf", `${lines.join("\n")}\n`);
    execFileSync("nsenter", [
      `--net=${namespaceFile(DNS.name)}`,
      "dnsmasq",
      "--interface=eth0",
      "--conf-file=/dev/null",
      "--no-resolv",
      "--no-hosts",
      "--domain-needed",
      `--addn-hosts=${HOSTS}`,
      "--local=/cluster.local/",
      "--local-ttl=5",
      "--user=root",
      `--pid-file=${HOSTS}.pid`,
      `--log-facility=${this.folder}/names.log`,
    ]);
    this.names = Number(readFileSync(`${HOSTS}.pid`, "utf8"));
  }

  // The ready pods behind a Service.
  endpoints(service) {
    const { spec } = named(this.objects, "Service").find(
      ({ metadata }) => metadata.name === service,
    );
    return this.pods.filter(
      (pod) => pod.ready && selects({ matchLabels: spec.selector }, pod.labels),
    );
  }

  // After every change of who is there or ready.
  refresh() {
    applyPolicies(this.objects, [...this.others, ...this.pods], this.cutOff);
    const lines = named(this.objects, "Service").flatMap(({ metadata: { name, namespace } }) =>
      this.endpoints(name).map(
        ({ address }) => `${address} ${name}.${namespace}.svc.cluster.local`,
      ),
    );
    writeFileSync(HOSTS, `${lines.join("\n")}\n`);
    process.kill(this.names, "SIGHUP");
    this.onEndpoints?.();
  }

  add(workload) {
    const number = this.nextNumber();
    const name = `${workload.name.split(" ")[1]}-${number}`;
    const address = addPod(name, number);
    // A pod's address and labels must be known to the filter before its first packet.
    applyPolicies(
      this.objects,
      [...this.others, ...this.pods, { ...workload, address }],
      this.cutOff,
    );
    const pod = new Pod({
      objects: this.objects,
      workload,
      name,
      address,
      images: this.images,
      folder: this.folder,
      changed: () => this.refresh(),
      complain: (words) => this.complaints.push(words),
    });
    pod.workload = workload;
    this.pods.push(pod);
    return pod;
  }

  async remove(pod) {
    await pod.stop();
    this.pods.splice(this.pods.indexOf(pod), 1);
    removePod(pod.name);
    this.refresh();
  }

  // Everything at once, as `kubectl apply` does. A Deployment without a number of replicas begins with
  // its autoscaler's least.
  apply() {
    for (const workload of podsOf(this.objects)) {
      const scaler = named(this.objects, "HorizontalPodAutoscaler").find(
        ({ spec }) => `Deployment ${spec.scaleTargetRef.name}` === workload.name,
      );
      const object = this.objects.find(
        ({ kind, metadata }) => `${kind} ${metadata.name}` === workload.name,
      );
      this.wanted.set(workload.name, object.spec.replicas ?? scaler?.spec.minReplicas ?? 1);
      for (let i = 0; i < this.wanted.get(workload.name); i++) this.add(workload);
    }
  }

  // The pods of a component that are not on their way out.
  of(component) {
    return this.pods.filter(
      (pod) => pod.component === component && pod.kind === "Deployment" && !pod.terminating,
    );
  }

  workload(component) {
    return podsOf(this.objects).find(
      ({ kind, component: name }) => kind === "Deployment" && name === component,
    );
  }

  // Ends when every pod of a Deployment is ready and every Job has ended well, or when something went wrong.
  async settled(seconds) {
    const deployed = () => this.pods.filter(({ kind }) => kind !== "Job");
    await until(
      "everybody is ready",
      seconds,
      () => this.complaints.length || deployed().every(({ ready }) => ready),
    );
    const jobs = this.pods.filter(({ kind }) => kind === "Job");
    await Promise.all(jobs.map(({ exited }) => exited));
    for (const { name, how } of jobs)
      if (how !== 0) this.complaints.push(`${name} ended with ${how}`);
  }

  // Adds pods, or takes the youngest away; ends when all that remain are ready and the others gone.
  async scale(component, replicas) {
    const there = this.of(component);
    for (let i = there.length; i < replicas; i++) this.add(this.workload(component));
    await Promise.all(there.slice(replicas).map((pod) => this.remove(pod)));
    await this.allReady(component);
  }

  allReady(component) {
    return until(`all pods of ${component} are ready`, 60, () =>
      this.of(component).every((pod) => pod.ready),
    );
  }

  // Replaces all pods of a Deployment by its strategy. Ends when the new ones are ready; `gone` of the
  // result ends when the old ones have.
  async roll(component) {
    const object = named(this.objects, "Deployment").find(
      ({ metadata }) => metadata.name === `baro-${component}`,
    );
    const { maxSurge, maxUnavailable } = object.spec.strategy.rollingUpdate;
    const old = this.of(component);
    const [most, least] = [old.length + maxSurge, old.length - maxUnavailable];
    const leaving = [];
    for (let left = old.length; left > 0;) {
      if (this.of(component).length < most) this.add(this.workload(component));
      await until(
        `a new pod of ${component} is ready`,
        60,
        () => this.of(component).filter((pod) => pod.ready).length > least,
      );
      leaving.push(this.remove(old[--left]));
    }
    await this.allReady(component);
    return { gone: Promise.all(leaving) };
  }

  // Drops every packet between the pod and the others; the node still reaches it, as a kubelet would.
  cut(pod) {
    this.cutOff = [pod];
    this.refresh();
  }

  heal() {
    this.cutOff = [];
    this.refresh();
  }
}
