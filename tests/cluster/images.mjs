// What stands for the container images, and how a container of one is started. Ours are the trees that
// become images, or the images themselves (buildah); PostgreSQL and Redis are this Debian's, started as
// their images' entry points would start them.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const programs = ["gateway", "user", "product", "order", "coupon"];

const POSTGRESQL = "/usr/lib/postgresql/17/bin";

// The first start of the image postgres: a cluster, with the password of POSTGRES_PASSWORD_FILE, and
// what lies in /docker-entrypoint-initdb.d; every start: the server with the container's arguments.
const postgresql = `
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    ${POSTGRESQL}/initdb -D "$PGDATA" -U postgres --pwfile="$POSTGRES_PASSWORD_FILE" --auth=scram-sha-256 \\
        --encoding=UTF8 --locale=C.UTF-8
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    export PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"
    ${POSTGRESQL}/pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
    for file in /docker-entrypoint-initdb.d/*.sql; do
        psql -v ON_ERROR_STOP=1 -h /var/run/postgresql -U postgres -f "$file"
    done
    ${POSTGRESQL}/pg_ctl -D "$PGDATA" -w stop
fi
exec ${POSTGRESQL}/postgres -c listen_addresses='*' "$@"`;

const others = {
  postgres: { user: "postgres", command: ["/bin/sh", "-c", postgresql, "postgres"] },
  redis: { command: ["/usr/bin/redis-server", "--dir", "/data", "--protected-mode", "no"] },
};

const container = fileURLToPath(new URL("container", import.meta.url));
const plainName = (image) => image.split("/").pop().split(":")[0];

// A start is { name, image, user, binds, variables, command, args }, with user as "id:group", binds as
// "source:target:ro", and a command that may be missing; it becomes the words of a command and its
// environment, to be run in the pod's network namespace and in new mount and UTS namespaces.
const inTree =
  (tree, standard) =>
  ({ name, user, binds, variables, command, args }) => ({
    words: [container, tree, name, user, ...binds, "--", ...(command ?? standard), ...args],
    env: { PATH: process.env.PATH, ...variables },
  });

export const fromTrees = (folder) => (image) =>
  inTree(`${folder}/${plainName(image)}`, ["/usr/bin/baro"]);

// Images of a folder as deploy/images/build makes it. `images` is as above: user and command are what the
// image says, and configOf gives it whole; treeOf gives the file system of a container by its name.
export function openStore(folder) {
  const words = [
    "buildah",
    "--root",
    `${folder}/storage`,
    "--runroot",
    `${folder}/run`,
    "--storage-driver",
    "vfs",
  ];
  const buildah = (...args) =>
    execFileSync(words[0], [...words.slice(1), ...args], { encoding: "utf8" }).trim();
  // buildah asks for more than a limited machine grants.
  const [files, tasks] = execFileSync("bash", ["-c", "ulimit -Hn; ulimit -Hu"], {
    encoding: "utf8",
  })
    .trim()
    .split("\n");
  const limits = [`--ulimit=nofile=${files}:${files}`, `--ulimit=nproc=${tasks}:${tasks}`];
  const names = buildah(
    "images",
    "--format",
    "{{.Name}}:{{.Tag}}",
    "--filter",
    "reference=localhost/baro*",
  ).split("\n");
  const fullName = (image) => names.find((one) => one.startsWith(`localhost/${plainName(image)}:`));
  const configOf = (image) =>
    JSON.parse(buildah("inspect", "--type", "image", fullName(image))).OCIv1.config;
  const images =
    (image) =>
    ({ name, binds, variables, command, args }) => {
      buildah("from", "--name", name, ...limits, fullName(image));
      const config = configOf(image);
      const options = [
        ...binds.map((bind) => `--volume=${bind}`),
        ...Object.entries(variables).map(([key, value]) => `--env=${key}=${value}`),
      ];
      return {
        words: [
          ...words,
          "run",
          "--isolation",
          "chroot",
          ...options,
          name,
          "--",
          ...(command ?? config.Entrypoint),
          ...args,
        ],
        env: { PATH: process.env.PATH },
      };
    };
  buildah("rm", "--all"); // what an earlier run has left
  return { images, configOf, treeOf: (name) => buildah("mount", name) };
}

// How a container of an image starts; `ours` is one of the two above. Where the image has users of its
// own, `user` is the name that the user has here.
export function imageOf(image, ours) {
  const other = others[plainName(image)];
  return other ? { user: other.user, start: inTree("-", other.command) } : { start: ours(image) };
}
