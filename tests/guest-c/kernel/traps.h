/* Traps: accesses that may fault, events, and a process. */

#ifndef TRAPS_H
#define TRAPS_H

#include <stdbool.h>

#include "memory.h"

/* Registers the trap entry. */
PvStatus register_traps(void);

/* What is registered. */
uint64_t trap_entry_address(void);
uint64_t trap_stack_end(void);

/* The last access that faulted. */
typedef struct {
  bool faulted;
  PvTrapHeader header;
} Fault;

/* Loads or stores a word; `fault` says what came of it. */
uint64_t load(uint64_t address, Fault *fault);
void store(uint64_t address, uint64_t value, Fault *fault);

/* As `store`, but the first fault is answered by trap_return with `updates` updates, which lie
   in the argument frame, and the access is made again. `first` is that fault. */
void store_mending(uint64_t address, uint64_t value, uint64_t updates, Fault *first,
                   Fault *second);

/* Whether an event has been taken on the port since this was last asked. */
bool take_event(PvPort port);

/* Forgets events that were taken, and those that are pending; masks event traps. */
void quieten(void);

/* Masks event traps, or permits them and takes what is due. */
void mask_events(void);
void unmask_events(void);

/* A process: where its code, its stack and its one page of data are, and what came of it. */
typedef struct {
  uint64_t code, stack, data;
  PvMfn data_frame;
  uint64_t system_calls, faults, exit_value;
  PvTrapHeader first_fault;
  bool is_on_trap_stack; /* its traps came on the registered stack */
} Process;

/* Runs it on the user root to its end: the status with which it could not be entered, or 0. */
PvStatus run_process(Process *process);

#endif
