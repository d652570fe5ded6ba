#pragma once
// What operators and machines read: probes, metrics, the version, the public keys.

struct request;

void ops_livez(struct request *request); // 200 while the process runs
void ops_readyz(
    struct request *request); // 503 while a call would fail, and from the start of a drain
void ops_version(struct request *request);
void ops_metrics(struct request *request); // Prometheus' text format
void ops_problems(struct request *request);
void ops_jwks(struct request *request); // the keys that sign access tokens
