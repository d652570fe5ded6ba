// What every rendered overlay must hold.
//   node check.mjs BUILD    (the folder with the executables, whose --help lists their settings)
// Schemas come from kubernetes-models; the rules below are Baro's own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { parse } from "yaml";
import { kept } from "./defaults.mjs";
import { hiddenRoutes, pathsOf } from "./ingress.mjs";
import {
  allowed,
  component,
  containersOf,
  devWith,
  env,
  named,
  podsOf,
  policiesFor,
  render,
  selects,
} from "./manifests.mjs";

const build = process.argv[2] ?? "build";
const processes = ["gateway", "user", "product", "order", "coupon"];
const KUBERNETES = "deploy/kubernetes";
const shipped = readdirSync(`${KUBERNETES}/overlays`);
const overlays = Object.fromEntries(
  shipped.map((name) => [name, `${KUBERNETES}/overlays/${name}`]),
);

// The components that the dev overlay has not.
function others() {
  const { components } = parse(readFileSync(`${overlays.dev}/kustomization.yaml`, "utf8"));
  const there = components.map((path) => path.split("/").pop());
  return readdirSync(`${KUBERNETES}/components`).filter((name) => !there.includes(name));
}
overlays["dev with everything"] = devWith(`${build}/tests/kubernetes/everything`, others());

// NAME -> default, as `baro-X --help` prints the settings table.
const settingsOf = (name) =>
  new Map(
    execFileSync(`${build}/baro-${name}`, ["--help"], { encoding: "utf8" })
      .split("\n")
      .map((line) => line.match(/^(BARO_\w+) +(\S+)/))
      .filter(Boolean)
      .map(([, setting, value]) => [setting, value]),
  );

// Job and Deployment of one process have the same settings table.
const settings = new Map(processes.map((name) => [name, settingsOf(name)]));
// The connections that a process's settings tell it to open: tcp://baro-order:7103, or over TLS.
function* connectionsOf(pod) {
  for (const container of pod.spec.containers)
    for (const [name, value] of env(container))
      if (/_(RPC|BUS)$/.test(name)) {
        const [, host, port] = value.match(/^(?:tls\+)?tcp:\/\/([a-z-]+):(\d+)$/);
        yield { name, host, port: Number(port) };
      }
}

// The settings that an overlay gives, by a pod's own variables or by what all share.
function settingsGiven(objects, pods) {
  const own = pods.flatMap(({ spec }) => [...env(spec.containers[0]).keys()]);
  const shared = named(objects, "ConfigMap").filter(({ metadata }) =>
    metadata.name.startsWith("baro-settings"),
  );
  return [...own, ...shared.flatMap(({ data }) => Object.keys(data))].map((name) =>
    name.replace(/_FILE$/, ""),
  );
}

const LONGEST_JOB = 10; // s, RUN_MAX_US of lib/service/lots.c
const seconds = (text) => Number(text.match(/^(\d+)s$/)[1]);

const givenAnywhere = new Set(); // settings, by any overlay
for (const [overlay, folder] of Object.entries(overlays)) {
  const objects = render(folder);
  const pods = podsOf(objects);
  const ours = pods.filter(
    ({ kind, component: name }) => kind === "Deployment" && processes.includes(name),
  );
  const jobs = pods.filter(({ kind }) => kind === "Job");
  const podOf = (host) => ours.find(({ component: name }) => `baro-${name}` === host);

  for (const name of settingsGiven(objects, [...ours, ...jobs])) givenAnywhere.add(name);

  test(`${overlay}: every object has the shape that Kubernetes asks for`, async () => {
    for (const object of objects) {
      // Kubernetes reads base64 over several lines; the schema's format does not.
      for (const key in object.kind === "Secret" ? object.data : {})
        object.data[key] = object.data[key].replace(/\s/g, "");
      const models = await import(`kubernetes-models/${object.apiVersion}`);
      assert.ok(models[object.kind], `${object.apiVersion} has no ${object.kind}`);
      assert.doesNotThrow(
        () => new models[object.kind](object).validate(),
        `${object.kind} ${object.metadata.name}`,
      );
    }
  });

  test(`${overlay}: all five processes are there, once`, () => {
    assert.deepEqual(ours.map(({ component: name }) => name).sort(), [...processes].sort());
  });

  test(`${overlay}: no container may do more than it must`, () => {
    for (const pod of pods) {
      assert.equal(pod.spec.securityContext.runAsNonRoot, true, pod.name);
      assert.ok(pod.spec.securityContext.runAsUser > 0, pod.name);
      assert.ok(
        ["RuntimeDefault", "Localhost"].includes(pod.spec.securityContext.seccompProfile.type),
        pod.name,
      );
      assert.equal(pod.spec.automountServiceAccountToken, false, pod.name);
      for (const container of containersOf(pod)) {
        assert.equal(container.securityContext.readOnlyRootFilesystem, true, pod.name);
        assert.equal(container.securityContext.allowPrivilegeEscalation, false, pod.name);
        assert.deepEqual(container.securityContext.capabilities.drop, ["ALL"], pod.name);
        assert.ok(
          container.resources.requests.cpu && container.resources.requests.memory,
          pod.name,
        );
        assert.ok(container.resources.limits.memory, pod.name);
      }
    }
  });

  test(`${overlay}: every variable is a setting of its process`, () => {
    for (const pod of [...ours, ...jobs])
      for (const name of env(pod.spec.containers[0]).keys())
        assert.ok(
          settings.get(pod.component).has(name.replace(/_FILE$/, "")),
          `${pod.name}: ${name}`,
        );
  });

  test(`${overlay}: every setting without a default, and every address, is given`, () => {
    for (const pod of ours) {
      const given = new Set(
        [...env(pod.spec.containers[0]).keys()].map((name) => name.replace(/_FILE$/, "")),
      );
      for (const [name, value] of settings.get(pod.component))
        if (value === "(required)" || /127\.0\.0\.1/.test(value))
          assert.ok(given.has(name), `${pod.name}: ${name}`);
    }
  });

  test(`${overlay}: settings that all share are settings of all, and all have them`, () => {
    for (const pod of [...ours, ...jobs])
      assert.ok(
        pod.spec.containers[0].envFrom?.some(({ configMapRef }) =>
          configMapRef.name.startsWith("baro-settings"),
        ),
        pod.name,
      );
    for (const map of named(objects, "ConfigMap").filter(({ metadata }) =>
      metadata.name.startsWith("baro-settings"),
    ))
      for (const name of Object.keys(map.data))
        for (const process of processes)
          assert.ok(settings.get(process).has(name), `${process}: ${name}`);
  });

  test(`${overlay}: ports agree with the defaults, in pods and in services`, () => {
    for (const pod of ours) {
      const ports = new Map(
        pod.spec.containers[0].ports.map(({ name, containerPort }) => [name, containerPort]),
      );
      for (const [setting, port] of [
        ["BARO_RPC_LISTEN", "rpc"],
        ["BARO_BUS_LISTEN", "bus"],
        ["BARO_OPS_LISTEN", "ops"],
        ["BARO_HTTP_ADDRESS", "http"],
      ]) {
        const standard = settings.get(pod.component).get(setting);
        if (!standard) continue;
        assert.equal(ports.get(port), Number(standard.split(":").pop()), `${pod.name}: ${port}`);
        assert.match(
          env(pod.spec.containers[0]).get(setting),
          new RegExp(`0\\.0\\.0\\.0:${ports.get(port)}$`),
        );
      }
      const service = named(objects, "Service").find(
        (object) => component(object) === pod.component,
      );
      for (const { targetPort } of service.spec.ports)
        assert.ok(ports.has(targetPort), `${pod.name}: ${targetPort}`);
      assert.equal(service.spec.clusterIP, pod.component === "gateway" ? undefined : "None");
    }
  });

  test(`${overlay}: every pod is under the default deny and has arrows of its own`, () => {
    for (const pod of pods) {
      const policies = policiesFor(objects, pod, "Ingress");
      assert.ok(
        policies.some(({ spec }) => Object.keys(spec.podSelector).length === 0),
        pod.name,
      );
      assert.ok(
        policies.some(({ spec }) => Object.keys(spec.podSelector).length > 0),
        pod.name,
      );
    }
  });

  test(`${overlay}: what a process is told to call it may call, and nothing else`, () => {
    const inner = ours.flatMap((to) =>
      to.spec.containers[0].ports
        .filter(({ name }) => ["rpc", "bus"].includes(name))
        .map(({ containerPort }) => ({ to, port: containerPort })),
    );
    for (const from of ours) {
      const wanted = new Set([...connectionsOf(from)].map(({ host, port }) => `${host}:${port}`));
      for (const { to, port } of inner) {
        const edge = `baro-${to.component}:${port}`;
        assert.equal(allowed(objects, from, to, port), wanted.has(edge), `${from.name} to ${edge}`);
      }
      for (const { name, host } of connectionsOf(from))
        assert.ok(podOf(host), `${from.name}: ${name}`);
    }
  });

  test(`${overlay}: only who has a database may open a connection to one`, () => {
    for (const pod of ours) {
      const rules = policiesFor(objects, pod, "Egress").flatMap(({ spec }) => spec.egress ?? []);
      const mayGo = rules.some(
        ({ ports }) => !ports || ports.some(({ port }) => [5432, 6432].includes(port)),
      );
      assert.equal(mayGo, env(pod.spec.containers[0]).has("BARO_DATABASE_URL_FILE"), pod.name);
    }
  });

  test(`${overlay}: everybody may ask for names`, () => {
    const names = { namespace: "kube-system", labels: { "k8s-app": "kube-dns" } };
    for (const pod of pods) assert.ok(allowed(objects, pod, names, 53), pod.name);
  });

  test(`${overlay}: the first admin has an address and a password`, () => {
    const given = new Map(ours.map((pod) => [pod.component, env(pod.spec.containers[0])])).get(
      "user",
    );
    for (const name of ["BARO_ADMIN_EMAIL", "BARO_ADMIN_PASSWORD_FILE"])
      assert.ok(given.has(name), name);
  });

  test(`${overlay}: secrets that it brings have what is asked of them, and nothing empty`, () => {
    const brought = new Map(
      named(objects, "Secret").map(({ metadata, data }) => [metadata.name, data]),
    );
    for (const data of brought.values()) for (const key in data) assert.ok(data[key], key);
    const isWhole = shipped.includes(overlay) && brought.size > 0; // components ask for more
    for (const pod of isWhole ? [...ours, ...jobs] : [])
      for (const { name, value, valueFrom } of pod.spec.containers[0].env) {
        const [, volume, key] = value?.match(/^\/run\/secrets\/baro\/(\w+)\/(.+)$/) ?? [];
        const asked =
          valueFrom?.secretKeyRef ??
          (volume && {
            name: pod.spec.volumes.find((one) => one.name === volume).secret.secretName,
            key,
          });
        if (asked)
          assert.ok(
            brought.get(asked.name)?.[asked.key],
            `${pod.name}: ${name} wants ${asked.key} of ${asked.name}`,
          );
      }
  });

  test(`${overlay}: each process scales and survives a drained node`, () => {
    for (const pod of ours) {
      const scaler = named(objects, "HorizontalPodAutoscaler").find(
        (object) => component(object) === pod.component,
      );
      assert.equal(scaler.spec.scaleTargetRef.name, `baro-${pod.component}`);
      const budget = named(objects, "PodDisruptionBudget").find(
        (object) => component(object) === pod.component,
      );
      assert.ok(selects(budget.spec.selector, pod.labels), pod.name);
    }
  });

  test(`${overlay}: whoever runs twice is spread, and started again when stuck`, () => {
    for (const { spec, metadata } of named(objects, "Deployment")) {
      const { spec: pod, metadata: made } = spec.template;
      if (spec.replicas === 1) continue;
      assert.ok(pod.topologySpreadConstraints?.length, metadata.name);
      for (const { labelSelector } of pod.topologySpreadConstraints)
        assert.ok(selects(labelSelector, made.labels), metadata.name);
      for (const { livenessProbe } of pod.containers) assert.ok(livenessProbe, metadata.name);
    }
  });

  test(`${overlay}: a stop has time for its drain`, () => {
    for (const pod of ours) {
      const [container] = pod.spec.containers;
      const setting = (name) =>
        seconds(env(container).get(name) ?? settings.get(pod.component).get(name) ?? "0s");
      const needed =
        container.lifecycle.preStop.sleep.seconds +
        setting("BARO_DRAIN") +
        (pod.component === "gateway" ? setting("BARO_DRAIN_NOTICE") : LONGEST_JOB);
      assert.ok(
        pod.spec.terminationGracePeriodSeconds > needed,
        `${pod.name} needs more than ${needed} s`,
      );
    }
  });

  test(`${overlay}: customers reach all routes but those that only the cluster asks for`, () => {
    for (const { path, pathType } of pathsOf(objects))
      if (path.includes(".")) assert.equal(pathType, "ImplementationSpecific", path); // for ingress-nginx
    assert.deepEqual(hiddenRoutes(objects), ["/livez", "/metrics", "/readyz", "/version"]);
  });

  test(`${overlay}: the gateway knows that all its connections are the Ingress's`, () => {
    const gateway = env(ours.find((pod) => pod.component === "gateway").spec.containers[0]);
    const keepalive = 60; // s, ingress-nginx's upstream-keepalive-timeout
    assert.ok(seconds(gateway.get("BARO_HTTP_DEADLINE")) > keepalive);
    assert.equal(gateway.get("BARO_HTTP_CONNECTIONS_PER_ADDRESS"), "0");
  });

  test(`${overlay}: liveness never looks at a database`, () => {
    for (const pod of ours) {
      const [container] = pod.spec.containers;
      assert.equal(container.livenessProbe.httpGet.path, "/livez");
      assert.equal(container.readinessProbe.httpGet.path, "/readyz");
      assert.equal(container.startupProbe.httpGet.path, "/readyz");
    }
  });

  test(`${overlay}: tables are made by a Job as their owner, whose password no serving pod sees`, () => {
    const secretsOf = (pod) =>
      pod.spec.volumes.filter(({ secret }) => secret).map(({ secret }) => secret.secretName);
    assert.deepEqual(
      jobs.map(({ component: name }) => name).sort(),
      processes.filter((name) => name !== "gateway").sort(),
    );
    for (const pod of jobs) {
      assert.equal(env(pod.spec.containers[0]).get("BARO_MIGRATE"), "only", pod.name);
      assert.ok(secretsOf(pod).includes(`baro-${pod.component}-owner`), pod.name);
    }
    for (const pod of ours) {
      if (pod.component !== "gateway")
        assert.equal(env(pod.spec.containers[0]).get("BARO_MIGRATE"), "wait", pod.name);
      assert.ok(!secretsOf(pod).some((name) => name.endsWith("-owner")), pod.name);
      assert.deepEqual(
        secretsOf(pod).filter(
          (name) => !["baro-shared", "baro-mutual-tls", `baro-${pod.component}`].includes(name),
        ),
        [],
        pod.name,
      );
    }
  });

  test(`${overlay}: a Service sends nothing to a Job`, () => {
    for (const { spec } of named(objects, "Service"))
      for (const pod of jobs)
        assert.ok(!selects({ matchLabels: spec.selector }, pod.labels), pod.name);
  });

  test(`${overlay}: no secret stands in a variable`, () => {
    for (const pod of ours)
      for (const name of [
        "BARO_SECRET",
        "BARO_DATABASE_URL",
        "BARO_REDIS_URL",
        "BARO_ADMIN_PASSWORD",
        "BARO_JWT_KEY",
      ])
        assert.ok(!env(pod.spec.containers[0]).has(name), `${pod.name}: ${name}`);
  });
}

test("every setting is given by a manifest, or its default is meant to stay", () => {
  const all = new Set([...settings.values()].flatMap((table) => [...table.keys()]));
  const undecided = [...all].filter((name) => !givenAnywhere.has(name) && !kept.has(name));
  const stale = [...kept].filter((name) => givenAnywhere.has(name) || !all.has(name));
  assert.deepEqual({ undecided, stale }, { undecided: [], stale: [] });
});

test("the component seccomp gives every process the profile of deploy/seccomp", () => {
  const pods = podsOf(render(overlays["dev with everything"])).filter(
    ({ kind, component: name }) => kind === "Deployment" && processes.includes(name),
  );
  assert.equal(pods.length, processes.length);
  for (const { name, spec } of pods)
    assert.deepEqual(
      spec.securityContext.seccompProfile,
      { type: "Localhost", localhostProfile: "baro.json" },
      name,
    );
  assert.equal(
    JSON.parse(readFileSync("deploy/seccomp/baro.json", "utf8")).defaultAction,
    "SCMP_ACT_ERRNO",
  );
});

test("only dev takes the secrets that this repository publishes", () => {
  for (const [overlay, folder] of Object.entries(overlays))
    assert.equal(
      /BARO_DEMO/.test(JSON.stringify(render(folder))),
      overlay.startsWith("dev"),
      overlay,
    );
});

test("dev takes the images that `make images` makes", () => {
  const [, version] = readFileSync("lib/base/version.h", "utf8").match(/BARO_VERSION "(.*)"/);
  for (const pod of podsOf(render(overlays.dev)).filter(({ component: name }) =>
    processes.includes(name),
  ))
    for (const { image } of containersOf(pod))
      assert.equal(image, `localhost/baro-${pod.component}:${version}`, pod.name);
});

test("no overlay lets anybody break the shop on purpose", () => {
  for (const folder of Object.values(overlays))
    assert.doesNotMatch(JSON.stringify(render(folder)), /BARO_FAULT_PANEL/, folder);
});

test("prod: processes speak with each other over TLS only, with certificates that are there", () => {
  const mounted = "/run/secrets/baro/tls";
  for (const pod of podsOf(render("deploy/kubernetes/overlays/prod")).filter(
    ({ kind, component: name }) => kind === "Deployment" && processes.includes(name),
  )) {
    const [container] = pod.spec.containers;
    for (const [name, value] of env(container)) {
      if (/_(RPC|BUS)$|_(RPC|BUS)_LISTEN$/.test(name))
        assert.match(value, /^tls\+tcp:/, `${pod.name}: ${name}`);
      if (/^BARO_TLS_/.test(name))
        assert.ok(value.startsWith(`${mounted}/`), `${pod.name}: ${name}`);
    }
    for (const name of ["BARO_TLS_CERT", "BARO_TLS_KEY", "BARO_TLS_CA"])
      assert.ok(env(container).has(name), `${pod.name}: ${name}`);
    const mount = container.volumeMounts.find(({ mountPath }) => mountPath === mounted);
    assert.equal(
      pod.spec.volumes.find(({ name }) => name === mount.name).secret.secretName,
      "baro-mutual-tls",
      pod.name,
    );
  }
});

test("prod brings no secret, no database and no image without a version", () => {
  const objects = render(overlays.prod);
  assert.deepEqual(named(objects, "Secret"), []);
  assert.deepEqual(named(objects, "StatefulSet"), []);
  for (const pod of podsOf(objects))
    for (const { image } of containersOf(pod)) assert.match(image, /:(?!latest)[\w.-]+$/);
});

test("prod scales every service by processor and by queue wait", () => {
  const measures = ({ resource, pods }) => resource?.name ?? pods.metric.name;
  for (const { metadata, spec } of named(render(overlays.prod), "HorizontalPodAutoscaler"))
    assert.deepEqual(
      spec.metrics.map(measures),
      metadata.name === "baro-gateway" ? ["cpu"] : ["cpu", "baro_queue_wait_seconds_p95"],
      metadata.name,
    );
});

// The names of metrics that the sources register.
function registeredMetrics() {
  const files = execFileSync("find", ["lib", "services", "gateway", "-name", "*.c"], {
    encoding: "utf8",
  })
    .trim()
    .split("\n");
  return new Set(
    files.flatMap((file) => readFileSync(file, "utf8").match(/(?<=")baro_[a-z_]+(?=")/g) ?? []),
  );
}

test("dashboards, rules and autoscaling name only metrics that exist", () => {
  const known = registeredMetrics();
  const folder = "deploy/monitoring";
  const texts = [
    "rules.yaml",
    "adapter.yaml",
    ...readdirSync(`${folder}/dashboards`).map((file) => `dashboards/${file}`),
  ];
  for (const file of texts) {
    const text = readFileSync(`${folder}/${file}`, "utf8");
    for (const name of text.match(/\bbaro_[a-z_]+(?![a-z_0-9])/g) ?? []) {
      const plain = name.replace(/_(bucket|sum|count)$/, "");
      if (/_p\d*$/.test(name)) continue; // what adapter.yaml makes itself
      assert.ok(known.has(plain) || known.has(name), `${file}: ${name}`);
    }
  }
});
