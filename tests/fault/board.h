#pragma once
// The board of lib/base/fault_point.h, seen from the side that gives the orders.

#include <stdbool.h>
#include <sys/types.h>

struct fault_board;

// Makes the file; ends the program if that cannot be.
struct fault_board *board_open(const char *path);

// Has the process that comes to the point (as the countdown ends) raise the signal. Slots are 0 to
// BOARD_SLOTS - 1.
enum { BOARD_SLOTS = 4 };
void board_arm(struct fault_board *board, int slot, const char *point, int signal, int countdown);

// The process that it has struck, 0 while it has not.
pid_t board_victim(const struct fault_board *board, int slot);

// Takes the order back; the victim if it came too late for that.
pid_t board_disarm(struct fault_board *board, int slot);
