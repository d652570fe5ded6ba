// The network of the cluster: each pod has a network namespace with one address, and the node routes
// between them. What NetworkPolicies say stands as packet filter in the node's way: what is not
// allowed is dropped, as most of the network plug-ins do. Everything is inside the namespaces that
// tests/cluster/run has made.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { isPeer, named, selects } from "../manifests.mjs";

const GATE = "169.254.1.1"; // the node's end of every pod's link
const command = (name, args, input) =>
  execFileSync(name, args, { input, stdio: ["pipe", "pipe", "inherit"], encoding: "utf8" });
const ip = (...lines) => command("ip", ["-batch", "-"], `${lines.join("\n")}\n`);

export const namespaceFile = (name) => `/run/netns/${name}`;

export function openNode() {
  ip("link set lo up");
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
}

// Number n makes the address and the link's name; it is never used again.
export function addPod(name, n) {
  const address = `10.77.${n >> 8}.${n & 255}`;
  const link = `pod${n}`;
  command("ip", ["netns", "add", name]);
  ip(
    `link add ${link} type veth peer name eth0 netns ${name}`,
    `addr add ${GATE}/32 dev ${link}`,
    `link set ${link} up`,
    `route add ${address} dev ${link}`,
  );
  command(
    "ip",
    ["-n", name, "-batch", "-"],
    [
      "link set lo up",
      `addr add ${address}/32 dev eth0`,
      "link set eth0 up",
      `route add ${GATE} dev eth0`,
      `route add default via ${GATE}`,
    ].join("\n"),
  );
  return address;
}

export const removePod = (name) => command("ip", ["netns", "del", name]);

const set = (values) => `{ ${values.join(", ")} }`;
const onlyIf = (field, values) => (values ? `${field} ${set(values)}` : "");

// The addresses that a rule's peers stand for; null: any.
function addressesOf(policy, peers, pods) {
  if (!peers) return null;
  const blocks = peers.filter(({ ipBlock }) => ipBlock).map(({ ipBlock }) => ipBlock.cidr);
  const chosen = pods
    .filter((pod) => peers.some((peer) => isPeer(policy, peer, pod)))
    .map(({ address }) => address);
  return [...blocks, ...chosen];
}

function portMatches(ports) {
  if (!ports) return [""];
  const of = (protocol) =>
    ports.filter((one) => (one.protocol ?? "TCP") === protocol).map(({ port }) => port);
  return ["TCP", "UDP"]
    .filter((protocol) => of(protocol).length)
    .map((protocol) => `${protocol.toLowerCase()} dport ${set(of(protocol))}`);
}

// The rules of one direction: what is allowed returns, what else a policy isolates is dropped.
function* chainOf(direction, policies, pods) {
  const [rulesOf, side, own, other] =
    direction === "Egress"
      ? ["egress", "to", "ip saddr", "ip daddr"]
      : ["ingress", "from", "ip daddr", "ip saddr"];
  const isolated = new Set();
  for (const policy of policies.filter(({ spec }) => spec.policyTypes.includes(direction))) {
    const mine = pods
      .filter(
        (pod) =>
          pod.namespace === policy.metadata.namespace &&
          selects(policy.spec.podSelector, pod.labels),
      )
      .map(({ address }) => address);
    for (const address of mine) isolated.add(address);
    for (const rule of mine.length ? (policy.spec[rulesOf] ?? []) : []) {
      const peers = addressesOf(policy, rule[side], pods);
      if (peers?.length === 0) continue;
      for (const match of portMatches(rule.ports))
        yield `${own} ${set(mine)} ${onlyIf(other, peers)} ${match} return`;
    }
  }
  if (isolated.size) yield `${own} ${set([...isolated])} drop`;
}

// Puts the policies of `objects` into force for the pods that there are, in one step. Connections that
// were allowed once go on, but for those of pods that are cut off.
export function applyPolicies(objects, pods, cutOff) {
  const policies = named(objects, "NetworkPolicy");
  const cut = cutOff.map(({ address }) => address);
  command(
    "nft",
    ["-f", "-"],
    `
flush ruleset
table inet cluster {
  chain egress {
    ${[...chainOf("Egress", policies, pods)].join("\n    ")}
  }
  chain ingress {
    ${[...chainOf("Ingress", policies, pods)].join("\n    ")}
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ${cut.length ? `ip saddr ${set(cut)} drop\n    ip daddr ${set(cut)} drop` : ""}
    ct state established,related accept
    jump egress
    jump ingress
  }
}
`,
  );
}
