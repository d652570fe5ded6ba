#pragma once
// GET /admin/operations: what every replica counts (Health.Observe), gathered.

struct request;

// Asks all replicas of all services; answers, later and on another thread, when each has answered or
// its time is over. Who does not answer is left out.
void operations_serve(struct request *request);
