#pragma once
// Ids that carry the second of their creation: tables partitioned by month are partitioned by id, so
// that a row is found by its id alone, in one partition.
//
// id = seconds since 2025-01-01 UTC << 20 | sequence modulo 2^20: 51 bits until 2093, exact in JSON
// (below 2^53); unique while fewer than a million ids are taken in one second.

#include <stdint.h>

int64_t time_id(int64_t now_us, int64_t sequence);

// The lowest id of the second that contains time_us; 0 before 2025.
int64_t time_id_floor(int64_t time_us);

// The second of creation, in microseconds since 1970.
int64_t time_id_us(int64_t id);
