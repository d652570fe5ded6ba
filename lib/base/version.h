#pragma once
// The version of all five processes and baroctl.

#define BARO_VERSION "0.1.0"
