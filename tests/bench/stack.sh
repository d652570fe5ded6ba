# shellcheck shell=sh disable=SC2154
# Sourced by `run`: the stack under test, its goods and customers, and what is read off it.

services="user product coupon order"

sql() { PGOPTIONS='-c client_min_messages=error' psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

each_database() { # SQL
    for s in $services; do
        eval "sql -c \"\$1\" \"\$BARO_$(echo "$s" | tr a-z A-Z)_DATABASE_URL\""
    done
}

# The stack

# A fresh stack, empty but for the seed; REPLICAS of each process.
start_stack() { # REPLICAS
    end_stack
    replicas=$1
    rm -rf "$dir/postgres" "$dir/redis" "$dir/run" "$dir/log" "$dir/tokens"
    export BARO_JWT_KEY_FILE="$PWD/$dir/key.pem"
    export BARO_LIMIT_ORDERS=off BARO_LIMIT_CLAIMS=off BARO_LIMIT_LOGINS=off BARO_BLOCK_FAILURES=off
    # Room for ten thousand at once: all of them come from this address.
    export BARO_HTTP_CONNECTIONS=16384 BARO_HTTP_CONNECTIONS_PER_ADDRESS=0
    export BARO_RPC_IN_FLIGHT=${BARO_RPC_IN_FLIGHT:-65536} BARO_QUEUE_MAX=${BARO_QUEUE_MAX:-16384}
    export BARO_CALL_DELAY=${BARO_CALL_DELAY:-off}
    deploy/local/stack up "$dir" "$replicas"
    set -a
    # shellcheck disable=SC1091 # written by deploy/local/servers
    . "$(cd "$dir" && pwd)/env"
    set +a
    gateways=127.0.0.1:$port
    i=1
    while [ $i -lt "$replicas" ]; do
        gateways=$gateways,127.0.0.1:$((port + i))
        i=$((i + 1))
    done
    seed
}

stop_stack() {
    [ -z "${helper:-}" ] || kill "$helper" 2> /dev/null || true
    deploy/local/stack down "$dir" 2> /dev/null || true
}

# What was measured counts only if the laws held.
end_stack() {
    if [ "${replicas:-0}" != 0 ]; then audit; fi
    stop_stack
    replicas=0
}

# Coupons for each run of a load: those that it does not use up are not used by another.
coupons_each_run=$((users * (1 + (seconds + 2) * 1000 / users)))
coupon_runs=$((2 * runs + 2))

seed() {
    sql -v count="$users" -f tests/bench/seed_user.sql "$BARO_USER_DATABASE_URL"
    sql -v count="$options" -v stock=100000000 -f tests/bench/seed_product.sql "$BARO_PRODUCT_DATABASE_URL"
    first_user=$(sql -c "SELECT min(id) FROM account WHERE name = 'bench'" "$BARO_USER_DATABASE_URL")
    first_option=$(sql -c "SELECT min(id) FROM product_option" "$BARO_PRODUCT_DATABASE_URL")
    first_product=$(sql -c "SELECT min(id) FROM product" "$BARO_PRODUCT_DATABASE_URL")
    sql -v users="$users" -v first_user="$first_user" -v campaigns=$((coupon_runs * coupons_each_run / users)) \
        -f tests/bench/seed_coupon.sql "$BARO_COUPON_DATABASE_URL" > /dev/null
    first_coupon=1
    each_database ANALYZE
    age_wal
    sql -c CHECKPOINT -c 'SELECT pg_stat_statements_reset()' -c "SELECT pg_stat_reset_shared('wal')" \
        "$BARO_ADMIN_DATABASE_URL" > /dev/null
}

# A server that is not new writes its log over files that it has had before. A new one makes each of them
# first, with zeros: a twentieth of its time. The next checkpoint keeps these, up to min_wal_size.
age_wal() {
    sql -c "DO \$\$ BEGIN FOR i IN 1..32 LOOP
            PERFORM pg_logical_emit_message(false, 'bench', '');
            PERFORM pg_switch_wal();
        END LOOP; END \$\$" "$BARO_ADMIN_DATABASE_URL"
}

# What the server does over the months in which so much is stored, and would now do in one go, beside the
# load: every row vacuumed and counted, every page written.
settle() {
    each_database 'VACUUM ANALYZE'
    sql -c CHECKPOINT "$BARO_ADMIN_DATABASE_URL"
}

# An option with so many in stock and nobody's order yet.
fresh_option() { # STOCK
    sql -v count=1 -v stock="$1" -f tests/bench/seed_product.sql "$BARO_PRODUCT_DATABASE_URL"
    sql -c "SELECT max(id) FROM product_option" "$BARO_PRODUCT_DATABASE_URL"
}

each_service() { # start|stop
    for s in $services; do
        i=0
        while [ $i -lt "$replicas" ]; do
            deploy/local/stack "$1" "$dir" "$s" $i
            i=$((i + 1))
        done
    done
}

await_ready() {
    tries=3000
    until curl -fsS "http://127.0.0.1:$port/readyz" 2> /dev/null | grep -q '"status":"ready"'; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { echo "the services do not come back; their logs are in $dir/log" >&2; exit 1; }
        sleep 0.01
    done
}

audit() { "$build/baroctl" audit --wait 60s > "$dir/audit.txt" || { cat "$dir/audit.txt" >&2; exit 1; }; }

# Loads

load() { # FLOW [OPTION ...]: one line of JSON
    flow=$1
    shift
    "$build/tests/bench-load" --gateway "$gateways" --key "$dir/key.pem" --tokens "$dir/tokens" --flow "$flow" \
        --users "$first_user:$users" --options "$first_option:$options" \
        --products "$first_product:$options" "$@"
}

# Orders or checkouts in a closed loop, coupons_each_run of them with a coupon.
shop() { # FLOW
    load "$1" --connections "$connections" --seconds "$seconds" --coupon-percent 20 \
        --coupons "$first_coupon:$coupons_each_run"
}

next_coupons() { first_coupon=$((first_coupon + coupons_each_run)); }

# What is read off

# Milliseconds of processor time of some processes; ended children count for their parents.
cpu_ms() {
    # shellcheck disable=SC2046 # one word a process
    cat $(printf '/proc/%s/stat ' "$@") 2> /dev/null |
        awk -v hz="$(getconf CLK_TCK)" '{sum += $14 + $15 + $16 + $17} END {print sum * 1000 / hz}'
}

pids_of() { cat "$dir/run/$1"-*.pid; }

cpu_of_postgres() {
    postmaster=$(head -n 1 "$dir/postgres/postmaster.pid")
    # shellcheck disable=SC2046
    cpu_ms "$postmaster" $(pgrep -P "$postmaster")
}

cpu_of_all() { # one JSON object
    for p in gateway $services; do
        # shellcheck disable=SC2046
        printf '%s"%s": %s' "${separator:-{}" "$p" "$(cpu_ms $(pids_of "$p"))"
        separator=,
    done
    printf ',"postgresql": %s}' "$(cpu_of_postgres)"
    separator=
}

# A load, and the processor time of each process in ms for each journey that went well.
measure() { # FLOW
    before=$(cpu_of_all)
    shop "$1" > "$dir/load.json"
    next_coupons
    jq -c --argjson before "$before" --argjson after "$(cpu_of_all)" '
        .done as $done | .load_cpu_ms as $load
        | . + {cpu_ms: ([$after | to_entries[] | {key, value: ((.value - $before[.key]) / $done)}]
                        + [{key: "load generator", value: ($load / $done)}] | from_entries)}
        | .cpu_ms["of all"] = ([.cpu_ms[]] | add)' "$dir/load.json"
}

# Average batch of each method that was busy, since the services started: one JSON object.
batches() {
    index=0
    for s in $services; do
        curl -fsS "http://127.0.0.1:$((BARO_OPS_PORT + index))/metrics"
        index=$((index + 1))
    done | awk '/^baro_batch_size_sum/ {split($1, a, "\""); sum[a[2]] = $2}
                /^baro_batch_size_count/ {split($1, a, "\""); if ($2 > 100) print a[2], sum[a[2]] / $2}' |
        jq -Rn '[inputs | split(" ") | {key: .[0], value: (.[1] | tonumber)}] | from_entries'
}

# Proportional set size of the five processes in MB: a page that several share counts once.
memory_mb() {
    # shellcheck disable=SC2046
    cat $(for p in gateway $services; do printf '/proc/%s/smaps_rollup ' $(pids_of "$p"); done) |
        awk '/^Pss:/ {kb += $2} END {print kb / 1024}'
}

# PostgreSQL alone

# The program that helps to measure runs until here, or until the run ends.
end_helper() {
    kill "$helper"
    wait "$helper"
    helper=
}

# libmicrohttpd alone, on $constant_port, until end_helper.
start_constant() { # BYTES [refusing]
    constant_port=$((port + 99))
    "$build/tests/bench-constant" "$constant_port" "$@" &
    helper=$!
    until curl -sS -o /dev/null "http://127.0.0.1:$constant_port/" 2> /dev/null; do sleep 0.01; done
}

# A load with bench-record between the services and the server, which has copied their databases before.
record() { # FLOW
    proxy=$(mktemp -d /tmp/baro-record-XXXXXX)
    rm -rf "$dir/trace"
    mkdir "$dir/trace"
    each_service stop
    for s in $services; do
        sql -c "DROP DATABASE IF EXISTS bench_$s" \
            -c "CREATE DATABASE bench_$s TEMPLATE baro_$s OWNER baro_$s" "$BARO_ADMIN_DATABASE_URL"
    done
    "$build/tests/bench-record" "$dir/trace" "$proxy/.s.PGSQL.5432" "$socket" &
    helper=$!
    sed -i "/^BARO_[A-Z]*_\(DATABASE\|SERVICE\)_URL/s|@[^/]*/|@$(echo "$proxy" | sed 's|/|%2F|g')/|" "$dir/env"
    each_service start
    await_ready
    shop "$1" > "$dir/record.json"
    next_coupons
    batches > "$dir/batches.reference"
    each_service stop
    end_helper
    rm -rf "$proxy"
}

# What the workers' connections sent goes to the copies; the other connections do housekeeping.
replay() {
    sql -c CHECKPOINT "$BARO_ADMIN_DATABASE_URL"
    before=$(cpu_of_postgres)
    # shellcheck disable=SC2046 # one word a trace
    "$build/tests/bench-replay" "$socket" $(for t in "$dir"/trace/write-* "$dir"/trace/read-*; do
        service=${t##*.baro_}
        service=${service%.*}
        echo "$t:baro_$service:bench_$service"
    done) > "$dir/replay.json"
    jq -c --argjson cpu "$(($(cpu_of_postgres) - before))" --slurpfile record "$dir/record.json" \
        --slurpfile batches "$dir/batches.reference" '
        $record[0].done as $orders
        | . + {orders: $orders, per_second: ($orders / .seconds), cpu_ms: ($cpu / $orders), batches: $batches[0]}' \
        "$dir/replay.json"
}

postgres_alone() { # FLOW: one line of JSON
    socket=$(echo "$BARO_ADMIN_DATABASE_URL" | sed 's|.*@\([^/]*\)/.*|\1|; s|%2F|/|g')/.s.PGSQL.5432
    record "$1"
    replay
    deploy/local/servers start "$dir" # writes the environment without the recorder
    each_service start
    await_ready
}

# One transaction for each customer: see buyers.c.
buyers() { # WORK GUARD CUSTOMERS STOCK
    sql -c 'SELECT 1 FROM pg_database WHERE datname = '"'bench_buyers'" "$BARO_ADMIN_DATABASE_URL" | grep -q 1 ||
        sql -c 'CREATE DATABASE bench_buyers' "$BARO_ADMIN_DATABASE_URL"
    "$build/tests/bench-buyers" "${BARO_ADMIN_DATABASE_URL%/*}/bench_buyers" "$@" 20 "${BARO_REDIS_URL#unix://}"
}
