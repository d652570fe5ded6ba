// A PostgreSQL that fails over, on loopback: one etcd, and nodes that Patroni drives, each with a
// PostgreSQL of its own. Everything runs as postgres and is found again by its pid, never by its name.
import { spawn, spawnSync } from "node:child_process";
import {
  chownSync,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

const BIN = "/usr/lib/postgresql/17/bin";
const POSTGRES = Object.fromEntries(
  ["uid", "gid"].map((what) => [what, Number(spawnSync("id", [`-${what[0]}`, "postgres"]).stdout)]),
);

// Of all that can be set, what decides how long a failover takes. Patroni takes no ttl below 20 s.
const TIMING = { ttl: 20, loop_wait: 2, retry_timeout: 3, primary_start_timeout: 0 };
const PARAMETERS = {
  max_connections: 200,
  timezone: "UTC",
  log_timezone: "UTC",
  shared_buffers: "128MB",
  max_wal_size: "2GB",
  wal_keep_size: "512MB",
  jit: "off",
  max_parallel_workers_per_gather: 0,
  deadlock_timeout: "200ms",
  autovacuum_naptime: "10s",
  random_page_cost: 1.1,
  idle_in_transaction_session_timeout: "60s",
  client_connection_check_interval: "1s",
};

export const now = () => Number(process.hrtime.bigint() / 1000000n);

// Asks until the answer is worth something; fails after so many seconds.
export async function until(seconds, what, ask) {
  for (const limit = now() + seconds * 1000; ; await pause(50)) {
    const answer = await ask();
    if (answer) return answer;
    if (now() > limit) throw new Error(`${what}: not within ${seconds} s`);
  }
}

const answersOf = async (url) => {
  const reply = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => null);
  return reply && { ok: reply.ok, body: await reply.json().catch(() => null) };
};

// The processes of a family, the eldest first: /proc knows them also when their parent is gone.
function family(pid) {
  const children = spawnSync("pgrep", ["-P", String(pid)])
    .stdout.toString()
    .split("\n")
    .filter(Boolean)
    .map(Number);
  return [pid, ...children.flatMap(family)];
}

function signalAll(pids, signal) {
  for (const pid of pids)
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
}

class Node {
  constructor(cluster, name, port, restPort) {
    Object.assign(this, {
      cluster,
      name,
      port,
      rest: `http://127.0.0.1:${restPort}`,
      data: `${cluster.home}/${name}`,
      file: `${cluster.home}/${name}.json`,
    });
    const role = (username) => ({ username, password: cluster.password });
    writeFileSync(
      this.file,
      JSON.stringify({
        scope: "baro",
        name,
        restapi: { listen: `127.0.0.1:${restPort}`, connect_address: `127.0.0.1:${restPort}` },
        etcd3: { host: `127.0.0.1:${cluster.etcdPort}` },
        bootstrap: {
          dcs: {
            ...TIMING,
            synchronous_mode: cluster.synchronous,
            maximum_lag_on_failover: 2 ** 30,
            postgresql: { use_pg_rewind: true, use_slots: true, parameters: PARAMETERS },
          },
          initdb: [
            { encoding: "UTF8" },
            { "locale-provider": "builtin" },
            { locale: "C.UTF-8" },
            "data-checksums",
          ],
        },
        postgresql: {
          listen: `127.0.0.1:${port}`,
          connect_address: `127.0.0.1:${port}`,
          data_dir: this.data,
          bin_dir: BIN,
          pgpass: `${cluster.home}/${name}.pgpass`,
          authentication: { replication: role("replicator"), superuser: role("postgres") },
          parameters: { unix_socket_directories: cluster.home },
          pg_hba: [
            "local all postgres peer",
            "host all all 127.0.0.1/32 scram-sha-256",
            "host replication replicator 127.0.0.1/32 scram-sha-256",
          ],
          remove_data_directory_on_rewind_failure: true,
          remove_data_directory_on_diverged_timelines: true,
        },
      }),
    );
  }

  start() {
    this.patroni = this.cluster.spawn(this.name, "patroni", [this.file]);
  }
  postmaster() {
    try {
      return Number(readFileSync(`${this.data}/postmaster.pid`, "utf8").split("\n")[0]);
    } catch {
      return 0;
    }
  }
  server() {
    const pid = this.postmaster();
    return pid ? family(pid) : [];
  }
  all() {
    return [this.patroni.pid, ...this.server()];
  }
  walReceivers() {
    return this.server().filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("walreceiver"),
    );
  }
  async is(role) {
    return Boolean((await answersOf(`${this.rest}/${role}`))?.ok);
  }
  async stop() {
    const left = this.all();
    signalAll([this.patroni.pid], "SIGTERM");
    await until(
      60,
      `${this.name} does not stop`,
      () => this.patroni.exitCode !== null || this.patroni.signalCode !== null,
    ).catch(() => signalAll(left, "SIGKILL"));
  }
}

export class Cluster {
  constructor({ port, synchronous, logs }) {
    Object.assign(this, {
      synchronous,
      logs,
      password: randomBytes(16).toString("hex"),
      etcdPort: port,
      home: mkdtempSync("/tmp/baro-failover-"),
    });
    mkdirSync(logs, { recursive: true });
    chownSync(this.home, POSTGRES.uid, POSTGRES.gid);
    this.nodes = ["a", "b"].map((name, i) => new Node(this, name, port + 2 + i, port + 4 + i));
  }

  // In a session of its own, so that Ctrl-C leaves the order of the end to us.
  spawn(name, program, args) {
    const child = spawn(program, args, {
      ...POSTGRES,
      cwd: this.home,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: `${process.env.PATH}:${BIN}`, HOME: this.home, LC_ALL: "C.UTF-8" },
    });
    const log = createWriteStream(`${this.logs}/${name}.log`, { flags: "a" });
    for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false });
    return child;
  }

  async start() {
    const client = `http://127.0.0.1:${this.etcdPort}`;
    const peer = `http://127.0.0.1:${this.etcdPort + 1}`;
    this.etcd = this.spawn("etcd", "etcd", [
      "--data-dir",
      `${this.home}/etcd`,
      "--listen-client-urls",
      client,
      "--advertise-client-urls",
      client,
      "--listen-peer-urls",
      peer,
      "--initial-advertise-peer-urls",
      peer,
      "--initial-cluster",
      `default=${peer}`,
    ]);
    await until(30, "etcd does not answer", async () => (await answersOf(`${client}/health`))?.ok);
    this.nodes[0].start();
    await until(60, "no primary", () => this.primary());
    this.nodes[1].start();
    await this.whole();
  }

  async primary() {
    for (const node of this.nodes) if (await node.is("primary")) return node;
    return null;
  }

  // A primary and a standby that may take over, which with synchronous replication has all that was acknowledged.
  async whole() {
    return until(120, "the cluster is not whole", async () => {
      const primary = await this.primary();
      const standby = this.nodes.find((node) => node !== primary);
      return primary && (await standby.is(this.synchronous ? "synchronous" : "replica?lag=16MB"))
        ? { primary, standby }
        : null;
    });
  }

  // Addresses of a role on all nodes: libpq goes to the one that takes writes.
  url(role, database) {
    const hosts = this.nodes.map((node) => `127.0.0.1:${node.port}`).join(",");
    return `postgresql://${role}:${this.password}@${hosts}/${database}?target_session_attrs=read-write`;
  }

  // The roles that deploy/local/servers has made get the cluster's password.
  setPasswords(roles) {
    const sql = roles.map((role) => `ALTER ROLE ${role} PASSWORD '${this.password}';`).join(" ");
    const { status, stderr } = spawnSync("psql", [
      "-X",
      "-q",
      "-v",
      "ON_ERROR_STOP=1",
      "-c",
      sql,
      this.url("postgres", "postgres"),
    ]);
    if (status !== 0) throw new Error(`passwords: ${stderr}`);
  }

  // What can happen to a node; each returns what brings the node back.
  faults = {
    "server killed": (node) => {
      signalAll(node.server(), "SIGKILL");
      return () => {};
    },
    "node killed": (node) => {
      signalAll(node.all(), "SIGKILL");
      return () => node.start();
    },
    "node frozen": (node) => {
      const pids = node.all();
      signalAll(pids, "SIGSTOP");
      return () => signalAll(pids.reverse(), "SIGCONT");
    },
  };

  // The standby falls behind; returns what cuts its connection, and with it all that was under way.
  holdBack(node) {
    const pids = node.walReceivers();
    signalAll(pids, "SIGSTOP");
    return () => {
      signalAll(pids, "SIGTERM");
      signalAll(pids, "SIGCONT");
    };
  }

  async stop() {
    for (const node of this.nodes) if (node.patroni) signalAll(node.all(), "SIGCONT");
    for (const node of this.nodes) if (node.patroni) await node.stop();
    if (this.etcd) {
      this.etcd.kill();
      await until(
        10,
        "etcd does not stop",
        () => this.etcd.exitCode !== null || this.etcd.signalCode !== null,
      );
    }
    rmSync(this.home, { recursive: true, force: true });
  }
}
