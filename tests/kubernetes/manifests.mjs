// Rendered manifests, and what Kubernetes makes of them: which labels a selector chooses, and which
// connections the NetworkPolicies allow. For the checks here and for the local cluster (tests/cluster).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { parseAllDocuments } from "yaml";

export const render = (folder) =>
  parseAllDocuments(execFileSync("kubectl", ["kustomize", folder], { encoding: "utf8" })).map(
    (document) => document.toJS(),
  );

// The dev overlay with more components, added as an operator would; FOLDER gets the kustomization, to which
// `more` belongs.
export function devWith(folder, components, more = {}) {
  const to = (path) => relative(folder, `deploy/kubernetes/${path}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}/kustomization.yaml`,
    JSON.stringify({
      apiVersion: "kustomize.config.k8s.io/v1beta1",
      kind: "Kustomization",
      namespace: "baro",
      resources: [to("overlays/dev")],
      components: components.map((name) => to(`components/${name}`)),
      ...more,
    }),
  );
  return folder;
}

export const component = (object) => object.metadata.labels?.["app.kubernetes.io/component"];
export const named = (objects, kind) => objects.filter((object) => object.kind === kind);

// The pods that the objects ask for, one for each Deployment, StatefulSet and Job.
export const podsOf = (objects) =>
  objects
    .filter(({ kind }) => ["Deployment", "StatefulSet", "Job"].includes(kind))
    .map((object) => ({
      name: `${object.kind} ${object.metadata.name}`,
      namespace: object.metadata.namespace,
      labels: object.spec.template.metadata.labels,
      component: component(object),
      kind: object.kind,
      spec: object.spec.template.spec,
    }));
export const containersOf = (pod) => [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
export const env = (container) =>
  new Map((container.env ?? []).map(({ name, value }) => [name, value]));

// Does a label selector choose these labels?
export function selects(selector, labels) {
  const expressions = (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
    assert.equal(operator, "In", "the only operator that these policies use");
    return values.includes(labels[key]);
  });
  return (
    expressions &&
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value)
  );
}

// The policies that isolate a pod in a direction, "Ingress" or "Egress".
export const policiesFor = (objects, pod, direction) =>
  named(objects, "NetworkPolicy").filter(
    ({ metadata, spec }) =>
      metadata.namespace === pod.namespace &&
      spec.policyTypes.includes(direction) &&
      selects(spec.podSelector, pod.labels),
  );

// Does one `to` or `from` of a policy mean this pod? A pod knows the labels of its namespace by its name.
export function isPeer(policy, { podSelector, namespaceSelector, ipBlock }, pod) {
  if (ipBlock) return false;
  const near = namespaceSelector
    ? selects(namespaceSelector, { "kubernetes.io/metadata.name": pod.namespace })
    : pod.namespace === policy.metadata.namespace;
  return near && (!podSelector || selects(podSelector, pod.labels));
}

// May one pod open a connection to a port of another, by the policies of both?
export function allowed(objects, from, to, port) {
  const passes = (pod, direction, rulesOf, side, peer) => {
    const policies = policiesFor(objects, pod, direction);
    return (
      !policies.length ||
      policies.some((policy) =>
        (policy.spec[rulesOf] ?? []).some(
          (rule) =>
            (!rule[side] || rule[side].some((peers) => isPeer(policy, peers, peer))) &&
            (!rule.ports || rule.ports.some((one) => one.port === port)),
        ),
      )
    );
  };
  return (
    passes(from, "Egress", "egress", "to", to) && passes(to, "Ingress", "ingress", "from", from)
  );
}
