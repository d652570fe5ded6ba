// What stands for the container images. Ours are the trees that become images; PostgreSQL and Redis are
// this Debian's, started as their images' entry points would start them.
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

// image: "docker.io/library/redis:8" -> { tree, command } and, where the image has users of its own, the
// name that the user has here.
export function imageOf(image, trees) {
  const name = image.split("/").pop().split(":")[0];
  if (others[name]) return { tree: "-", ...others[name] };
  if (!programs.includes(name.replace(/^baro-/, ""))) throw new Error(`nothing stands for the image ${image}`);
  return { tree: `${trees}/${name}`, command: ["/usr/bin/baro"] };
}
