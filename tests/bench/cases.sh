# shellcheck shell=sh disable=SC2154,SC2034
# Sourced by `run`: how each case of `figures` is measured. A case starts a fresh stack and reports
# what it found with `value FIGURE NUMBER` and `reference FIGURE NUMBER`, once for each run; `detail`
# keeps whole JSON objects for those who want to know more. Runs of Baro and of a reference alternate.

found() { # value|reference FIGURE NUMBER
    jq -nc --arg case "$case" --arg kind "$1" --arg figure "$2" --argjson number "$3" \
        '{case: $case, figure: $figure} + {($kind): $number}' >> "$dir/values"
}
value() { found value "$@"; }
reference() { found reference "$@"; }
detail() { # NAME, from stdin
    jq -c --arg case "$case" --arg name "$1" '{case: $case, detail: $name, is: .}' >> "$dir/values"
}
get() { jq -r "$1" "$2"; }
each_run() { seq 1 "$runs"; }
say() { printf '  %s\n' "$*" >&2; }

case_orders() {
    start_stack 1
    for _ in $(each_run); do
        measure order > "$dir/run.json"
        say "$(cat "$dir/run.json")"
        detail run < "$dir/run.json"
        value per_second "$(get .per_second "$dir/run.json")"
        value p99_ms "$(get .p99_ms "$dir/run.json")"
        value cpu_ms "$(get '.cpu_ms["of all"]' "$dir/run.json")"
    done
    batches | detail batches
    show_statements
    [ "$references" = on ] || return 0
    postgres_alone order > "$dir/alone.json"
    detail postgresql_alone < "$dir/alone.json"
    reference per_second "$(get .per_second "$dir/alone.json")"
    reference cpu_ms "$(get .cpu_ms "$dir/alone.json")"
}

case_checkout() {
    start_stack 1
    for _ in $(each_run); do
        measure checkout > "$dir/run.json"
        say "$(cat "$dir/run.json")"
        detail run < "$dir/run.json"
        value per_second "$(get .per_second "$dir/run.json")"
        value over_orders "$(get .per_second "$dir/run.json")"
        measure order > "$dir/run.json"
        reference over_orders "$(get .per_second "$dir/run.json")"
    done
    [ "$references" = on ] || return 0
    postgres_alone checkout > "$dir/alone.json"
    detail postgresql_alone < "$dir/alone.json"
    reference per_second "$(get .per_second "$dir/alone.json")"
}

# All customers at once, each on a connection of his own, each with one of one option.
flash() { # FLOW BUYERS
    option=$(fresh_option "$2")
    load "$1" --burst 1 --lines 1 --options "$option:1" --connections "$2" > "$dir/run.json"
    served=$(get '[.answers | to_entries[] | select(.key | startswith("2")) | .value] | add' "$dir/run.json")
    [ "$served" = "$2" ] ||
        { echo "not every buyer got his own: $(cat "$dir/run.json")" >&2; exit 1; }
}

case_flash() {
    start_stack 1
    for _ in $(each_run); do
        for flow in place checkout; do
            flash $flow "$flash_buyers"
            detail run < "$dir/run.json"
            value ${flow}_ms "$(get .max_ms "$dir/run.json")"
            buyers $flow pessimistic "$flash_buyers" "$flash_buyers" > "$dir/reference.json"
            reference ${flow}_ms "$(get .ms "$dir/reference.json")"
        done
    done
}

case_rush() {
    start_stack 1
    for _ in $(each_run); do
        campaign=$(sql -v total="$rush_coupons" -f tests/bench/seed_campaign.sql "$BARO_COUPON_DATABASE_URL")
        load claim --burst 1 --connections "$rush_claims" --campaign "$campaign" > "$dir/run.json" 2> "$dir/load.err" ||
            { cat "$dir/load.err" >&2; exit 1; }
        say "$(cat "$dir/run.json")"
        [ "$(get '.answers["201"]' "$dir/run.json")" = "$rush_coupons" ] ||
            { echo "not exactly $rush_coupons claims: $(cat "$dir/run.json")" >&2; exit 1; }
        detail run < "$dir/run.json"
        value per_second "$(get .per_second "$dir/run.json")"
        buyers claim pessimistic "$rush_claims" "$rush_coupons" > "$dir/reference.json"
        reference per_second "$(get .per_second "$dir/reference.json")"
    done
}

case_latency() {
    start_stack 1
    for _ in $(each_run); do
        load order --rate "$rate" --seconds "$latency_seconds" --connections "$connections" > "$dir/run.json"
        say "$(cat "$dir/run.json")"
        detail run < "$dir/run.json"
        value p50_ms "$(get .p50_ms "$dir/run.json")"
        value p99_ms "$(get .p99_ms "$dir/run.json")"
    done
}

# A constant body of the size that Baro's answers had, from libmicrohttpd.
constant() { # BYTES
    start_constant "$1"
    "$build/tests/bench-load" --gateway "127.0.0.1:$constant_port" --flow product --warmup 1 \
        --connections "$read_connections" --seconds "$read_seconds"
    end_helper
}

# Reads of any of the products: with the gateway's cache, and through to PostgreSQL.
read_products() { # FIGURE CACHE
    deploy/local/stack stop "$dir" gateway 0
    BARO_CATALOGUE_CACHE=$2 deploy/local/stack start "$dir" gateway 0
    await_ready
    load product --warmup 1 --connections "$read_connections" --seconds "$read_seconds" > "$dir/run.json"
    value "$1" "$(get .per_second "$dir/run.json")"
    detail "$1" < "$dir/run.json"
}

case_reads() {
    start_stack 1
    for _ in $(each_run); do
        read_products cached 1s
        read_products uncached off
        constant "$(get .body_bytes "$dir/run.json")" > "$dir/reference.json"
        reference cached "$(get .per_second "$dir/reference.json")"
        reference uncached "$(get .per_second "$dir/reference.json")"
    done
}

echoes() { # value|reference PROGRAM
    "$build/tests/$2" "$rpc_seconds" > "$dir/echo.txt"
    for in_flight in 1 64 256; do
        "$1" $in_flight "$(awk -v n=$in_flight '$1 == n {print $4}' "$dir/echo.txt")"
    done
}

case_rpc() {
    for _ in $(each_run); do
        echoes value bench-rpc
        echoes reference bench-grpc
    done
}

case_memory() {
    start_stack 1
    value idle_mb "$(memory_mb)"
    shop order > "$dir/run.json" &
    shopping=$!
    highest=0
    while kill -0 $shopping 2> /dev/null; do
        highest=$(printf '%s\n%s\n' "$highest" "$(memory_mb)" | sort -n | tail -n 1)
        sleep 0.5
    done
    wait $shopping
    value load_mb "$highest"
}

case_start() {
    start_stack 1
    for _ in $(each_run); do
        deploy/local/stack down "$dir"
        deploy/local/servers start "$dir"
        before=$(date +%s%N)
        deploy/local/stack up "$dir" 1
        value seconds "$(($(date +%s%N) - before))e-9"
    done
}

# Each size has databases of its own, first measured empty: the reference stands beside its figure.
case_growth() {
    for size in $growth; do
        start_stack 1
        measure order > /dev/null # warms up what the later ones find warm
        for _ in $(each_run); do
            measure order > "$dir/run.json"
            say "empty: $(cat "$dir/run.json")"
            reference "$size" "$(get .per_second "$dir/run.json")"
        done
        "$build/baroctl" load-demo --orders "$(echo "$size" | sed 's/m$/000000/')" > "$dir/load-demo.txt"
        settle
        for _ in $(each_run); do
            measure order > "$dir/run.json"
            say "$size: $(cat "$dir/run.json")"
            detail "$size" < "$dir/run.json"
            value "$size" "$(get .per_second "$dir/run.json")"
        done
    done
}

# The crowd grows with the replicas, so that each of them sees as many as one alone.
case_replicas() {
    crowd=$connections
    for count in 1 2 4; do
        start_stack $count
        connections=$((crowd * count))
        measure order > /dev/null # every gateway sees every token once
        for _ in $(each_run); do
            measure order > "$dir/run.json"
            cpu=$(get '.cpu_ms["of all"] - .cpu_ms["load generator"]' "$dir/run.json")
            say "$count: $(cat "$dir/run.json")"
            if [ $count = 1 ]; then
                reference cpu_2 "$cpu"
                reference cpu_4 "$cpu"
            else
                value cpu_$count "$cpu"
            fi
        done
    done
    connections=$crowd
}

# How long until the last buyer of one option has his order.
case_batching() {
    for batch in batched single; do
        if [ $batch = single ]; then export BARO_BATCH_MAX=1; fi
        start_stack 1
        unset BARO_BATCH_MAX
        flash place 100 # connections, plans and memory, which the others find warm
        for _ in $(each_run); do
            for count in 1 100 1000; do
                flash place $count
                value ${batch}_$count "$(get .max_ms "$dir/run.json")"
            done
        done
    done
    for _ in $(each_run); do
        for guard in pessimistic optimistic redis; do
            for count in 1 100 1000; do
                buyers place $guard $count $count > "$dir/run.json"
                value ${guard}_$count "$(get .ms "$dir/run.json")"
            done
        done
    done
}
