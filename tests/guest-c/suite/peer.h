/* The other domain: the same image in another role, which does what the tester asks for.

   It grants the tester one page before anything else. Requests and answers lie there, and a
   port for the tester's events too: each side blocks until the other has sent. */

#ifndef PEER_H
#define PEER_H

#include "memory.h"

/* A domain that a test speaks for: the tester, or its peer. */
typedef enum { OWN, PEER } Side;

/* The tester: finds the peer. */
bool meet(uint64_t domain);

/* Whether there is one, and its identity. */
bool has_peer(void);
uint64_t peer(void);

/* The peer: serves the tester until it is told to stop. False: the page cannot be granted. */
bool serve(uint64_t tester);

/* Tells the peer to stop. */
void stop_peer(void);

/* A call of either side. */
PvResult call_on(Side side, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2);

/* A word of a page of either side, and a page's frame. */
uint64_t read_word(Side side, PvPfn page, uint64_t word);
void write_word(Side side, PvPfn page, uint64_t word, uint64_t value);
PvMfn frame_on(Side side, PvPfn page);

/* Whether either side's trap entry has taken an event on a port, since this was last asked. */
bool took_event(Side side, PvPort port);

/* The start information of either side: a page that tests may use there. */
PvPfn test_page(Side side, uint64_t index);

/* What the hypervisor counts of either side; zeros for a peer that there is not. */
PvDomainInfo query(Side side);

#endif
